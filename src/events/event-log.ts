import type { Logger } from '../base/log.ts';
import type { EventSink } from './event.ts';
import type { Journal } from './journal.ts';
import { lineOf } from './lines.ts';

/** What events are told to. */
interface EventLogOptions {
  readonly logger: Logger;
  readonly journal: Pick<Journal, 'add'>;
  /** Counts an event, also one that the journal does not keep. */
  count(kind: string, phase: string): void;
}

/** The one stream of events: each is a line of the log, a count, and an entry of the journal. */
export function createEventLog({ logger, journal, count }: EventLogOptions): EventSink {
  return {
    note(event) {
      const line = lineOf(event);
      if (line !== undefined) logger[line.level](line.message, line.fields);
      count(event.kind, 'phase' in event ? event.phase : '');
      journal.add(event);
    },
  };
}
