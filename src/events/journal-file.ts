import { statSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, sleep, type Timer } from '../base/clock.ts';
import { readBounded } from '../base/files/bounded-file.ts';
import type { Logger } from '../base/log.ts';
import { describeSystemError } from '../base/system-error.ts';
import type { PlaneEvent } from '../contract/events.ts';

/** Bounds of what is on disk, and of what waits for it. Times in milliseconds. */
export const journalFileLimits = {
  /** Of one file; two are kept. */
  bytes: 4 * 2 ** 20,
  /** Events that wait. */
  pending: 2_000,
  /** They are written so long after the first of them. */
  collect: 100,
  /** After a failure it is tried again. */
  again: 5_000,
  /** Between two signs that the control plane is alive. */
  alive: 10_000,
  /** For the last ones, when the control plane ends. */
  close: 1_000,
  /** Far above the length of an event. */
  lineCharacters: 65_536,
} as const;

/** Events on disk: lines of JSON, appended. */
export interface JournalFile {
  /** What was in it when it was opened, the oldest first. */
  readonly read: readonly PlaneEvent[];
  /** When whoever wrote it was alive last, milliseconds of the wall clock; undefined: nobody wrote it. */
  readonly aliveAt: number | undefined;
  /** Writes an event soon; dropped and counted if the disk does not take it. */
  write(event: PlaneEvent): void;
  /** `why`: what was written last failed. */
  state(): { readonly why: string | undefined; readonly dropped: number };
  /** Resolves when all is written, at most after a second. */
  close(): Promise<void>;
}

interface FileOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Opens the files of a folder, which may be missing. An unreadable one counts as empty, and is logged. */
export function openJournalFile(options: FileOptions): JournalFile {
  return new AppendedFile(options);
}

class AppendedFile implements JournalFile {
  readonly #options: FileOptions;
  readonly #file: string;
  readonly #older: string;
  readonly read: readonly PlaneEvent[];
  readonly aliveAt: number | undefined;
  #alive: Timer | undefined;
  #pending: PlaneEvent[] = [];
  #writing: Promise<void> | undefined;
  #appending: Promise<void> = Promise.resolve();
  #handle: FileHandle | undefined;
  #bytes = 0;
  /** The file may end within a line: after a failure, or a crash of the one before. */
  #isTorn = true;
  #why: string | undefined;
  #dropped = 0;
  #isClosed = false;

  constructor(options: FileOptions) {
    this.#options = options;
    this.#file = join(options.folder, 'events.jsonl');
    this.#older = join(options.folder, 'events.1.jsonl');
    this.read = [...this.#readAll(this.#older), ...this.#readAll(this.#file)];
    this.aliveAt = statSync(this.#file, { throwIfNoEntry: false })?.mtimeMs;
    this.#stayAlive();
  }

  /** The time of the file says until when the control plane was alive: nothing may happen for hours. */
  #stayAlive(): void {
    const { clock } = this.#options;
    this.#alive = clock.after(journalFileLimits.alive, () => {
      const now = new Date(clock.wall());
      // Where the disk does not take it, the time of the last event stays.
      void this.#handle?.utimes(now, now).catch(() => {});
      this.#stayAlive();
    });
  }

  write(event: PlaneEvent): void {
    if (this.#isClosed || this.#pending.length >= journalFileLimits.pending) {
      this.#dropped += 1;
      return;
    }
    this.#pending.push(event);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  state(): ReturnType<JournalFile['state']> {
    return { why: this.#why, dropped: this.#dropped };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#alive?.cancel();
    const { clock } = this.#options;
    await Promise.race([this.#flush(), sleep(clock, journalFileLimits.close)]);
    await this.#handle?.close().catch(() => {});
    this.#handle = undefined;
  }

  /** Writes what waits now, without collecting more. */
  async #flush(): Promise<void> {
    await this.#appending;
    if (this.#pending.length > 0) await this.#append();
  }

  async #writeAll(): Promise<void> {
    const { clock } = this.#options;
    while (this.#pending.length > 0 && !this.#isClosed) {
      await sleep(clock, this.#why === undefined ? journalFileLimits.collect : journalFileLimits.again);
      if (this.#isClosed) return;
      this.#appending = this.#append();
      await this.#appending;
    }
  }

  async #append(): Promise<void> {
    const events = this.#pending;
    this.#pending = [];
    try {
      const handle = await this.#opened();
      const text = events.map((event) => `${JSON.stringify(event)}\n`).join('');
      const bytes = Buffer.from(this.#isTorn && this.#bytes > 0 ? `\n${text}` : text);
      this.#isTorn = true;
      await handle.appendFile(bytes);
      this.#isTorn = false;
      this.#bytes += bytes.length;
      if (this.#bytes >= journalFileLimits.bytes) await this.#rotate();
      this.#tellSuccess();
    } catch (reason) {
      this.#keepOrDrop(events);
      await this.#handle?.close().catch(() => {});
      this.#handle = undefined;
      this.#tellFailure(describeSystemError(reason));
    }
  }

  /** What could not be written is tried again with what has come meanwhile, as far as there is room. */
  #keepOrDrop(events: readonly PlaneEvent[]): void {
    const all = [...events, ...this.#pending];
    this.#pending = all.slice(-journalFileLimits.pending);
    this.#dropped += all.length - this.#pending.length;
  }

  async #opened(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    await mkdir(this.#options.folder, { recursive: true });
    const handle = await open(this.#file, 'a', 0o600);
    this.#handle = handle;
    this.#bytes = (await handle.stat()).size;
    this.#isTorn = true;
    return handle;
  }

  async #rotate(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    await rename(this.#file, this.#older);
  }

  #tellFailure(why: string): void {
    if (this.#why === undefined)
      this.#options.logger.warn('events are not written, and only in memory', { file: this.#file, why });
    this.#why = why;
  }

  #tellSuccess(): void {
    if (this.#why === undefined) return;
    this.#why = undefined;
    this.#options.logger.info('events are written again', { file: this.#file, dropped: this.#dropped });
  }

  #readAll(file: string): readonly PlaneEvent[] {
    try {
      const text = readBounded(file, 2 * journalFileLimits.bytes).toString('utf8');
      const lines = text.split('\n').filter((line) => line !== '');
      const events = lines.flatMap((line) => parseEvent(line) ?? []);
      if (events.length < lines.length)
        this.#options.logger.info('events: lines that are not whole are left out', {
          ...{ file, lines: lines.length - events.length },
        });
      return events;
    } catch (reason) {
      if ((reason as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#options.logger.warn('events of earlier are not read', {
          ...{ file, why: describeSystemError(reason) },
        });
      return [];
    }
  }
}

/** The event of a line; undefined: it is none, as a crash cut it, or somebody edited it. */
function parseEvent(line: string): PlaneEvent | undefined {
  if (line.length > journalFileLimits.lineCharacters) return undefined;
  try {
    const event = JSON.parse(line) as Partial<PlaneEvent> | null;
    const { id, at, kind } = event ?? {};
    const isEvent =
      Number.isSafeInteger(id) &&
      (id as number) > 0 &&
      typeof at === 'string' &&
      !Number.isNaN(Date.parse(at)) &&
      typeof kind === 'string';
    return isEvent ? (event as PlaneEvent) : undefined;
  } catch {
    return undefined;
  }
}
