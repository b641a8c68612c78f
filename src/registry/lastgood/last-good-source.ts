import { type Clock, sleep, type Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import type { Finding } from '../../model/finding.ts';
import { type Change, type MeshObject, refKey, refOf } from '../../model/object.ts';
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
import { passOnFacets } from './pass-on-facets.ts';
import { createRetainedObjects } from './retained-objects.ts';
import { createSavedState, looksLost } from './saved-state.ts';
import { inOrderOfStart, inSlices } from './slices.ts';
import { confirmSnapshot, type SavedSnapshot, snapshotPath, writeSnapshot } from './snapshot-file.ts';

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
  /**
   * For a source that waits for its input instead of rejecting: after this time, in milliseconds, a start
   * uses the last good state, if there is one, and the source takes over when it has synced.
   */
  readonly startMs?: number;
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
  const saved = file === undefined ? undefined : createSavedState({ file, idc, clock, logger });
  let outer: Sink | undefined;
  let snapshot: SavedSnapshot | undefined;
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
      why === undefined || why === awayReason()
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
    outer?.problems([...own, ...(saved?.refusal ? [saved.refusal] : []), ...innerProblems], innerDoubt);
  }

  function reason(): string | undefined {
    const held = retained.missing.size;
    if (unreachable !== undefined)
      return `cannot be reached: ${unreachable}. In force is its last good state, ${held} objects, ${age()}. Bring it back; it takes over by itself.`;
    if (retained.heldSince === undefined) return awayReason();
    const release = `or, if they are meant to be deleted, ${confirmWords}`;
    return `${held} of ${retained.inForce.size} objects are missing in it at once: they stay in force as they last were. Bring them back; ${release}.`;
  }

  /** Why a source that goes on with what it last heard cannot be reached now. It tells of it itself. */
  function awayReason(): string | undefined {
    const { lastGood } = inner.facets;
    return lastGood === 'none' ? undefined : lastGood.status().reason;
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
    if (retained.missing.size > 0 || unreachable !== undefined || awayReason() !== undefined) {
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
      if (live) emit(retained.apply(batch));
      else for (const change of batch) starting.push(change);
    },
    problems(list, doubt) {
      innerProblems = list;
      innerDoubt = doubt;
      if (live || options.startMs !== undefined) reportProblems();
    },
    progress: () => (live ? outer?.progress?.() : undefined),
    confirmed: (then) => (live ? outer?.confirmed?.(then) : void asking.push(then)),
  };
  /** Questions about what was told of and not passed on yet. */
  const asking: (() => void)[] = [];
  let starting: Change[] = [];

  /** What the source told of until it had synced, taken over. */
  async function applyInSlices(aborted: AbortSignal): Promise<Change[]> {
    const told = starting.filter(({ type }) => type !== 'synced');
    starting = [];
    const first: Change[] = [];
    const take = (slice: readonly Change[]) => {
      for (const change of retained.apply(slice)) first.push(change);
    };
    take(await inSlices(told, aborted, take));
    return first;
  }

  const pass = (slice: readonly Change[]) => outer?.changes(slice);

  /** Passes all on, and what the source told of meanwhile; from then on it is live. */
  async function emitAll(changes: readonly Change[], aborted: AbortSignal): Promise<void> {
    const last = await inSlices(inOrderOfStart(changes), aborted, pass);
    if (aborted.aborted) return;
    live = true;
    const meanwhile = retained.apply(starting.filter(({ type }) => type !== 'synced'));
    starting = [];
    emit([...last, ...meanwhile]);
    for (const then of asking.splice(0)) outer?.confirmed?.(then);
  }

  /** Starts the source; its changes are held back until it is synced. */
  async function attempt(aborted: AbortSignal): Promise<MeshError | undefined> {
    starting = [];
    asking.length = 0;
    try {
      await inner.start(sink, aborted);
      return undefined;
    } catch (cause) {
      return MeshError.from(cause);
    }
  }

  /**
   * The first attempt, as far as it is waited for: with a last good state not longer than `startMs`. Then it
   * goes on, and `later` is its end.
   */
  async function firstAttempt(aborted: AbortSignal): Promise<{ failed?: MeshError; later?: typeof running }> {
    const running = attempt(aborted);
    const { startMs } = options;
    const end = (failed: MeshError | undefined) => (failed === undefined ? {} : { failed });
    if (startMs === undefined || snapshot === undefined) return end(await running);
    const stop = new AbortController();
    const late = sleep(clock, startMs, stop.signal).then(() => 'late' as const);
    late.catch(() => {});
    const ended = await Promise.race([running, late]);
    stop.abort();
    if (ended !== 'late') return end(ended);
    const why = awayReason() ?? `it has not told of all its objects within ${startMs / 1000} s`;
    return { failed: new MeshError('late', why), later: running };
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

  async function contentsOf(onIdcs?: (idcs: readonly MeshObject[]) => void): Promise<readonly MeshObject[]> {
    if (saved === undefined || snapshot === undefined) return [];
    const contents = await saved.read(onIdcs);
    if (contents === undefined) snapshot = undefined;
    return contents ?? [];
  }

  async function retry(aborted: AbortSignal, begun?: Promise<MeshError | undefined>): Promise<void> {
    if (begun === undefined) inner = options.open();
    const failure = await (begun ?? attempt(aborted));
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
    logger.info('the source is back', { source: name });
    const first = await applyInSlices(aborted);
    await emitAll(first, aborted);
    if (aborted.aborted) return;
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
      snapshot = await saved?.find();
      const { failed, later } = await firstAttempt(aborted);
      if (aborted.aborted) return;
      if (failed === undefined) {
        const told = starting;
        const first = await applyInSlices(aborted);
        const isLost = snapshot !== undefined && looksLost(told, snapshot.header, timing.loss);
        const lost = isLost ? await contentsOf() : [];
        retained.restore(lost.filter((object) => !retained.inForce.has(refKey(refOf(object)))));
        const kept = [...retained.missing].map((key) => retained.inForce.get(key) as MeshObject);
        await emitAll([...upserts(kept), ...first, synced()], aborted);
        return;
      }
      const contents = await contentsOf((idcs) => outer?.changes(upserts(idcs)));
      if (contents.length === 0) {
        // No state to start from: a first start is reported too.
        const refusal = saved?.refusal;
        const words = refusal === undefined ? '' : ` (${refusal.where}: ${refusal.message})`;
        const { code, message, ref = name } = failed;
        throw new MeshError(code, `${message}${words}`, { ref, cause: failed });
      }
      unreachable = failed.message;
      retained.setReachable(false);
      retained.restore(contents);
      logger.error('the source cannot be reached: started from its last good state', {
        ...{ source: name, reason: failed.message, objects: contents.length },
        knownGoodAt: snapshot && new Date(snapshot.knownGoodAt).toISOString(),
      });
      const last = await inSlices(inOrderOfStart([...upserts(contents), synced()]), aborted, pass);
      if (aborted.aborted) return;
      emit(last);
      if (later !== undefined) void retry(aborted, later);
      else clock.after(timing.retryMs, () => void retry(aborted));
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
      ...passOnFacets(() => inner),
      deletionGuard: { confirm: confirmDeletes },
      lastGood: { status: lastGoodStatus },
    },
  };

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
