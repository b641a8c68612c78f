import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import { createDeletions, type Deletions } from '../delivery/deletion/deletions.ts';
import type { GuardLimits } from '../delivery/deletion/guard.ts';
import { Ledger } from '../delivery/ledger.ts';
import { describeWaiting } from '../delivery/problems/waiting.ts';
import { watchReach } from '../delivery/reach/reach.ts';
import { Roster } from '../delivery/roster.ts';
import { checkInstance } from '../failback/check.ts';
import { createFailbackKeeper, type FailbackKeeper } from '../failback/keeper.ts';
import type { FailbackStore } from '../failback/store.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { gaugeSources } from '../metrics/source-gauges.ts';
import type { Disagreement } from '../model/agreement.ts';
import { parseNodeScope } from '../model/node.ts';
import type { Ref } from '../model/object.ts';
import type { LoopPrevention } from '../model/trail.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import type { OpenedSource } from '../registry/open.ts';
import type { Problem } from '../registry/source.ts';
import { Readiness } from '../rollout/readiness.ts';
import { StartOrder } from '../rollout/start-order.ts';
import { clusterType, endpointType, extensionConfigType, listenerType, routeType } from '../serve/types.ts';
import { createXdsServer, type XdsLimits } from '../serve/xds.ts';
import { createPolicyCompiler, type PolicyCompiler } from '../trail/compile.ts';
import { guardMemory, type Heap } from './memory.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { createSourceFeed } from './source-feed.ts';
import { createStatusReader, type StatusReader, unprotected } from './status.ts';
import { answerOf, classOf, rosterStream, xdsLevels } from './streams.ts';

/** What a control plane is made of. */
export interface ControlPlaneOptions {
  /** The IDC that it stands in and decides for. */
  readonly idc: string;
  readonly sources: readonly OpenedSource[];
  /** Where ADS is served. Port 0: any. */
  readonly xds: ListenAddress;
  /** False: no client status and no reflection there. Default true. */
  readonly xdsTools?: boolean;
  /** Most crossings that any request may make, 0 to 4; a DR group may allow less. */
  readonly hopLimit: number;
  /** 'off' is the negative control of drills: requests may run in circles between IDCs. 'on' by default. */
  readonly loopPrevention?: LoopPrevention;
  /** A folder where compiled filters are kept for the next start; by default nowhere. */
  readonly filterStore?: string;
  /** Where the next control plane finds which Groups are on their way home; by default nowhere. */
  readonly failbackStore?: FailbackStore;
  /** How long deletions wait for proxies that are silent or away; default `guardLimits`. */
  readonly deletionLimits?: Partial<GuardLimits>;
  /** The heap of this process, to shed load before it is full; by default it is not looked at. */
  readonly heap?: Heap;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called before the sources are read, so that what is waited for can be asked. Its rejection ends the start. */
  readonly onListening?: (plane: ControlPlane) => Promise<void>;
}

/** What tests replace, or switch off to see that they fail without it. `isthmus serve` gives none of it. */
export interface ControlPlaneSeams {
  /** Compiles trail filters; default: from wasm/assembly, in a process of its own. Closed with the control plane. */
  readonly compiler?: PolicyCompiler;
  /** How often what the sources hold is compared with the index, in milliseconds; default 30,000. */
  readonly reconcileMs?: number;
  /** What xDS clients may do; default: the limits of `createXdsServer`. */
  readonly xdsLimits?: XdsLimits;
  /** Proxies are answered before all sources have been read; default false. */
  readonly answerBeforeReady?: boolean;
}

/** A running control plane. */
export interface ControlPlane extends StatusReader {
  readonly metrics: Metrics;
  /** Where ADS is served; with the port that was bound. */
  readonly xds: ListenAddress;
  problems(): readonly Problem[];
  /** What is wrong between a WorkloadEntry and what selects it. */
  disagreementsOf(ref: Ref): readonly Disagreement[];
  /** Lets go the deletions that the sources' shrink guards hold; how many. */
  confirmDeletes(): number;
  /** Instances that went and that some proxy may still have. */
  readonly deletions: Pick<Deletions, 'of' | 'barrier'>;
  readonly evacuations: Pipeline['evacuations'] & Pick<FailbackKeeper, 'held'>;
  /** Hands the proxies over to others within `overMs`, after `/readyz` said so for `noticeMs`; `close` is to follow. */
  handOver(noticeMs: number, overMs: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a control plane: resolves once it serves ADS and the sources have been read; it answers proxies when
 * it is ready, which its filters may still hold up. Throws MeshError `unavailable` when an address is taken
 * or a source cannot be read.
 */
export async function startControlPlane(
  options: ControlPlaneOptions,
  seams: ControlPlaneSeams = {},
): Promise<ControlPlane> {
  const { idc, clock, logger, sources, loopPrevention = 'on', heap, failbackStore } = options;
  const metrics = createMetrics(idc);
  metrics.loopPrevention.set(loopPrevention === 'off' ? 0 : 1);
  // As an error: whatever the log level, it must be seen.
  if (loopPrevention === 'off') logger.error(`LOOP PREVENTION IS OFF: ${unprotected.message}`);
  gaugeSources(metrics, sources, clock);
  const stop = new AbortController();
  const xds = createXdsServer({
    clock,
    log: logger,
    ready: seams.answerBeforeReady === true,
    ...{ tools: options.xdsTools !== false, ...(seams.xdsLimits && { limits: seams.xdsLimits }) },
    classOf(node) {
      memory?.admit();
      return classOf(node, idc);
    },
    onUnknownClass({ nodeClass, node }) {
      const scope = parseNodeScope(node.metadata);
      startOrder.begin(nodeClass, scope.role, () => xds.hold(nodeClass));
      pipeline.open(nodeClass, scope);
    },
    onUnusedClass(nodeClass) {
      startOrder.forget(nodeClass);
      pipeline.forget(nodeClass);
      xds.dropClass(nodeClass);
    },
    onStreamOpen(stream) {
      const entry = rosterStream(stream);
      roster.opened(entry);
      startOrder.opened(stream.id, entry.role);
      deletions.opened(stream);
    },
    onStreamRefused: (refused) => roster.refused(refused),
    onTurnedAway: (one) => roster.turnedAway(one),
    onStreamClose(stream) {
      roster.closed(stream);
      startOrder.closed(stream.id);
      deletions.closed(stream);
    },
    onAck(ack) {
      metrics.acks.inc({ type: ack.type });
      ledger.acked(answerOf(ack));
      for (const { at } of ack.causes.slice(-1)) roster.acked(ack.stream.id, at, ack.ackedAtMs);
    },
    onNack(nack) {
      metrics.nacks.inc({ type: nack.type });
      if (!nack.isNews) metrics.refusedAgain.inc({ type: nack.type });
      ledger.nacked(answerOf(nack));
    },
    onConfirmed(stream, has) {
      startOrder.confirmed(stream.id, has);
      deletions.confirmed(stream, has);
    },
  });

  const roster = new Roster({ clock, logger, metrics });
  const ledger = new Ledger({
    clock,
    logger,
    metrics,
    isAnswering: () => seams.answerBeforeReady === true || readiness.ready,
    // Who has refused something has answered: the NACK tells it.
    isConfirmed: (revision) => xds.isConfirmed({ revision, lenient: true }),
    unconfirmed: (revision) =>
      xds.unconfirmed({ revision, lenient: true }).map(({ id, node }) => ({ id, node: node.id ?? '' })),
  });

  const deletions = createDeletions({
    clock,
    logger,
    metrics,
    ...(options.deletionLimits && { limits: options.deletionLimits }),
    clusterType,
    endpointType,
    onProxy(node, isKnown) {
      for (const source of sources) source.proxies?.note(node, isKnown);
    },
    revision: () => pipeline.revision(),
    unconfirmed: (concern) => xds.unconfirmed(concern),
  });

  metrics.xdsLevels.ask(() => ({
    ...{ ...xdsLevels(xds), ...roster.kept(), ...ledger.kept(), ...deletions.kept() },
  }));

  const startOrder = new StartOrder({
    clock,
    logger,
    listenTypes: [listenerType, routeType, extensionConfigType],
    hasEgress() {
      const { idcs } = pipeline.view();
      return idcs.size > 1 && (idcs.get(idc)?.spec.egress.length ?? 0) > 0;
    },
  });

  const failback = createFailbackKeeper({
    clock,
    logger,
    check: checkInstance,
    ...(failbackStore && { saved: failbackStore.saved, save: failbackStore.save }),
    onShares: (hosts) => pipeline.replan(hosts, 'failback'),
  });
  metrics.failbackShare.ask(failback.held);

  const pipeline = createPipeline({
    idc,
    hopLimit: options.hopLimit,
    loopPrevention,
    compiler:
      seams.compiler ??
      createPolicyCompiler({
        ...{ logger, clock },
        ...(options.filterStore === undefined ? {} : { storeDir: options.filterStore }),
      }),
    clock,
    logger,
    ledger,
    apply: (nodeClass, changes, cause) => xds.apply(nodeClass, changes, cause),
    heldShare: (group, evacuated) => failback.shareOf(group, evacuated),
    mirrored: (group) => failback.mirrorOf(group),
    health: { goodOf: failback.goodOf, slotsBeforeOf: failback.slotsBeforeOf },
    onPlanned: (plans) => failback.planned(plans),
    onRefused: () => metrics.refused.inc(),
    onFilters: settleFilters,
    onFilterFailure: () => metrics.filterFailures.inc(),
  });

  // Without its own Idc it knows no gateway of its own: what it would push is less than proxies have.
  const ownIdc = `an Idc named ${idc}`;
  const conditions = [...sources.map((source) => `source ${source.name}`), ownIdc, 'filters'];
  const readiness = new Readiness({
    conditions,
    clock,
    onReady() {
      metrics.ready.set(1);
      const { groups, idcs } = pipeline.view();
      logger.info('ready', { groups: groups.size, idcs: [...idcs.keys()] });
      xds.release();
      startOrder.answering();
      deletions.answering();
      failback.start();
    },
    onWelcome: (isWelcome) => xds.welcome(isWelcome),
    onWaiting(waitingFor, forMs) {
      const why = reasons();
      const fields = { waitingFor, forMs: Math.round(forMs), ...(why.length > 0 ? { why } : {}) };
      logger.info('not ready', fields);
    },
  });

  function reasons(): readonly string[] {
    if (readiness.ready) return [];
    const idcs = [...pipeline.view().idcs.keys()];
    return describeWaiting({ idc, idcs, sources, waitingFor: readiness.waitingFor() });
  }

  const { watched, reached } = pipeline;
  const watch = watchReach({ clock, logger, watched, reached });

  const feed = createSourceFeed({
    ...{ sources, pipeline, deletions, metrics, clock, logger, reconcileMs: seams.reconcileMs },
    isDue: () => readiness.ready,
    onApplied(source, batch) {
      const view = pipeline.view();
      metrics.groups.set(view.groups.size);
      if (batch.some((change) => change.type === 'synced')) readiness.met(`source ${source.name}`);
      if (view.idcs.has(idc)) readiness.met(ownIdc);
      // At once, and while the rest is still read: compiling takes longer than anything else at a start.
      if (view.idcs.has(idc) || readiness.ready) pipeline.wantFilters(batch[0]?.at ?? clock.now());
      settleFilters();
    },
    onProblems() {
      const of = (severity: string) => problems().filter((one) => one.severity === severity).length;
      for (const severity of ['error', 'warning']) metrics.problems.set({ severity }, of(severity));
    },
  });

  /** The filters count once they are those of all IDCs, which is known when all sources have synced. */
  function settleFilters(): void {
    const onlyFilters = readiness.waitingFor().every((condition) => condition === 'filters');
    if (onlyFilters && pipeline.hasFilters()) readiness.met('filters');
  }

  const memory = heap && guardMemory({ clock, logger, metrics, readiness, heap, shed: xds.shed });

  const { address } = options.xds;
  const host = address.includes(':') ? `[${address}]` : address;
  const port = await xds.listen(`${host}:${options.xds.port}`);
  const plane: ControlPlane = {
    metrics,
    xds: { address: options.xds.address, port },
    ...createStatusReader({
      ...{
        idc,
        clock,
        sources,
        loopPrevention,
        xds,
        roster,
        ledger,
        readiness,
        reasons,
        problems: ownProblems,
      },
      view: () => pipeline.view(),
      waits: () => startOrder.reasons(),
      limits: pipeline,
      shortfalls: failback.shortfalls,
      doubtfulKinds: feed.doubtfulKinds,
      evacuations: () => pipeline.evacuations.list().items,
      held: failback.held,
    }),
    problems,
    disagreementsOf: (ref) => pipeline.index.disagreementsOf(ref),
    confirmDeletes: () => sources.reduce((sum, source) => sum + (source.confirmDeletes?.() ?? 0), 0),
    deletions,
    evacuations: { ...pipeline.evacuations, held: failback.held },
    async handOver(noticeMs, overMs) {
      readiness.turnAway('stop', 'this control plane stops: proxies are handed over to others');
      metrics.ready.set(0);
      if (xds.stats.streams > 0) await sleep(clock, noticeMs);
      await xds.handOver(overMs);
    },
    close,
  };
  try {
    await options.onListening?.(plane);
    await feed.start(stop.signal);
  } catch (reason) {
    await close();
    throw reason;
  }

  function ownProblems(): readonly Problem[] {
    return [...(loopPrevention === 'off' ? [unprotected] : []), ...pipeline.problems().own];
  }

  function problems(): readonly Problem[] {
    const objects = [...feed.conflicts(), ...pipeline.problems(feed.doubtfulKinds()).objects];
    return [...ownProblems(), ...feed.problems(), ...objects];
  }

  async function close(): Promise<void> {
    stop.abort(new MeshError('unavailable', 'the control plane is closing'));
    ledger.close();
    readiness.close();
    startOrder.close();
    watch.close();
    memory?.close();
    deletions.close();
    failback.close();
    await Promise.all([xds.close(), pipeline.close()]);
  }

  return plane;
}
