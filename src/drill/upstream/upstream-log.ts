import { closeSync, openSync, writeSync } from 'node:fs';
import { machineClock } from '../time.ts';

/** One execution of a request at an instance, by the instance's own log. */
export interface UpstreamEntry {
  /** When it began, in milliseconds of the machine's monotonic clock. */
  readonly at: number;
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** Names of `x-isthmus-*` headers that reached the application: must be none. */
  readonly leaked: readonly string[];
  /** How it ended; absent if the instance died before. */
  readonly ended?: UpstreamEnd;
}

/** The end of an execution. */
interface UpstreamEnd {
  /** When the work was done, and the answer was handed to the kernel or the client had gone away. */
  readonly at: number;
  /** Whether the whole answer was handed to the kernel. */
  readonly answered: boolean;
  /**
   * What was received and what was sent, in bytes of bodies; `digest` as `BYTES:SHA256`, when a call asked
   * for it.
   */
  readonly received: number;
  readonly sent: number;
  readonly digest?: string;
}

/** The log of an instance. */
export interface UpstreamLog {
  /**
   * Notes that an execution begins. The returned function notes its end, once. Both return when the kernel
   * has it.
   */
  begin(entry: Omit<UpstreamEntry, 'at' | 'ended'>): (end: Omit<UpstreamEnd, 'at'>) => void;
  close(): void;
}

/** Opens the log of an instance. Entries are appended, also after a restart of the instance. */
export function openUpstreamLog(file: string): UpstreamLog {
  const fd = openSync(file, 'a');
  let open = true;
  let count = 0;
  // Synchronous, so that a kill -9 right after it cannot lose the entry.
  const append = (line: object) => {
    if (open)
      writeSync(fd, `${JSON.stringify({ at: Math.round(machineClock.now() * 1000) / 1000, ...line })}\n`);
  };
  return {
    begin(entry) {
      const run = `${process.pid}.${count++}`;
      append({ run, ...entry });
      let ended = false;
      return (end) => {
        if (ended) return;
        ended = true;
        append({ run, ...end });
      };
    },
    close() {
      open = false;
      closeSync(fd);
    },
  };
}

/** Reads an instance's log. Leaves out a last line that was cut when the instance was killed. */
export function parseUpstreamLog(text: string): UpstreamEntry[] {
  const lines = text.split('\n').filter((line) => line.endsWith('}'));
  const byRun = new Map<string, UpstreamEntry>();
  for (const line of lines) {
    const { run, ...rest } = JSON.parse(line);
    const begun = byRun.get(run);
    byRun.set(run, begun === undefined ? rest : { ...begun, ended: rest });
  }
  return [...byRun.values()];
}
