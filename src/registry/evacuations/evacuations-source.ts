import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { openRegular, readOpened } from '../../base/files/bounded-file.ts';
import { replaceFile } from '../../base/files/replace-file.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import type { Evacuation } from '../../model/evacuation.ts';
import type { Change } from '../../model/object.ts';
import { noFacets, type Sink, type Source } from '../source.ts';
import {
  type EvacuationRecord,
  evacuationOf,
  fieldsOf,
  isNewer,
  readRecords,
  readSentRecords,
  type SentRecord,
} from './evacuation-record.ts';

/** Another control plane of this IDC, as a source of records. */
export interface EvacuationPeer {
  readonly name: string;
  /** Throws MeshError when it does not answer. */
  pull(signal: AbortSignal): Promise<unknown>;
}

/** Evacuations put by the API, as a source. */
export interface EvacuationsSource extends Source {
  /**
   * Puts or replaces an evacuation; resolves once it is on disk and was pushed. Throws MeshError `invalid`
   * for an invalid spec, `exhausted` for a new name when too many were put recently, `unavailable` if the
   * disk fails or before `start`; then nothing has changed. With `isStanding` it throws `not-found` if none
   * of the name is in force: one that has ended, here or at a peer, is not restored.
   */
  put(name: string, spec: unknown, mustBeInForce?: boolean): Promise<Evacuation>;
  /**
   * Makes one in force end this many milliseconds from now. Throws MeshError `not-found` if there is none,
   * and as `put`.
   */
  renew(name: string, forMs: number): Promise<void>;
  /** Ends an evacuation; returns whether there was one. Throws MeshError `unavailable`, as `put`. */
  end(name: string): Promise<boolean>;
  /** All records, for peers: also ended ones, as long as an older record could still apply. */
  records(): readonly SentRecord[];
  has(name: string): boolean;
}

/** What the source needs. */
interface EvacuationsOptions {
  /** A JSON file, created if missing. */
  readonly file: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly peers?: readonly EvacuationPeer[];
}

/** Times, in milliseconds. */
export const evacuationTimes = {
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
} as const;

/** Most records, including ended ones, with which a new name is accepted. */
const recordsMax = 1_000;

/** Creates the `evacuations` source. */
export function createEvacuationsSource(options: EvacuationsOptions): EvacuationsSource {
  const { file, clock, logger = silentLogger, peers = [] } = options;
  let current: ReadonlyMap<string, EvacuationRecord> = new Map();
  let sink: Sink | undefined;
  let lastWrite: Promise<unknown> = Promise.resolve();

  /** Applies newer records, one call after the other: first on disk, then in force. */
  function applyNewer(recordsOf: () => readonly EvacuationRecord[]): Promise<void> {
    const done = lastWrite.then(async () => {
      if (sink === undefined) throw notRunning();
      const news = recordsOf().filter((record) => isNewer(record, current.get(record.name)));
      const old = [...current.values()].filter((one) => one.until + evacuationTimes.forget < clock.wall());
      if (news.length + old.length === 0) return;
      const next = new Map(current);
      for (const { name } of old) next.delete(name);
      for (const record of news) next.set(record.name, record);
      await write(file, [...next.values()]);
      const before = current;
      current = next;
      emitChanges(before);
    });
    lastWrite = done.catch(() => {});
    return done;
  }

  function emitChanges(before: ReadonlyMap<string, EvacuationRecord>): void {
    const at = clock.now();
    const changes: Change[] = [];
    for (const record of current.values()) {
      if (record.spec !== null && before.get(record.name) !== record)
        changes.push({ type: 'upsert', object: evacuationOf(record.name, record.spec), at });
    }
    for (const { name, spec } of before.values())
      if (spec !== null && !current.get(name)?.spec)
        changes.push({ type: 'delete', ref: { kind: 'Evacuation', namespace: '', name }, at });
    if (changes.length > 0) sink?.changes(changes);
  }

  /** Later than the current record, and than one that another control plane may have written meanwhile. */
  const editAfter = (name: string) => Math.max((current.get(name)?.edit ?? 0) + 1, Math.floor(clock.wall()));

  /** The evacuation in force of a name. Throws MeshError `not-found`. */
  function inForceNow(name: string) {
    const record = current.get(name);
    if (record?.spec && record.until > clock.wall()) return { ...record, spec: record.spec };
    throw new MeshError('not-found', `evacuation ${name} is not in force: it has ended, or was ended`);
  }

  async function pull(peer: EvacuationPeer, signal: AbortSignal): Promise<void> {
    const late = new AbortController();
    const timer = clock.after(evacuationTimes.answerMax, () => late.abort());
    try {
      const records = readSentRecords(await peer.pull(AbortSignal.any([signal, late.signal])), clock.wall());
      await applyNewer(() => records);
    } finally {
      timer.cancel();
    }
  }

  async function follow(peer: EvacuationPeer, signal: AbortSignal, heard: () => void): Promise<void> {
    let answers = true;
    while (!signal.aborted) {
      try {
        await pull(peer, signal);
        answers = true;
        heard();
      } catch (reason) {
        const error = MeshError.from(reason).message;
        if (answers && !signal.aborted)
          logger.warn('evacuations of another control plane are unknown', { peer: peer.name, error });
        answers = false;
      }
      await sleep(clock, evacuationTimes.pull, signal).catch(() => {});
    }
  }

  /** Forgets ended ones even if nothing new arrives. */
  function forgetEnded(signal: AbortSignal): void {
    if (signal.aborted) return;
    void applyNewer(() => []).catch(({ message }: Error) =>
      logger.warn('ended evacuations could not be forgotten: tried again later', { error: message }),
    );
    clock.after(evacuationTimes.look, () => forgetEnded(signal));
  }

  async function start(to: Sink, signal: AbortSignal): Promise<void> {
    const read = await load(file);
    if (signal.aborted) return;
    if ('fault' in read)
      to.problems([
        { code: 'EvacuationsUnreadable', severity: 'error', where: file, path: '', message: read.fault },
      ]);
    else current = new Map(read.records.map((record) => [record.name, record]));
    sink = to;
    signal.addEventListener('abort', () => {
      sink = undefined;
    });
    emitChanges(new Map());
    clock.after(evacuationTimes.look, () => forgetEnded(signal));
    const first = peers.map((peer) => new Promise<void>((heard) => void follow(peer, signal, heard)));
    const waited = new Promise<void>((done) => clock.after(evacuationTimes.startWait, done));
    const ready = Promise.race([Promise.all(first), waited]).then(() => {
      sink?.changes([{ type: 'synced', source: 'evacuations', at: clock.now() }]);
    });
    // Two control planes that start together must not wait for each other.
    if (peers.length === 0) await ready;
  }

  return {
    name: 'evacuations',
    start,
    *objects() {
      for (const { name, spec } of current.values()) if (spec !== null) yield evacuationOf(name, spec);
    },
    repair: (batch) => sink?.changes(batch),
    facets: noFacets,
    async put(name, spec, mustBeInForce = false) {
      const object = evacuationOf(name, spec);
      if (!current.has(name) && current.size >= recordsMax) {
        const message = `${recordsMax} evacuations have been put lately under other names: use one of these, or try again when they are forgotten, an hour after their ends`;
        throw new MeshError('exhausted', message);
      }
      const fields = fieldsOf(name, spec);
      // The next edit number without the clock: somebody who ended it at a peer meanwhile has a later one.
      const edit = () => (mustBeInForce ? inForceNow(name).edit + 1 : editAfter(name));
      await applyNewer(() => [
        { name, edit: edit(), by: randomUUID(), spec: fields, until: object.spec.expiresAt },
      ]);
      return object;
    },
    async renew(name, forMs) {
      await applyNewer(() => {
        const { spec: before, edit } = inForceNow(name);
        const until = Math.ceil(clock.wall() + forMs);
        const spec = { ...before, expires: new Date(until).toISOString() };
        evacuationOf(name, spec);
        return [{ name, edit: edit + 1, by: randomUUID(), spec, until }];
      });
    },
    async end(name) {
      const was = current.get(name);
      if (!was?.spec) return false;
      await applyNewer(() => [
        { name, edit: editAfter(name), by: randomUUID(), spec: null, until: was.until },
      ]);
      return true;
    },
    records() {
      const at = Math.floor(clock.wall());
      return [...current.values()].map((record) => ({ ...record, at }));
    },
    has: (name) => Boolean(current.get(name)?.spec),
  };
}

type Loaded = { readonly records: readonly EvacuationRecord[] } | { readonly fault: string };

/** Far above the size of evacuations: some 300 bytes each. */
const fileBytesMax = 64 * 2 ** 20;

async function load(file: string): Promise<Loaded> {
  try {
    const handle = await openRegular(file);
    const bytes = await readOpened(handle, fileBytesMax).finally(() => handle.close());
    return { records: readRecords(JSON.parse(bytes.toString('utf8'))) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { records: [] };
    const why = (cause as Error).message;
    return { fault: `cannot be read (${why}), so earlier evacuations are not in force: put them again.` };
  }
}

/** On disk when it resolves. Throws MeshError `unavailable`. */
async function write(file: string, records: readonly EvacuationRecord[]): Promise<void> {
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
