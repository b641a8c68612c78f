import { mkdir } from 'node:fs/promises';
import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import type { Finding } from '../../model/finding.ts';
import { type Change, type MeshObject, type Ref, refKey, refOf } from '../../model/object.ts';
import {
  type DeletionGuard,
  type LastGoodStatus,
  noFacets,
  type ReadGaps,
  type Sink,
  type Source,
  type SourceFacets,
} from '../source.ts';
import { confirmWords } from './confirm-words.ts';
import { describeDelay } from './describe-delay.ts';
import { type LossRule, lossRule } from './loss-guard.ts';
import { createRetainedObjects } from './retained-objects.ts';
import {
  confirmSnapshot,
  readHeader,
  readSnapshot,
  type SavedSnapshot,
  setAside,
  snapshotPath,
  writeSnapshot,
} from './snapshot-file.ts';

/** A source that survives the loss of its input. */
interface LastGoodSource extends Source {
  readonly facets: SourceFacets & {
    readonly deletionGuard: DeletionGuard;
    readonly lastGood: { status(): LastGoodStatus };
  };
}

/** What it needs. */
interface LastGoodOptions {
  /** Opens the source; called again for each attempt while it cannot be reached. */
  readonly open: () => Source;
  /** The folder of snapshots, created if missing. Absent: nothing is stored. */
  readonly folder?: string;
  readonly idc: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /**
   * How long an object that is missing since the last start, and that nothing serves in place of, stays in
   * force, in milliseconds; absent: as `lossRule` has it. Not for deletions that a source tells: they are
   * meant.
   */
  readonly soleMs?: number;
}

/** Milliseconds. */
export interface LastGoodTiming {
  /** Shortest time between two writes of the snapshot. */
  readonly writeMsMin: number;
  /** Interval of attempts to reach the source. */
  readonly retryMs: number;
  /** Interval of marking an unchanged snapshot as current. */
  readonly confirmMs: number;
  readonly loss: LossRule;
}

/** Stated in docs/lastgood.md. */
export const lastGoodTiming: LastGoodTiming = {
  writeMsMin: 1_000,
  retryMs: 1_000,
  confirmMs: 10_000,
  // An API source has no renames to wait for.
  loss: { ...lossRule, settleMs: 0 },
};

/**
 * Wraps a source. Its state is written to disk when it changes; a start without the source, or with nearly
 * nothing in it, uses that state, reports so, and lets the source take over when it is back. A source without
 * a deletion guard gets one: the loss of very many objects at once is held. `seam` is for tests only.
 */
export function keepLastGood(options: LastGoodOptions, seam: Partial<LastGoodTiming> = {}): LastGoodSource {
  const { clock, idc, logger = silentLogger } = options;
  const { loss, ...times } = { ...lastGoodTiming, ...seam };
  let inner = options.open();
  const { name } = inner;
  const guardsDeletes = inner.facets.deletionGuard === 'none';
  const soleMs = guardsDeletes ? 0 : (options.soleMs ?? loss.soleMs);
  const timing = { ...times, loss: { ...loss, soleMs } };
  const file = options.folder === undefined ? undefined : snapshotPath(options.folder, name);
  let outer: Sink | undefined;
  let snapshot: SavedSnapshot | undefined;
  let refusal: Finding | undefined;
  let innerProblems: readonly Finding[] = [];
  let innerDoubt: ReadGaps | undefined;
  let unreachable: string | undefined;
  /** Why the last write failed. */
  let unwritten: string | undefined;
  let live = false;
  let dirty = false;
  let writing = false;
  let writtenAt = Number.NEGATIVE_INFINITY;
  let timer: Timer | undefined;
  let repaired = 0;

  const retained = createRetainedObjects({
    clock,
    rule: timing.loss,
    guardsDeletes,
    onRelease: (batch) => emit(batch),
  });

  function emit(batch: readonly Change[]): void {
    if (batch.length > 0) outer?.changes(batch);
    if (batch.some(({ type }) => type !== 'synced')) dirty = true;
    reportProblems();
    schedule();
  }

  function reportProblems(): void {
    const why = reason();
    const own: Finding[] =
      why === undefined
        ? []
        : [{ code: 'SourceNotCurrent', severity: 'error', where: `source ${name}`, path: '', message: why }];
    const delayed = retained.delayed;
    if (delayed.size > 0) {
      const message = describeDelay(
        { objects: delayed, forMs: soleMs },
        'missing in it since the last start',
      );
      own.push({ code: 'DeletionDelayed', severity: 'warning', where: `source ${name}`, path: '', message });
    }
    if (unwritten !== undefined) {
      const message = `${unwritten}. Until then a start without the source has ${snapshot === undefined ? 'nothing' : 'an older state'}; it is tried again each second`;
      own.push({ code: 'StateNotWritten', severity: 'error', where: `source ${name}`, path: '', message });
    }
    outer?.problems([...own, ...(refusal ? [refusal] : []), ...innerProblems], innerDoubt);
  }

  function reason(): string | undefined {
    const held = retained.missing.size;
    if (unreachable !== undefined)
      return `cannot be reached: ${unreachable}. In force is its last good state, ${held} objects, ${age()}. Bring it back; it takes over by itself.`;
    if (retained.heldSince === undefined) return undefined;
    const release = `or, if they are meant to be deleted, ${confirmWords}`;
    return `${held} of ${retained.inForce.size} objects are missing in it at once: they stay in force as they last were. Bring them back; ${release}.`;
  }

  function age(): string {
    if (snapshot === undefined) return 'of this run';
    return `known to be good until ${new Date(snapshot.knownGoodAt).toISOString()}`;
  }

  /** Writes after a change, else marks the snapshot as current; neither while objects are held. */
  function schedule(): void {
    if (file === undefined || writing || timer !== undefined || !live || stopped()) return;
    const dueMs = dirty ? writtenAt + timing.writeMsMin - clock.now() : timing.confirmMs;
    timer = clock.after(Math.max(0, dueMs), () => {
      timer = undefined;
      void save(file);
    });
  }

  async function save(to: string): Promise<void> {
    if (retained.missing.size > 0 || unreachable !== undefined) {
      writtenAt = clock.now();
      return schedule();
    }
    writing = true;
    const wallMs = clock.wall();
    try {
      if (dirty || snapshot === undefined) {
        dirty = false;
        const header = await writeSnapshot(to, [...retained.inForce.values()], { idc, source: name, wallMs });
        snapshot = { header, knownGoodAt: wallMs };
      } else {
        await confirmSnapshot(to, wallMs);
        snapshot = { ...snapshot, knownGoodAt: wallMs };
      }
      noteWrite(undefined);
    } catch (cause) {
      dirty = true;
      noteWrite(MeshError.from(cause).message);
    }
    writtenAt = clock.now();
    writing = false;
    schedule();
  }

  /** Told once, not at each try: a full disk may last for days. `why`: the failure of a write. */
  function noteWrite(why: string | undefined): void {
    if (why === unwritten) return;
    if (why === undefined) logger.info('the last good state is written again', { source: name });
    else logger.error('last good state not written; it is tried again', { error: why });
    unwritten = why;
    reportProblems();
  }

  let signal: AbortSignal | undefined;
  const stopped = () => signal?.aborted === true;

  const sink: Sink = {
    changes(batch) {
      if (!live) starting.push(...batch);
      else emit(retained.apply(batch));
    },
    problems(list, doubt) {
      innerProblems = list;
      innerDoubt = doubt;
      if (live) reportProblems();
    },
  };
  let starting: Change[] = [];

  /** Starts the source; its changes are held back until it is synced. */
  async function attempt(aborted: AbortSignal): Promise<MeshError | undefined> {
    starting = [];
    try {
      await inner.start(sink, aborted);
      return undefined;
    } catch (cause) {
      return MeshError.from(cause);
    }
  }

  /** The objects that should be in force: the source's, and held ones. */
  function* objects(): Iterable<MeshObject> {
    if (!live || unreachable !== undefined) return yield* retained.inForce.values();
    yield* inner.objects();
    for (const key of retained.missing) {
      const object = retained.inForce.get(key);
      if (object !== undefined) yield object;
    }
  }

  async function findSnapshot(): Promise<SavedSnapshot | undefined> {
    if (file === undefined) return undefined;
    await mkdir(options.folder as string, { recursive: true }).catch((cause: Error) => {
      const message = `the folder of --state cannot be made: ${cause.message}; give another one, or make this one writable`;
      throw new MeshError('unavailable', message, { cause });
    });
    return refusing(file, async () => {
      const found = await readHeader(file);
      if (found !== undefined && found.header.idc !== idc)
        throw new MeshError('invalid', `the last good state is not used: it is of IDC ${found.header.idc}`);
      return found;
    });
  }

  async function contentsOf(onIdcs?: (idcs: readonly MeshObject[]) => void): Promise<readonly MeshObject[]> {
    if (file === undefined || snapshot === undefined) return [];
    const read = await refusing(file, () => readSnapshot(file, onIdcs));
    if (read === undefined) snapshot = undefined;
    return read?.contents ?? [];
  }

  /** An unusable file is reported and set aside; the start continues without it. */
  async function refusing<T>(path: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (cause) {
      const aside = await setAside(path, clock.wall()).catch(() => path);
      const message = `${MeshError.from(cause).message}. It was set aside.`;
      refusal = { code: 'SnapshotRefused', severity: 'error', where: aside, path: '', message };
      logger.error('last good state refused', { file: aside, reason: message });
      return undefined;
    }
  }

  /** Whether the source has so much less than the snapshot that the snapshot is read and compared. */
  function looksLost(batch: readonly Change[], header: SavedSnapshot['header']): boolean {
    const found = batch.filter(({ type }) => type === 'upsert').length;
    const instances = batch.filter(
      (one) => one.type === 'upsert' && one.object.kind === 'WorkloadEntry',
    ).length;
    const { objectsMin, shareMax } = timing.loss;
    const lost = header.objects - found;
    return (
      (soleMs > 0 && lost > 0) ||
      (found === 0 && lost > 0) ||
      (instances === 0 && header.instances > 1) ||
      (lost >= objectsMin && lost > header.objects * shareMax)
    );
  }

  async function retry(aborted: AbortSignal): Promise<void> {
    inner = options.open();
    const failure = await attempt(aborted);
    if (aborted.aborted) return;
    if (failure !== undefined) {
      if (failure.message !== unreachable) {
        unreachable = failure.message;
        reportProblems();
      }
      clock.after(timing.retryMs, () => void retry(aborted));
      return;
    }
    unreachable = undefined;
    const first = retained.apply(starting.filter(({ type }) => type !== 'synced'));
    logger.info('the source is back', {
      source: name,
      objects: retained.inForce.size - retained.missing.size,
    });
    live = true;
    emit(first);
    retained.setReachable(true);
    emit([]);
  }

  return {
    name,
    async start(to, aborted) {
      outer = to;
      signal = aborted;
      aborted.addEventListener('abort', () => {
        timer?.cancel();
        retained.close();
      });
      snapshot = await findSnapshot();
      const failed = await attempt(aborted);
      if (aborted.aborted) return;
      if (failed === undefined) {
        const first = retained.apply(starting.filter(({ type }) => type !== 'synced'));
        const lost = snapshot !== undefined && looksLost(starting, snapshot.header) ? await contentsOf() : [];
        retained.restore(lost.filter((object) => !retained.inForce.has(refKey(refOf(object)))));
        const kept = [...retained.missing].map((key) => retained.inForce.get(key) as MeshObject);
        live = true;
        emit([...upserts(kept), ...first, synced()]);
        return;
      }
      const contents = await contentsOf((idcs) => outer?.changes(upserts(idcs)));
      if (contents.length === 0) {
        // No state to start from: a first start is reported too.
        const words = refusal === undefined ? '' : ` (${refusal.where}: ${refusal.message})`;
        throw new MeshError(failed.code, `${failed.message}${words}`, {
          ref: failed.ref ?? name,
          cause: failed,
        });
      }
      unreachable = failed.message;
      retained.setReachable(false);
      retained.restore(contents);
      logger.error('the source cannot be reached: started from its last good state', {
        ...{ source: name, reason: failed.message, objects: contents.length },
        knownGoodAt: snapshot && new Date(snapshot.knownGoodAt).toISOString(),
      });
      emit([...upserts(contents), synced()]);
      clock.after(timing.retryMs, () => void retry(aborted));
    },
    objects,
    repair(batch) {
      repaired += batch.length;
      // An object that only the index has is unknown here.
      const isStray = (one: Change) => one.type === 'delete' && !retained.inForce.has(refKey(one.ref));
      emit([...retained.apply(batch.filter((one) => !isStray(one))), ...batch.filter(isStray)]);
    },
    facets: {
      ...noFacets,
      finalizers: inner.facets.finalizers === 'none' ? 'none' : { release },
      deletionGuard: { confirm: confirmDeletes },
      lastGood: { status: lastGoodStatus },
    },
  };

  /** To the source as it was opened last. */
  async function release(ref: Ref): Promise<void> {
    const { finalizers } = inner.facets;
    if (finalizers !== 'none') await finalizers.release(ref);
  }

  function confirmDeletes(): number {
    const { deletionGuard } = inner.facets;
    const count = (deletionGuard === 'none' ? 0 : deletionGuard.confirm()) + retained.confirm();
    reportProblems();
    return count;
  }

  function lastGoodStatus(): LastGoodStatus {
    const held = retained.missing.size;
    const why = reason();
    return {
      from: unreachable !== undefined ? 'snapshot' : why !== undefined ? 'both' : 'source',
      ...(why === undefined ? {} : { reason: why }),
      ...{ objects: retained.inForce.size, held, repaired },
      ...(snapshot && { writtenAt: snapshot.header.writtenAt, knownGoodAt: snapshot.knownGoodAt }),
    };
  }

  function upserts(objects: readonly MeshObject[]): Change[] {
    return objects.map((object) => ({ type: 'upsert', object, at: clock.now() }));
  }

  function synced(): Change {
    return { type: 'synced', source: name, at: clock.now() };
  }
}
