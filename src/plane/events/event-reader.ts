import type { EventList } from '../../contract/events.ts';
import type { EventSink } from '../../events/event.ts';
import type { EventQuestion, Journal } from '../../events/journal.ts';
import type { MeshView } from '../../index/view.ts';
import type { Ref } from '../../model/object.ts';

/** What happened at a control plane, for those who ask, and who had it happen. */
export interface PlaneEvents extends EventSink {
  list(question: EventQuestion): EventList;
  /**
   * Resolves with the id of the newest event, once it is after `after`, or after `waitMs`. Throws MeshError
   * `exhausted` if too many wait.
   */
  next(after: number, waitMs: number, signal: AbortSignal): Promise<number>;
  /** A client of the admin API asks for the change of an object that comes next. */
  asks(ref: Ref, by: string): void;
}

interface EventReaderOptions {
  readonly idc: string;
  readonly journal: Journal;
  readonly events: EventSink;
  view(): MeshView;
  asks(ref: Ref, by: string): void;
}

/** Reads the journal when somebody asks. */
export function createEventReader({ idc, journal, events, view, asks }: EventReaderOptions): PlaneEvents {
  return {
    note: (event) => events.note(event),
    asks,
    list(question) {
      const found = journal.read(question);
      const oldest = journal.oldest();
      return {
        ...{ idc, ...journal.state() },
        ...(oldest && { since: oldest.at }),
        ...{ last: journal.last(), isCut: found.isCut, events: found.events },
        others: [...view().idcs.values()]
          .filter(({ meta }) => meta.name !== idc)
          .map(({ meta, spec }) => ({ idc: meta.name, controlPlanes: spec.controlPlanes ?? [] })),
      };
    },
    async next(after, waitMs, signal) {
      await journal.next(after, waitMs, signal);
      return journal.last();
    },
  };
}
