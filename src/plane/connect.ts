import { createProblemLog } from '../delivery/problems/problem-log.ts';
import { describeWaiting } from '../delivery/problems/waiting.ts';
import { probeTarget } from '../delivery/reach/probe-target.ts';
import { watchReach } from '../delivery/reach/reach.ts';
import { cut } from '../events/cut.ts';
import { createExplainer, type Explainer } from '../explain/explain.ts';
import type { Drain } from '../model/drain.ts';
import type { Finding } from '../model/finding.ts';
import { gatewayAt } from '../plan/gateways.ts';
import { createDrainReader } from '../who/drain-reader.ts';
import type { ExitsOptions } from '../who/gateways/exits.ts';
import { createNetworkReader, type NetworkReader } from '../who/gateways/network.ts';
import { findTakers } from '../who/gateways/takers.ts';
import { createTopReader, type TopReader } from '../who/load/top.ts';
import { readClusters, readProxyStats } from '../who/read-clusters.ts';
import { InstanceRounds } from '../who/rounds.ts';
import { createWhoReader, type WhoReader } from '../who/who.ts';
import type { WhoOptions } from '../who/who-options.ts';
import { createEventReader, type PlaneEvents } from './events/event-reader.ts';
import { tellStreams } from './events/tell-streams.ts';
import { type AgreementWatch, watchAgreement } from './findings/agreement-watch.ts';
import type { Parts } from './parts.ts';
import { createSourceFeed, type SourceFeed } from './source-feed.ts';
import { createStatusReader, otherIdcs, type StatusReader, sortedDrains, unprotected } from './status.ts';
import type { StreamObserver } from './stream-events.ts';
import { answerOf, refusalsOf, rosterStream, scopeOf, xdsLevels } from './streams.ts';
import type { ControlPlane, ControlPlaneOptions, ControlPlaneSeams } from './types.ts';

/** The result of connecting the parts. */
interface Connected {
  /** Has to be started: it reads the sources. */
  readonly feed: SourceFeed;
  readonly status: StatusReader;
  /** What is answered by reading proxies. */
  readonly readers: WhoReader & TopReader & NetworkReader & Explainer;
  readonly drains: ControlPlane['drains'];
  readonly events: PlaneEvents;
  problems(): readonly Finding[];
  /** Looks no more whether gateways accept connections, and whether objects agree. */
  close(): void;
}

/** Connects the parts of a control plane. No source is read yet, and no proxy served. */
export function connectParts(
  parts: Parts,
  options: ControlPlaneOptions,
  seams: ControlPlaneSeams,
): Connected {
  const { clock, logger, loopPrevention = 'on' } = options;
  const { metrics, xds, roster, ledger, pipeline, deletions, failback } = parts;
  metrics.loopPrevention.set(loopPrevention === 'off' ? 0 : 1);
  // Logged as an error, to be seen at any log level.
  if (loopPrevention === 'off') logger.error(`LOOP PREVENTION IS OFF: ${unprotected.message}`);
  metrics.failbackShare.readFrom(() => failback.limitedShares());
  metrics.xdsLevels.readFrom(() => ({
    ...xdsLevels(xds),
    ...roster.sizes(),
    ...ledger.sizes(),
    ...deletions.sizes(),
  }));
  observeStreams(parts, options);
  const reasons = () => reasonsToWait(parts, options);
  observeReadiness(parts, options, reasons);
  const { events, failovers, journal } = parts;
  metrics.failedOver.readFrom(() => failovers.away().length);
  metrics.eventsDropped.readFrom(() => journal.state().dropped);
  failovers.askTakers((plans) => findTakers(readingFacts(parts, options), plans));
  const watch = probeReach(parts, options);
  const ownProblems = (): readonly Finding[] => [
    ...(loopPrevention === 'off' ? [unprotected] : []),
    ...(parts.streamTrust?.problems() ?? []),
    ...pipeline.problems(),
  ];
  const { feed, agreement } = connectSources(parts, options, seams, ownProblems);
  parts.streamEvents.observe({ onUnknownClass: () => agreement.giveWay() });
  const problems = () => [...ownProblems(), ...feed.conflicts(), ...feed.problems(), ...agreement.findings()];
  const drains = drainReader(parts, options);
  const status = createStatusReader({
    ...{ idc: options.idc, clock, sources: options.sources, loopPrevention },
    ...{ xds, roster, ledger, readiness: parts.gate.readiness, reasons, problems: ownProblems },
    view: () => pipeline.view(),
    waitingReasons: () => parts.startOrder.reasons(),
    limits: pipeline,
    shortfalls: () => failback.shortfalls(),
    incompleteKinds: feed.incompleteKinds,
    ...{ revision: () => pipeline.revision(), evacuations: () => pipeline.evacuations.list().items },
    localShares: () => failback.limitedShares(),
    isDeclared: (key) => drains.isDeclared(key),
  });
  const rounds = startRounds(parts, options);
  const close = () => [watch, rounds, agreement].forEach((one) => void one.close());
  const reader = createEventReader({
    ...{ idc: options.idc, journal, events, view: () => pipeline.view() },
    asks: (ref, by) => feed.asked.asks(ref, by),
  });
  return { feed, status, readers: proxyReaders(parts, options), drains, events: reader, problems, close };
}

/** Probes gateways and instances, and plans with what is found. */
function probeReach({ events, failovers, pipeline }: Parts, { clock, idc }: ControlPlaneOptions) {
  return watchReach({
    ...{ clock, events, targets: () => pipeline.probeTargets() },
    gatewayAt: (name) => gatewayAt(pipeline.view().idcs, idc, name),
    onReach(reach) {
      pipeline.applyReach(reach);
      failovers.applyUnreached(reach.unreached);
    },
  });
}

/** All that is answered by reading proxies. */
function proxyReaders(parts: Parts, options: ControlPlaneOptions): Connected['readers'] {
  return {
    ...whoReader(parts, options),
    ...topReader(parts, options),
    ...networkReader(parts, options),
    ...explainer(parts, options),
  };
}

/** Reads ingress gateways in the background, a little at a time. */
function startRounds({ roster, failovers, events }: Parts, { clock }: ControlPlaneOptions): InstanceRounds {
  const rounds = new InstanceRounds({
    ...{ clock, read: readClusters },
    proxies: () => roster.connected(),
    keys: () => failovers.keys(),
    planOf: (key) => failovers.readablePlan(key),
    onSeen: (key, canServe) => failovers.applySeen(key, canServe),
    onEjected(group, target, node, isEjected) {
      const phase = isEjected ? 'begin' : 'end';
      events.note({ kind: 'ejection', phase, group, target: cut(target), node: cut(node) });
    },
  });
  rounds.start();
  return rounds;
}

/** How long the probe of an egress gateway of this IDC may take to connect, and its answer beyond that. */
const exitProbe = { connectMs: 500, answerMs: 500 } as const;

/** What all readers need that ask whether requests can leave the IDC. */
function readingFacts(
  { roster, pipeline }: Parts,
  { idc, clock }: ControlPlaneOptions,
): ExitsOptions & Pick<WhoOptions, 'read'> {
  return {
    ...{ idc, clock, read: readClusters },
    view: () => pipeline.view(),
    proxies: () => roster.connected(),
    gone: () => roster.gone(),
    probe: (at) => probeTarget({ ...at, request: { kind: 'http2' } }, exitProbe, clock),
  };
}

/** Reads proxies when somebody asks. */
function whoReader(parts: Parts, options: ControlPlaneOptions): WhoReader {
  const { pipeline, failback } = parts;
  return createWhoReader({
    ...readingFacts(parts, options),
    readStats: readProxyStats,
    plansOf: (host) => pipeline.plansOf(host),
    evacuations: () => pipeline.evacuations.list().items,
    held: () => failback.limitedShares(),
  });
}

/** How long the probe of a gateway of another IDC may take to connect, and its answer beyond that. */
const gatewayProbe = { connectMs: 1_050, answerMs: 500 } as const;

/** Reads egress gateways, and probes gateways of other IDCs, when somebody asks. */
function networkReader({ roster, pipeline }: Parts, { idc, clock }: ControlPlaneOptions): NetworkReader {
  return createNetworkReader({
    ...{ idc, clock, read: readClusters },
    view: () => pipeline.view(),
    plansOf: (host) => pipeline.plansOf(host),
    proxies: () => roster.connected(),
    probe: (at) => probeTarget({ ...at, request: { kind: 'http2' } }, gatewayProbe, clock),
  });
}

/** Reads the statistics of proxies when somebody asks. */
function topReader({ roster, pipeline }: Parts, { idc, clock }: ControlPlaneOptions): TopReader {
  return createTopReader({
    ...{ idc, clock, read: readClusters, readStats: readProxyStats },
    view: () => pipeline.view(),
    plansOf: (host) => pipeline.plansOf(host),
    proxies: () => roster.connected(),
  });
}

/** Lists drains, and reads proxies when somebody asks what one would do. */
function drainReader(parts: Parts, options: ControlPlaneOptions): ControlPlane['drains'] {
  const { pipeline } = parts;
  const { idc } = options;
  const reader = createDrainReader({
    ...readingFacts(parts, options),
    plansOf: (host) => pipeline.plansOf(host),
    instanceOf: (ref) => pipeline.instanceOf(ref),
  });
  return {
    ...reader,
    list() {
      const { drains, idcs } = pipeline.view();
      return { idc, items: sortedDrains(drains), others: otherIdcs(idcs.values(), idc) };
    },
  };
}

/** Plans and reads when somebody asks, and nothing before. */
function explainer(parts: Parts, options: ControlPlaneOptions): Explainer {
  const { pipeline, xds } = parts;
  const { hopLimit, loopPrevention = 'on' } = options;
  return createExplainer({
    ...{ ...readingFacts(parts, options), hopLimit, loopPrevention },
    plansOf: (host, supposed) => pipeline.plansOf(host, supposed),
    hungGateways: () => pipeline.hungGateways(),
    refusals: () => refusalsOf(xds),
    evacuations: () => pipeline.evacuations.list().items,
  });
}

/** Registers stream observers; each event reaches them in this order. */
function observeStreams(parts: Parts, options: ControlPlaneOptions): void {
  const { streamEvents, metrics, xds, roster, ledger, pipeline, deletions, startOrder, memory } = parts;
  const { wholeTables, streamTrust } = parts;
  const classes: StreamObserver = {
    onUnknownClass({ nodeClass, node }) {
      const scope = scopeOf(node);
      startOrder.addClass(nodeClass, scope.role, () => xds.hold(nodeClass));
      pipeline.open(nodeClass, scope);
    },
    onSubscribed: (subscribed) => wholeTables.subscribed(subscribed),
    onUnusedClass(nodeClass) {
      startOrder.forget(nodeClass);
      wholeTables.forget(nodeClass);
      pipeline.forget(nodeClass);
      xds.dropClass(nodeClass);
    },
  };
  const presence: StreamObserver = {
    onStreamOpen(stream) {
      const entry = rosterStream(stream);
      roster.opened(entry);
      startOrder.opened(stream.id, entry.role);
    },
    onStreamRefused: (refused) => roster.refused(refused),
    onTurnedAway: (one) => roster.turnedAway(one),
    onStreamClose(stream) {
      roster.closed(stream);
      startOrder.closed(stream.id);
    },
    onConfirmed: (stream, has) => startOrder.confirmed(stream.id, has),
  };
  const answers: StreamObserver = {
    onAck(ack) {
      metrics.acked(ack.type);
      ledger.acked(answerOf(ack));
      const last = ack.causes.at(-1);
      if (last !== undefined) roster.acked(ack.stream.id, last.at, ack.ackedAtMs);
    },
    onNack(nack) {
      metrics.nacks.inc({ type: nack.type });
      if (!nack.isNews) metrics.refusedAgain.inc({ type: nack.type });
      ledger.nacked(answerOf(nack));
    },
  };
  const guard: StreamObserver = {
    onStreamOpen: (stream) => deletions.opened(stream),
    onStreamClose: (stream) => deletions.closed(stream),
    onConfirmed: (stream, has) => deletions.confirmed(stream, has),
  };
  const told = tellStreams(parts, options);
  streamEvents.observe(
    ...(memory ? [memory] : []),
    ...(streamTrust ? [streamTrust] : []),
    classes,
    presence,
    answers,
    told,
    guard,
  );
}

/** The steps once proxies are answered, and reports before that. */
function observeReadiness(
  { metrics, events, xds, gate, pipeline, deletions, startOrder, failback, ...parts }: Parts,
  { logger }: ControlPlaneOptions,
  reasons: () => readonly string[],
): void {
  gate.readiness.observe({
    onReady() {
      metrics.ready.set(1);
      const { groups } = pipeline.view();
      events.note({ kind: 'controlplane', phase: 'ready', groups: groups.size });
      xds.release();
      startOrder.answering();
      deletions.answering();
      failback.start((hosts) => pipeline.replan(hosts, 'failback'));
      parts.failovers.start();
    },
    onWelcome: (isWelcome) => xds.welcome(isWelcome),
    onWaiting(waitingFor, forMs) {
      const why = reasons();
      const fields = { waitingFor, forMs: Math.round(forMs), ...(why.length > 0 ? { why } : {}) };
      // Filters come by themselves; about the rest somebody has to do something.
      const isStuck = why.length > 0 && waitingFor.some((name) => name !== 'filters');
      if (isStuck) logger.warn('not ready', fields);
      else logger.info('not ready', fields);
    },
  });
}

function reasonsToWait(
  { gate: { readiness }, pipeline }: Parts,
  { idc, sources }: ControlPlaneOptions,
): readonly string[] {
  if (readiness.ready) return [];
  const idcs = [...pipeline.view().idcs.keys()];
  return describeWaiting({ idc, idcs, sources, waitingFor: readiness.waitingFor() });
}

/** Feeds the sources into the pipeline, and opens the gate by their batches. */
function connectSources(
  parts: Parts,
  { idc, clock, logger, sources }: ControlPlaneOptions,
  { reconcileMs }: ControlPlaneSeams,
  ownProblems: () => readonly Finding[],
): { readonly feed: SourceFeed; readonly agreement: AgreementWatch } {
  const { metrics, events, gate, pipeline, deletions, evacuationWatch, drainWatch, xds } = parts;
  const tellOwn = createProblemLog({ clock, logger, events });
  const count = () => {
    // What is no error is told by the part that finds it.
    tellOwn(
      'control plane',
      ownProblems().filter(({ severity }) => severity === 'error'),
    );
    const all = [...ownProblems(), ...feed.conflicts(), ...feed.problems(), ...agreement.lastFindings()];
    for (const severity of ['error', 'warning'])
      metrics.problems.set({ severity }, all.filter((one) => one.severity === severity).length);
    metrics.findings.reset();
    for (const { code, severity } of all) metrics.findings.inc({ code, severity });
  };
  const agreement = watchAgreement({
    clock,
    onFindings(findings) {
      count();
      feed.reportStatuses(findings);
    },
    input: () => feed.agreementInput(),
    isDue: () => gate.readiness.ready,
  });
  const feed: SourceFeed = createSourceFeed({
    ...{ sources, pipeline, deletions, metrics, clock, logger, events, reconcileMs },
    isDue: () => gate.readiness.ready,
    progressOf(revision) {
      if (!gate.readiness.ready) return undefined;
      const proxies = xds.stats.streams;
      return { acked: Math.max(0, proxies - xds.unconfirmed(revision).length), proxies };
    },
    onApplied(source, batch) {
      const view = pipeline.view();
      metrics.groups.set(view.groups.size);
      if (batch.some((change) => change.type === 'synced')) gate.synced(source.name);
      if (view.idcs.has(idc)) gate.localIdcDeclared();
      // Early, while the rest is still read: compiling is the longest part of a start.
      if (view.idcs.has(idc) || gate.readiness.ready) pipeline.requestFilters(batch[0]?.at ?? clock.now());
      gate.setFilters(pipeline.hasFilters());
      agreement.noteChange();
      const by = (name: string) => feed.asked.askedBy({ kind: 'Evacuation', namespace: '', name });
      if (gate.readiness.ready) evacuationWatch.apply(view.evacuations, by);
      else evacuationWatch.begin(view.evacuations, by);
      const drainedBy = ({ meta }: Drain) => feed.asked.askedBy({ ...meta, kind: 'Drain' });
      if (gate.readiness.ready) drainWatch.apply(view.drains, drainedBy);
      else drainWatch.begin(view.drains, drainedBy);
    },
    onProblems() {
      agreement.noteChange();
      count();
    },
  });
  return { feed, agreement };
}
