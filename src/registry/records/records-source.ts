import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, sleep, type Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { openRegular, readOpened } from '../../base/files/bounded-file.ts';
import { replaceFile } from '../../base/files/replace-file.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import type { Finding } from '../../model/finding.ts';
import type { Change, MeshObject, Ref } from '../../model/object.ts';
import type { Sink } from '../source.ts';
import {
  isNewer,
  readRecords,
  readSentRecords,
  type SentRecord,
  type SpecReader,
  type StoredRecord,
} from './stored-record.ts';

/** Another control plane of this IDC, as a source of records. */
export interface RecordsPeer {
  readonly name: string;
  /** Throws MeshError when it does not answer. */
  pull(signal: AbortSignal): Promise<unknown>;
}

/** A kind of record. */
export interface RecordKind<Spec> extends SpecReader<Spec> {
  /** What they are called, in the plural: the name of the source. */
  readonly plural: string;
  /** The finding that their file cannot be read. */
  readonly unreadable: Finding['code'];
  /** Most records, including ended ones, with which a new name is accepted. */
  readonly most: number;
  /** The object of a record. */
  objectOf(name: string, spec: Spec): MeshObject;
  refOf(name: string): Ref;
  /** True: objects go at `until`; false: they stay, and whoever reads them compares the time. */
  readonly endsByClock: boolean;
}

/** What a store needs. */
export interface RecordsOptions {
  /** A JSON file, created if missing. */
  readonly file: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly peers?: readonly RecordsPeer[];
}

/** Times, in milliseconds. */
export const recordTimes = {
  /** Interval of asking a peer. */
  pull: 1_000,
  /** Timeout of a peer's answer. */
  answerMax: 2_000,
  /** Longest time that a start waits for the first answers of peers. */
  startWait: 3_000,
  /** A record is forgotten this long after its end, as clocks of control planes may differ. */
  forget: 3_600_000,
  /** Interval of looking for such records. */
  look: 600_000,
  /** Interval of looking at the clock while one ends by it: the machine's clock may be set. */
  clockMax: 10_000,
} as const;

/**
 * What clients of the API have put under names: on disk before it is in force, and merged with the records of
 * the other control planes of the IDC, of which the later edit counts.
 */
export class RecordStore<Spec> {
  readonly #kind: RecordKind<Spec>;
  readonly #file: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #peers: readonly RecordsPeer[];
  #current: ReadonlyMap<string, StoredRecord<Spec>> = new Map();
  /** Those of which the mesh was told. */
  #inForce: ReadonlyMap<string, Spec> = new Map();
  #sink: Sink | undefined;
  #lastWrite: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;

  constructor(kind: RecordKind<Spec>, { file, clock, logger = silentLogger, peers = [] }: RecordsOptions) {
    this.#kind = kind;
    this.#file = file;
    this.#clock = clock;
    this.#logger = logger;
    this.#peers = peers;
  }

  /** As `Source.start`. */
  async start(to: Sink, signal: AbortSignal): Promise<void> {
    const { plural, unreadable } = this.#kind;
    const read = await load(this.#file);
    if (signal.aborted) return;
    if ('fault' in read) {
      const message = `cannot be read (${read.fault}), so earlier ${plural} are not in force: put them again.`;
      to.problems([{ code: unreadable, severity: 'error', where: this.#file, path: '', message }]);
    } else this.#current = new Map(readRecords(this.#kind, read.raw).map((record) => [record.name, record]));
    this.#sink = to;
    signal.addEventListener('abort', () => {
      this.#sink = undefined;
      this.#timer?.cancel();
    });
    this.#emitChanges();
    this.#clock.after(recordTimes.look, () => this.#forgetEnded(signal));
    const first = this.#peers.map(
      (peer) => new Promise<void>((heard) => void this.#follow(peer, signal, heard)),
    );
    const waited = new Promise<void>((done) => this.#clock.after(recordTimes.startWait, done));
    const ready = Promise.race([Promise.all(first), waited]).then(() => {
      this.#sink?.changes([{ type: 'synced', source: plural, at: this.#clock.now() }]);
    });
    // Two control planes that start together must not wait for each other.
    if (this.#peers.length === 0) await ready;
  }

  /** As `Source.objects`. */
  *objects(): Iterable<MeshObject> {
    for (const [name, spec] of this.#inForce) yield this.#kind.objectOf(name, spec);
  }

  /** As `Source.repair`. */
  repair(batch: readonly Change[]): void {
    this.#sink?.changes(batch);
  }

  /** The record of a name that has not been ended; its time may be over. */
  standing(name: string): (StoredRecord<Spec> & { readonly spec: Spec }) | undefined {
    const record = this.#current.get(name);
    return record?.spec ? { ...record, spec: record.spec } : undefined;
  }

  /**
   * Puts a record; `record` is called in the order of calls, with the edit number to use. Resolves once it is
   * on disk and was pushed. Throws MeshError `exhausted` for a new name when too many were put recently,
   * `unavailable` if the disk fails or before `start`, and what `record` throws; then nothing has changed.
   */
  async put(name: string, record: (edit: number) => Omit<StoredRecord<Spec>, 'name' | 'by'>): Promise<void> {
    const { plural, most } = this.#kind;
    if (!this.#current.has(name) && this.#current.size >= most) {
      const message = `${most} ${plural} have been put lately under other names: use one of these, or try again when ended ones are forgotten`;
      throw new MeshError('exhausted', message);
    }
    await this.#applyNewer(() => {
      const edit = Math.max((this.#current.get(name)?.edit ?? 0) + 1, Math.floor(this.#clock.wall()));
      return [{ ...record(edit), name, by: randomUUID() }];
    });
  }

  /** All records, for peers: also ended ones, as long as an older record could still apply. */
  records(): readonly SentRecord<Spec>[] {
    const at = Math.floor(this.#clock.wall());
    return [...this.#current.values()].map((record) => ({ ...record, at }));
  }

  /** Applies newer records, one call after the other: first on disk, then in force. */
  #applyNewer(recordsOf: () => readonly StoredRecord<Spec>[]): Promise<void> {
    const done = this.#lastWrite.then(async () => {
      if (this.#sink === undefined) throw notRunning();
      const news = recordsOf().filter((record) => isNewer(record, this.#current.get(record.name)));
      const isOld = ({ until }: StoredRecord<Spec>) => until + recordTimes.forget < this.#clock.wall();
      const old = [...this.#current.values()].filter(isOld);
      if (news.length + old.length === 0) return;
      const next = new Map(this.#current);
      for (const { name } of old) next.delete(name);
      for (const record of news) next.set(record.name, record);
      await write(this.#file, [...next.values()]);
      this.#current = next;
      this.#emitChanges();
    });
    this.#lastWrite = done.catch(() => {});
    return done;
  }

  /** Tells the mesh what differs from what it was told. */
  #emitChanges(): void {
    const at = this.#clock.now();
    const wall = this.#clock.wall();
    const { endsByClock } = this.#kind;
    const standing = [...this.#current.values()].flatMap(({ name, spec, until }) =>
      spec === null || (endsByClock && until <= wall) ? [] : [{ name, spec, until }],
    );
    const now = new Map(standing.map(({ name, spec }) => [name, spec]));
    const changes: Change[] = [];
    for (const [name, spec] of now)
      if (this.#inForce.get(name) !== spec)
        changes.push({ type: 'upsert', object: this.#kind.objectOf(name, spec), at });
    for (const name of this.#inForce.keys())
      if (!now.has(name)) changes.push({ type: 'delete', ref: this.#kind.refOf(name), at });
    this.#inForce = now;
    if (changes.length > 0) this.#sink?.changes(changes);
    if (endsByClock) this.#lookAtEnd(Math.min(...standing.map(({ until }) => until)) - wall);
  }

  #lookAtEnd(inMs: number): void {
    this.#timer?.cancel();
    if (this.#sink === undefined || inMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.after(Math.min(inMs, recordTimes.clockMax), () => this.#emitChanges());
  }

  async #follow(peer: RecordsPeer, signal: AbortSignal, heard: () => void): Promise<void> {
    let answers = true;
    while (!signal.aborted) {
      try {
        await this.#pull(peer, signal);
        answers = true;
        heard();
      } catch (reason) {
        const error = MeshError.from(reason).message;
        if (answers && !signal.aborted)
          this.#logger.warn(`${this.#kind.plural} of another control plane are unknown`, {
            peer: peer.name,
            error,
          });
        answers = false;
      }
      await sleep(this.#clock, recordTimes.pull, signal).catch(() => {});
    }
  }

  async #pull(peer: RecordsPeer, signal: AbortSignal): Promise<void> {
    const late = new AbortController();
    const timer = this.#clock.after(recordTimes.answerMax, () => late.abort());
    try {
      const raw = await peer.pull(AbortSignal.any([signal, late.signal]));
      const records = readSentRecords(this.#kind, raw, this.#clock.wall());
      await this.#applyNewer(() => records);
    } finally {
      timer.cancel();
    }
  }

  /** Forgets ended ones even if nothing new arrives. */
  #forgetEnded(signal: AbortSignal): void {
    if (signal.aborted) return;
    void this.#applyNewer(() => []).catch(({ message }: Error) =>
      this.#logger.warn(`ended ${this.#kind.plural} could not be forgotten: tried again later`, {
        error: message,
      }),
    );
    this.#clock.after(recordTimes.look, () => this.#forgetEnded(signal));
  }
}

type Loaded = { readonly raw: unknown } | { readonly fault: string };

/** Far above the size of records: some 300 bytes each. */
const fileBytesMax = 64 * 2 ** 20;

async function load(file: string): Promise<Loaded> {
  try {
    const handle = await openRegular(file);
    const bytes = await readOpened(handle, fileBytesMax).finally(() => handle.close());
    return { raw: JSON.parse(bytes.toString('utf8')) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { raw: [] };
    return { fault: (cause as Error).message };
  }
}

/** On disk when it resolves. Throws MeshError `unavailable`. */
async function write(file: string, records: readonly StoredRecord<unknown>[]): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await replaceFile(file, `${JSON.stringify(records)}\n`, { isDurable: true });
  } catch (cause) {
    const message = `${file} cannot be written: ${(cause as Error).message}; nothing was changed`;
    throw new MeshError('unavailable', message, { ref: file, cause });
  }
}

function notRunning(): MeshError {
  return new MeshError('unavailable', 'the control plane is starting or closing: try again');
}
