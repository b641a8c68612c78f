import type { AgreementInput } from '../agreement/agreement.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type ChangeLog, createChangeLog } from '../delivery/change-log.ts';
import type { Deletions } from '../delivery/deletion/deletions.ts';
import { createProblemLog } from '../delivery/problems/problem-log.ts';
import type { EventSink } from '../events/event.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Finding, ObjectFinding } from '../model/finding.ts';
import { type Change, type Kind, type MeshObject, refKey, refOf } from '../model/object.ts';
import { createPrecedence } from '../registry/merge/precedence.ts';
import { createReconciler, keysOf, reconcileMs, reconcileOften } from '../registry/merge/reconciler.ts';
import { peerProblems } from '../registry/registrations/describe-peers.ts';
import type { ProxyProgress, ReadGaps, Source } from '../registry/source.ts';
import { createSourceStatuses } from './findings/source-statuses.ts';
import type { Pipeline } from './pipeline.ts';

/** What a feed needs. */
interface SourceFeedOptions {
  /** In order of precedence. */
  readonly sources: readonly Source[];
  readonly pipeline: Pick<Pipeline, 'apply' | 'index' | 'revision'>;
  readonly deletions: Pick<Deletions, 'barrier' | 'expect' | 'handOver' | 'hold'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventSink;
  /** Interval of comparing the sources with the index, in milliseconds. */
  readonly reconcileMs?: number | undefined;
  /** Whether the comparison may run yet. */
  isDue(): boolean;
  /** What connected proxies have of a revision; undefined: they are not answered yet. */
  progressOf(revision: number): ProxyProgress | undefined;
  /** A batch was applied. */
  onApplied(source: Source, batch: readonly Change[]): void;
  /** A source's errors or doubts have changed. */
  onProblems(): void;
}

/** Connects the sources to the pipeline. */
export interface SourceFeed {
  /**
   * Reads the sources: resolves once each has been read, and continues until `signal` is aborted. Rejects if
   * one cannot be read.
   */
  start(signal: AbortSignal): Promise<void>;
  /** Problems of the objects of each source. */
  problems(): readonly Finding[];
  /** Objects that have no effect, as another source has one of that name. */
  conflicts(): readonly Finding[];
  /** Tells sources that ask for it what became of their objects. */
  reportStatuses(findings: readonly ObjectFinding[]): void;
  /** Kinds of which an object may be missing because of a reported error. */
  incompleteKinds(): ReadonlySet<Kind>;
  /** What is in force of all sources, and what their faults leave open. */
  agreementInput(): AgreementInput;
  /** Who asks for changes. */
  readonly asked: Pick<ChangeLog, 'asks' | 'askedBy'>;
}

/**
 * Applies the sources' changes in order of arrival, and holds deletions until proxies have confirmed them. At
 * intervals the index is compared with the sources, and repaired.
 */
export function createSourceFeed(options: SourceFeedOptions): SourceFeed {
  const { sources, pipeline, deletions, metrics, clock, logger, events } = options;
  const problemsBySource = new Map<string, readonly Finding[]>();
  const readGaps = new Map<string, ReadGaps | undefined>();
  const logProblems = createProblemLog({ clock, logger, events });
  const precedence = createPrecedence(sources.map((source) => source.name));
  const statuses = createSourceStatuses(sources, precedence.rankOf);
  const { index } = pipeline;
  const changes = createChangeLog({ clock, logger, events, contentOf: (ref) => index.contentOf(ref) });
  const reconciler = createReconciler({
    ...{ sources, clock, rankOf: precedence.rankOf },
    ...{ indexHas: (object) => index.hasExactly(object), refs: () => index.refs() },
  });

  function apply(source: Source, batch: readonly Change[]): void {
    for (const change of batch) metrics.changes.inc({ type: change.type });
    reconciler.noteEvents(batch);
    // Before the source's first deletion: proxies that it knew may still have objects deleted meanwhile.
    const { proxies, finalizers } = source.facets;
    deletions.expect(proxies === 'none' ? [] : proxies.recall());
    deletions.handOver(proxies === 'none' ? [] : proxies.takenOver());
    const before = changes.before(source.name, batch);
    const pushed = pipeline.apply(source.name, precedence.admit(sources.indexOf(source), batch));
    deletions.hold(batch, pushed, async (ref) => {
      if (finalizers !== 'none') await finalizers.release(ref);
    });
    options.onApplied(source, batch);
    changes.applied(source.name, batch, before);
  }

  function repair(batch: readonly Change[], rank: number): void {
    const source = sources[rank];
    if (source === undefined) return;
    logger.error('an event was missed: the index differed from its source; repaired', {
      source: source.name,
      objects: batch.length,
      first: keysOf(batch.slice(0, 10)),
    });
    metrics.repaired.inc({ source: source.name }, batch.length);
    source.repair(batch);
  }

  function incompleteKinds(): ReadonlySet<Kind> {
    return new Set([...readGaps.values()].flatMap((doubt) => [...(doubt?.incompleteKinds ?? [])]));
  }

  function* objectsInForce(): Iterable<MeshObject> {
    for (const [rank, source] of sources.entries())
      for (const object of source.objects())
        if (sources.length === 1 || precedence.rankOf(refKey(refOf(object))) === rank) yield object;
  }

  return {
    async start(signal) {
      const starts = sources.map((source) =>
        source.start(
          {
            changes: (batch) => apply(source, batch),
            problems(list, doubt) {
              problemsBySource.set(source.name, list);
              logProblems(source.name, list);
              readGaps.set(source.name, doubt);
              options.onProblems();
            },
            progress() {
              const revision = pipeline.revision();
              const first = options.progressOf(revision);
              return first && (() => options.progressOf(revision) ?? first);
            },
            confirmed: (then) => void deletions.barrier(false).whenReleased(then),
          },
          signal,
        ),
      );
      await Promise.all(starts);
      reconcileOften(reconciler, {
        ...{ clock, everyMs: options.reconcileMs ?? reconcileMs, signal, isDue: () => options.isDue() },
        repair: (repairs) => repairs.forEach(repair),
      });
    },
    problems: () => [
      ...sources.flatMap(({ facets: { peers } }) => (peers === 'none' ? [] : peerProblems(peers.statuses()))),
      ...[...problemsBySource.values()].flat(),
    ],
    conflicts: () => precedence.overruled().map(({ finding }) => finding),
    reportStatuses: (findings) => statuses.report(findings, precedence.overruled()),
    incompleteKinds,
    asked: changes,
    agreementInput: () => ({
      objects: objectsInForce(),
      drafts: new Map([...readGaps.values()].flatMap((doubt) => [...(doubt?.drafts ?? [])])),
      incompleteKinds: incompleteKinds(),
      wallMs: clock.wall(),
    }),
  };
}
