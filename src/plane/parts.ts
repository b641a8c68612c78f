import { createDeletions, type Deletions } from '../delivery/deletion/deletions.ts';
import { Ledger } from '../delivery/ledger.ts';
import { Roster } from '../delivery/roster.ts';
import { checkInstance } from '../failback/check.ts';
import { createFailbackKeeper, type FailbackKeeper } from '../failback/keeper.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { gaugeSources } from '../metrics/source-gauges.ts';
import { StartOrder } from '../rollout/start-order.ts';
import { createPolicyCompiler } from '../trail/compile.ts';
import {
  clusterType,
  endpointType,
  extensionConfigType,
  listenerType,
  routeType,
} from '../xds/resource-types.ts';
import { createXdsServer, type XdsServer } from '../xds/xds.ts';
import { createGate, type Gate } from './gate.ts';
import { guardMemory, type MemoryGuard } from './memory.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { createStreamEvents, type StreamEvents } from './stream-events.ts';
import { classOf } from './streams.ts';
import type { ControlPlaneOptions, ControlPlaneSeams } from './types.ts';

/** The parts of a control plane, in order of creation: each knows only earlier ones. */
export interface Parts extends Serving, Delivery {
  readonly failback: FailbackKeeper;
  readonly pipeline: Pipeline;
  readonly deletions: Deletions;
  readonly startOrder: StartOrder;
  /** Watches the heap. */
  readonly memory: MemoryGuard | undefined;
}

interface Serving {
  readonly metrics: Metrics;
  readonly events: StreamEvents;
  readonly xds: XdsServer;
}

interface Delivery {
  readonly gate: Gate;
  readonly roster: Roster;
  readonly ledger: Ledger;
}

/** Creates the parts; none calls a later one until they are connected. */
export function makeParts(options: ControlPlaneOptions, seams: ControlPlaneSeams): Parts {
  const { idc, clock, logger, sources, heap, failbackStore } = options;
  const serving = makeServing(options, seams);
  const { metrics, xds } = serving;
  const delivery = makeDelivery(options, seams, serving);
  const failback = createFailbackKeeper({
    ...{ clock, logger, check: checkInstance },
    ...(failbackStore && { saved: failbackStore.saved, save: failbackStore.save }),
  });
  const pipeline = makePipeline(options, seams, { ...serving, ...delivery, failback });
  const deletions = createDeletions({
    ...{ clock, logger, metrics, clusterType, endpointType },
    ...(options.deletionLimits && { limits: options.deletionLimits }),
    onProxy(node, isKnown) {
      for (const { facets } of sources) if (facets.proxies !== 'none') facets.proxies.remember(node, isKnown);
    },
    revision: () => pipeline.revision(),
    unconfirmed: (concern) => xds.unconfirmed(concern),
  });
  const startOrder = new StartOrder({
    ...{ clock, logger, listenTypes: [listenerType, routeType, extensionConfigType] },
    hasEgress() {
      const { idcs } = pipeline.view();
      return idcs.size > 1 && (idcs.get(idc)?.spec.egress.length ?? 0) > 0;
    },
  });
  const { readiness } = delivery.gate;
  const memory =
    heap &&
    guardMemory({
      ...{ clock, logger, metrics, readiness, heap },
      ...{ shed: xds.shed, holdLarge: xds.holdLarge },
    });
  return { ...serving, ...delivery, failback, pipeline, deletions, startOrder, memory };
}

function makeServing(options: ControlPlaneOptions, seams: ControlPlaneSeams): Serving {
  const { idc, clock, logger, sources } = options;
  const metrics = createMetrics(idc);
  gaugeSources(metrics, sources, clock);
  const events = createStreamEvents();
  const xds = createXdsServer({
    collectYoungMemory: true,
    ...events.hooks,
    ...{ clock, log: logger, tools: options.xdsTools !== false },
    ready: seams.answerBeforeReady === true,
    ...(seams.xdsLimits && { limits: seams.xdsLimits }),
    classOf(node) {
      events.admit();
      return classOf(node, idc);
    },
  });
  return { metrics, events, xds };
}

function makeDelivery(
  { idc, clock, logger, sources }: ControlPlaneOptions,
  seams: ControlPlaneSeams,
  { metrics, xds }: Serving,
): Delivery {
  const gate = createGate({ idc, clock, sources: sources.map(({ name }) => name) });
  const roster = new Roster({ clock, logger, metrics });
  const ledger = new Ledger({
    ...{ clock, logger, metrics },
    isAnswering: () => seams.answerBeforeReady === true || gate.readiness.ready,
    // A NACK is an answer too, reported separately.
    isConfirmed: (revision) => xds.isConfirmed({ revision, lenient: true }),
    unconfirmed: (revision) =>
      xds.unconfirmed({ revision, lenient: true }).map(({ id, node }) => ({ id, node: node.id ?? '' })),
  });
  return { gate, roster, ledger };
}

function makePipeline(
  { idc, hopLimit, loopPrevention = 'on', filterStore, clock, logger }: ControlPlaneOptions,
  seams: ControlPlaneSeams,
  { metrics, xds, gate, ledger, failback }: Serving & Delivery & Pick<Parts, 'failback'>,
): Pipeline {
  const kept = filterStore === undefined ? {} : { storeDir: filterStore };
  return createPipeline({
    ...{ idc, hopLimit, loopPrevention, clock, logger, ledger },
    compiler: seams.compiler ?? createPolicyCompiler({ logger, clock, ...kept }),
    apply: (nodeClass, changes, cause) => xds.apply(nodeClass, changes, cause),
    failbackShare: (group, evacuated) => failback.shareOf(group, evacuated),
    mirrorPercent: (group) => failback.mirrorOf(group),
    health: {
      goodOf: (host) => failback.goodOf(host),
      slotsBeforeOf: (host) => failback.slotsBeforeOf(host),
    },
    onPlanned: (plans) => failback.applyPlans(plans),
    onRefused: () => metrics.refused.inc(),
    onFilters: (areCurrent) => gate.setFilters(areCurrent),
    onFilterFailure: () => metrics.filterFailures.inc(),
  });
}
