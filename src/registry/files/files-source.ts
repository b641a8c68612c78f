import type { Clock, Timer } from '../../base/clock.ts';
import { sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import type { Finding } from '../../model/finding.ts';
import type { Change } from '../../model/object.ts';
import {
  createLossGuard,
  type LossRule,
  type LossVerdict,
  losesAllInstances,
  lossRule,
} from '../lastgood/loss-guard.ts';
import { findSoleObjects } from '../lastgood/sole-objects.ts';
import { type DeletionGuard, noFacets, type Sink, type Source, type SourceFacets } from '../source.ts';
import type { HalfWrittenRule } from './file-reader.ts';
import { createFolder } from './folder.ts';
import { draftsOf, incompleteKindsOf, reportFindings, unreadableFolder } from './folder-report.ts';
import { createWatchers } from './watchers.ts';

/** Times of the source, in milliseconds. */
export interface FilesTiming extends HalfWrittenRule {
  /** Interval of scans of the whole folder, for missed events. */
  readonly rescanMs: number;
  /** The same, while the folder cannot be read. */
  readonly retryMs: number;
  readonly loss: LossRule;
}

/** Stated in docs/files-source.md. */
export const filesTiming: FilesTiming = {
  rescanMs: 5000,
  retryMs: 250,
  unchangedMs: 25,
  unchangedMsMax: 1000,
  loss: lossRule,
};

/** A folder of YAML as a source. */
export interface FilesSource extends Source {
  /**
   * `deletionGuard.confirm`: the operator confirms that objects whose deletion is held are meant to be
   * deleted; all objects, while the folder cannot be read.
   */
  readonly facets: SourceFacets & { readonly deletionGuard: DeletionGuard };
}

/** What a files source needs. */
interface FilesOptions {
  /** The folder, as messages name it. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** How long the deletion of a sole object is delayed, in milliseconds; absent: as `lossRule` has it. */
  readonly soleMs?: number;
}

/**
 * Creates the `files` source: a watched folder of YAML or JSON. `start` rejects with a MeshError if the
 * folder is missing or unreadable. `seam` is for tests only. docs/files-source.md says what is read when, and
 * which deletions are held.
 */
export function createFilesSource(options: FilesOptions, seam: Partial<FilesTiming> = {}): FilesSource {
  const { clock, logger = silentLogger } = options;
  const { loss, ...times } = { ...filesTiming, ...seam };
  const timing = { ...times, loss: { ...loss, soleMs: options.soleMs ?? loss.soleMs } };
  const folder = createFolder(options.folder, timing);
  const { catalog } = folder;
  const guard = createLossGuard(timing.loss);
  const watchers = createWatchers(options.folder, notice);
  // Paths of events not read yet → when the first event was noticed.
  let noticed = new Map<string, number>();
  let rescanSince: number | undefined;
  let rescannedAt = 0;
  // Identity of the folder in which the objects were read; another one means that it was unmounted.
  let rootIdentity: string | undefined;
  let reported: readonly Finding[] = [];
  let reportedState = '';
  let timer: Timer | undefined;
  let live: { readonly sink: Sink; readonly signal: AbortSignal } | undefined;
  let running = false;
  let awake = false;

  function notice(path: string | undefined): void {
    const now = clock.now();
    if (path === undefined) rescanSince ??= now;
    else if (!noticed.has(path)) noticed.set(path, now);
    wake();
  }

  function wake(): void {
    awake = true;
    if (live !== undefined && !running) void run(live.sink, live.signal);
  }

  /** Single-flight, until nothing is left to read. */
  async function run(sink: Sink, signal: AbortSignal): Promise<void> {
    running = true;
    try {
      while (awake && !signal.aborted) {
        awake = false;
        const { since, changed } = await readChanged();
        if (!signal.aborted) applyRead(sink, since, changed);
      }
    } catch (reason) {
      const error = MeshError.from(reason).message;
      logger.error('reading the folder failed; it is tried again', { folder: options.folder, error });
      schedule(timing.rescanMs);
    } finally {
      running = false;
    }
  }

  /** Reads what may have changed; `since`: when the earliest event was noticed. */
  async function readChanged(): Promise<{ since: number; changed: boolean }> {
    const events = noticed;
    noticed = new Map();
    const reads = new Set<string>();
    let since = clock.now();
    // Before deleting anything, check that the folder itself still exists.
    if (catalog.missing.size > 0) rescanSince ??= since;
    for (const [path, at] of events) {
      const what = await folder.classify(path);
      if (what === 'nothing') continue;
      since = Math.min(since, at);
      if (what === 'file') reads.add(path);
      else rescanSince = Math.min(rescanSince ?? at, at);
    }
    if (rescanSince !== undefined) {
      since = Math.min(since, rescanSince);
      rescanSince = undefined;
      rescannedAt = clock.now();
      for (const path of await folder.rescan()) reads.add(path);
      // Files created in a new folder before it was watched caused no event: scan again.
      const isNew = watchers.update(folder.unreachable === undefined ? folder.scan.folders : new Map());
      if (isNew) for (const path of await folder.rescan()) reads.add(path);
    }
    return { since, changed: await folder.read(reads, clock.now()) };
  }

  /** Applies what is accepted, tells the sink, and schedules the next read. */
  function applyRead(sink: Sink, since: number, changed: boolean): void {
    const root = folder.scan.folders.get('');
    const verdict = guard.decide({
      now: clock.now(),
      missing: catalog.missing,
      inForce: catalog.size,
      found: catalog.foundCount,
      isFound: catalog.isFound,
      isReplaced: catalog.isReplaced,
      sole: () => findSoleObjects(catalog.missingObjects(), catalog.objects()),
      allInstances: losesAllInstances(catalog.missing, catalog.objects()),
      replaced: root !== rootIdentity,
      readable: folder.unreachable === undefined,
    });
    if (catalog.foundCount > 0) rootIdentity = root;
    const { deletes, upserts } = catalog.applyClaims(verdict.remove);
    const batch: Change[] = [
      ...deletes.map((ref): Change => ({ type: 'delete', ref, at: verdict.since })),
      ...upserts.map((object): Change => ({ type: 'upsert', object, at: since })),
    ];
    if (batch.length > 0) sink.changes(batch);
    reportProblems(sink, verdict, changed || batch.length > 0);
    const nextMs = untilRescan();
    schedule(
      Math.min(
        nextMs,
        verdict.checkAgainMs ?? nextMs,
        folder.halfWritten.size > 0 ? timing.unchangedMs : nextMs,
      ),
    );
  }

  function reportProblems(sink: Sink, verdict: LossVerdict, changed: boolean): void {
    const held = verdict.held ? catalog.missing.size : 0;
    const unreadable = [...folder.scan.unreadable].join();
    const delayed = [...verdict.delayed.keys()].join();
    const state = [
      held,
      delayed,
      catalog.missing.size,
      folder.unreachable,
      watchers.problem,
      unreadable,
    ].join();
    if (!changed && state === reportedState) return;
    reportedState = state;
    const input = {
      folder: options.folder,
      unreachable: folder.unreachable,
      unwatched: watchers.problem,
      unreadable: folder.scan.unreadable,
      isEmpty: folder.unreachable === undefined && folder.scan.files.size === 0,
      files: folder.files,
      withFindings: folder.withFindings,
      faults: catalog.faults(verdict.held ? undefined : catalog.missing),
      held,
      delayed: { objects: verdict.delayed, forMs: timing.loss.soleMs },
      inForce: catalog.size,
    };
    const problems = reportFindings(input);
    if (sameProblems(problems, reported)) return;
    reported = problems;
    const drafts = draftsOf(folder.files.values(), catalog.objects());
    sink.problems(problems, { incompleteKinds: incompleteKindsOf(input), drafts });
  }

  function untilRescan(): number {
    const everyMs = folder.unreachable === undefined ? timing.rescanMs : timing.retryMs;
    return rescannedAt + everyMs - clock.now();
  }

  function schedule(delayMs: number): void {
    timer?.cancel();
    timer = clock.after(Math.max(1, delayMs), () => {
      for (const path of folder.halfWritten)
        if (!noticed.has(path)) noticed.set(path, halfWrittenSince(path));
      if (untilRescan() <= 0) rescanSince ??= clock.now();
      wake();
    });
  }

  function halfWrittenSince(path: string): number {
    return folder.files.get(path)?.halfWritten?.first ?? clock.now();
  }

  return {
    name: 'files',
    async start(sink, signal) {
      if (signal.aborted) return;
      signal.addEventListener('abort', () => {
        timer?.cancel();
        watchers.close();
      });
      rescanSince = clock.now();
      let { since } = await readChanged();
      if (folder.unreachable !== undefined) {
        watchers.close();
        throw unreadableFolder(options.folder, folder.unreachable);
      }
      // The first state must include files that are being written during the start.
      while (folder.halfWritten.size > 0 && !signal.aborted) {
        await sleep(clock, timing.unchangedMs);
        await folder.read(folder.halfWritten, clock.now());
        since = Math.min(since, clock.now());
      }
      if (signal.aborted) return;
      applyRead(sink, since, true);
      sink.changes([{ type: 'synced', source: 'files', at: clock.now() }]);
      live = { sink, signal };
      if (awake) wake();
    },
    objects: () => catalog.objects(),
    repair: (batch) => live?.sink.changes(batch),
    facets: { ...noFacets, deletionGuard: { confirm: confirmDeletes } },
  };

  function confirmDeletes(): number {
    const isGone = folder.unreachable !== undefined;
    if (isGone) folder.clear();
    const count = catalog.missing.size;
    if (count > 0) guard.confirm();
    wake();
    return count;
  }
}

function sameProblems(a: readonly Finding[], b: readonly Finding[]): boolean {
  return (
    a.length === b.length &&
    a.every((problem, index) => {
      const other = b[index];
      return (
        problem === other ||
        (problem.severity === other?.severity &&
          problem.where === other.where &&
          problem.path === other.path &&
          problem.message === other.message)
      );
    })
  );
}
