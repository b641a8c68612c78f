import { createDeletions, type Deletions } from '../delivery/deletion/deletions.ts';
import { Ledger } from '../delivery/ledger.ts';
import { Roster } from '../delivery/roster.ts';
import { DrainWatch } from '../events/drain-watch.ts';
import { type Earlier, earlierIn } from '../events/earlier.ts';
import { EvacuationWatch } from '../events/evacuation-watch.ts';
import type { EventSink } from '../events/event.ts';
import { createEventLog } from '../events/event-log.ts';
import { createEventJournal, type Journal } from '../events/journal.ts';
import { checkInstance } from '../failback/check.ts';
import { FailoverWatch } from '../failback/failover-watch.ts';
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
  scopeType,
} from '../xds/resource-types.ts';
import { createXdsServer, type XdsServer, type XdsServerOptions } from '../xds/xds.ts';
import { createGate, type Gate } from './gate.ts';
import { guardMemory, type MemoryGuard } from './memory.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { createStreamEvents, type StreamEvents } from './stream-events.ts';
import { classOf } from './streams.ts';
import { StreamTrust } from './trust/stream-trust.ts';
import type { ControlPlaneOptions, ControlPlaneSeams } from './types.ts';
import { WholeTables } from './whole-tables.ts';

/** The parts of a control plane, in order of creation: each knows only earlier ones. */
export interface Parts extends Serving, Delivery {
  readonly earlier: Earlier;
  readonly failback: FailbackKeeper;
  readonly failovers: FailoverWatch;
  readonly evacuationWatch: EvacuationWatch;
  readonly drainWatch: DrainWatch;
  readonly pipeline: Pipeline;
  readonly deletions: Deletions;
  readonly startOrder: StartOrder;
  readonly wholeTables: WholeTables;
  /** Watches the heap. */
  readonly memory: MemoryGuard | undefined;
}

interface Serving {
  readonly metrics: Metrics;
  readonly journal: Journal;
  readonly events: EventSink;
  readonly streamEvents: StreamEvents;
  readonly xds: XdsServer;
  /** Absent: plaintext. */
  readonly streamTrust: StreamTrust | undefined;
}

interface Delivery {
  readonly gate: Gate;
  readonly roster: Roster;
  readonly ledger: Ledger;
}

/** Creates the parts; none calls a later one until they are connected. */
export function makeParts(options: ControlPlaneOptions, seams: ControlPlaneSeams): Parts {
  const { idc, clock, logger, sources, heap, failbackStore } = options;
  // Asked only when proxies are served.
  const standsAlone: SendAhead = (nodeClass, typeUrl, name) =>
    typeUrl === routeType && pipeline.standsAlone(nodeClass, name);
  const serving = makeServing(options, seams, standsAlone);
  const { metrics, xds } = serving;
  const delivery = makeDelivery(options, seams, serving);
  const { events, journal } = serving;
  const earlier = earlierIn(journal, clock.wall());
  const failovers = new FailoverWatch({ clock, events, open: earlier.failovers });
  const failback = createFailbackKeeper({
    ...{ clock, logger, check: checkInstance },
    onState: (group, at) => failovers.applyChecks(group, at),
    ...(failbackStore && { saved: failbackStore.saved, save: failbackStore.save }),
  });
  const pipeline = makePipeline(options, seams, { ...serving, ...delivery, failback, failovers });
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
    ...{ clock, logger, listenTypes: [listenerType, scopeType, routeType, extensionConfigType] },
    hasEgress() {
      const { idcs } = pipeline.view();
      return idcs.size > 1 && (idcs.get(idc)?.spec.egress.length ?? 0) > 0;
    },
  });
  const wholeTables = new WholeTables({
    ...{ clock, pipeline },
    isSubscribed: (nodeClass, name) => xds.isSubscribed(nodeClass, routeType, name),
  });
  const { readiness } = delivery.gate;
  const memory =
    heap &&
    guardMemory({
      ...{ clock, logger, events, metrics, readiness, heap },
      ...{ shed: xds.shed, holdLarge: xds.holdLarge },
    });
  const evacuationWatch = new EvacuationWatch({ clock, events });
  const drainWatch = new DrainWatch({ clock, events });
  return {
    ...{ ...serving, ...delivery, earlier, failback, failovers, evacuationWatch, drainWatch },
    ...{ pipeline, deletions, startOrder, wholeTables, memory },
  };
}

type SendAhead = NonNullable<XdsServerOptions['sendAhead']>;

function makeServing(options: ControlPlaneOptions, seams: ControlPlaneSeams, sendAhead: SendAhead): Serving {
  const { idc, clock, logger, sources, trust, connectionAgeMsMax } = options;
  const metrics = createMetrics(idc);
  gaugeSources(metrics, sources, clock);
  const journal = options.journal ?? createEventJournal({ clock });
  const events = createEventLog({
    ...{ logger, journal },
    count: (kind, phase) => metrics.events.inc({ kind, phase }),
  });
  const streamEvents = createStreamEvents();
  const streamTrust = trust && new StreamTrust({ trust, clock, events });
  const xds = createXdsServer({
    collectYoungMemory: true,
    ...streamEvents.hooks,
    // Tools show every proxy's configuration, whoever asks.
    ...{ clock, log: logger, tools: options.xdsTools !== false && trust === undefined },
    ready: seams.answerBeforeReady === true,
    sendAhead,
    ...(seams.xdsLimits && { limits: seams.xdsLimits }),
    ...(connectionAgeMsMax !== undefined && { connectionAgeMsMax }),
    classOf(node) {
      streamEvents.admit();
      return classOf(node, idc);
    },
    ...(streamTrust &&
      seams.believeNodes !== true && {
        admits: (node, peer, nodeClass) => streamTrust.admits(node, peer, nodeClass),
      }),
  });
  streamTrust?.serve(xds);
  return { metrics, journal, events, streamEvents, xds, streamTrust };
}

function makeDelivery(
  { idc, clock, logger, sources }: ControlPlaneOptions,
  seams: ControlPlaneSeams,
  { metrics, events, xds }: Serving,
): Delivery {
  const gate = createGate({ idc, clock, sources: sources.map(({ name }) => name) });
  const roster = new Roster({ clock, logger, events, metrics });
  const ledger = new Ledger({
    ...{ clock, logger, events, metrics },
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
  {
    metrics,
    xds,
    gate,
    ledger,
    failback,
    failovers,
  }: Serving & Delivery & Pick<Parts, 'failback' | 'failovers'>,
): Pipeline {
  const kept = filterStore === undefined ? {} : { storeDir: filterStore };
  return createPipeline({
    ...{ idc, hopLimit, loopPrevention, clock, logger, ledger },
    compiler:
      seams.compiler ?? createPolicyCompiler({ logger, clock, ...kept, isAwaited: loopPrevention !== 'off' }),
    apply: (nodeClass, changes, cause) => xds.apply(nodeClass, changes, cause),
    failbackShare: (group, evacuated) => failback.shareOf(group, evacuated),
    mirrorPercent: (group) => failback.mirrorOf(group),
    health: {
      goodOf: (host) => failback.goodOf(host),
      slotsBeforeOf: (host) => failback.slotsBeforeOf(host),
    },
    onPlanned(plans) {
      failback.applyPlans(plans);
      failovers.applyPlans(plans);
    },
    onRefused: () => metrics.refused.inc(),
    onFilters: (areCurrent) => gate.setFilters(areCurrent),
    onFilterFailure: () => metrics.filterFailures.inc(),
  });
}
