import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { createLatencyHistogram, type LatencyHistogram } from './latency-histogram.ts';

/** The metrics on `/metrics` (Prometheus text format). */
export interface Metrics {
  readonly registry: Registry;
  /** By type and source. */
  readonly eventToAck: LatencyHistogram;
  /** By type and source; type `all`: the last ACK of the whole push. */
  readonly eventToLastAck: LatencyHistogram;
  /** By stage, type and source. */
  readonly pushStage: LatencyHistogram;
  /** By source: 1 while its objects, or some of them, come from the last good state on disk. */
  readonly fromSnapshot: SourceGauge;
  /** By source, in seconds: since when the state on disk is not known to equal the source's. */
  readonly snapshotAge: SourceGauge;
  /** By source: objects repaired after a comparison; 0 is expected. */
  readonly repaired: Counter<'source'>;
  readonly latePushes: Counter<'source'>;
  readonly lateProxies: Gauge;
  readonly nacks: Counter<'type'>;
  readonly refusedAgain: Counter<'type'>;
  /** Counts one more, by resource type: the most frequent event by far. */
  readonly acked: (type: string) => void;
  /** By limit: connections and streams refused. */
  readonly turnedAway: Counter<'limit'>;
  /** Levels of the xDS port's limits, by name; read on collection. */
  readonly xdsLevels: { readFrom(levels: () => Readonly<Record<string, number>>): void };
  /** By the code of the error. */
  readonly streamsRefused: Counter<'code'>;
  readonly proxies: Gauge<'role'>;
  readonly changes: Counter<'type'>;
  readonly problems: Gauge<'severity'>;
  readonly findings: Gauge<'code' | 'severity'>;
  readonly ready: Gauge;
  readonly groups: Gauge;
  readonly filterFailures: Counter;
  readonly loopPrevention: Gauge;
  readonly refused: Counter;
  /** By state; read on collection. */
  readonly registrations: { readFrom(counts: () => Readonly<Record<string, number>>): void };
  /** Remembered former registrations; read on collection. */
  readonly remembered: { readFrom(counts: () => Readonly<Record<string, number>>): void };
  /** Read on collection. */
  readonly peers: { readFrom(statuses: () => readonly PeerGauge[]): void };
  /** Percent, by Group; read on collection. */
  readonly failbackShare: { readFrom(held: () => ReadonlyMap<string, number>): void };
  readonly deletionsPending: Gauge;
  readonly deletionsReleased: Counter<'cause'>;
  /** By cause. */
  readonly deletionRelease: LatencyHistogram;
  /** By kind and phase, those that the journal does not keep included. */
  readonly events: Counter<'kind' | 'phase'>;
  /** Read on collection. */
  readonly eventsDropped: { readFrom(count: () => number): void };
  /** Read on collection. */
  readonly failedOver: { readFrom(count: () => number): void };
  /** In seconds. */
  readonly eventLoopStall: Histogram;
  readonly shedding: Gauge;
}

/** Another control plane, as gauges show it. */
export interface PeerGauge {
  readonly name: string;
  readonly state: string;
  readonly keptThereAlone: number;
}

/** A gauge that is read on collection. */
interface SourceGauge {
  readFrom(source: string, value: () => number): void;
}

/** Creates a separate registry, so that one process can have several control planes. */
export function createMetrics(idc: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ idc });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `isthmus_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name: `isthmus_${name}`, help, labelNames, registers });
  const sourceGauge = (name: string, help: string): SourceGauge => {
    const asked = new Map<string, () => number>();
    new Gauge({
      ...{ name: `isthmus_${name}`, help, labelNames: ['source'], registers },
      collect() {
        for (const [source, value] of asked) this.set({ source }, value());
      },
    });
    return { readFrom: (source, value) => void asked.set(source, value) };
  };
  return {
    registry,
    registrations: {
      readFrom(counts) {
        new Gauge({
          name: 'isthmus_registrations',
          help: 'Instances that registered themselves, by state: ready, draining, leaving.',
          ...{ labelNames: ['state'], registers },
          collect() {
            for (const [state, count] of Object.entries(counts())) this.set({ state }, count);
          },
        });
      },
    },
    remembered: {
      readFrom(counts) {
        new Gauge({
          name: 'isthmus_registrations_remembered',
          help: 'Remembered former registrations: ended generations, and changes for other control planes.',
          ...{ labelNames: ['of'], registers },
          collect() {
            for (const [of, count] of Object.entries(counts())) this.set({ of }, count);
          },
        });
      },
    },
    peers: {
      readFrom(statuses) {
        const peerGauge = (name: string, help: string, value: (peer: PeerGauge) => number) =>
          new Gauge({
            ...{ name: `isthmus_${name}`, help, labelNames: ['peer'], registers },
            collect() {
              for (const peer of statuses()) this.set({ peer: peer.name }, value(peer));
            },
          });
        peerGauge(
          'peer_up',
          'Whether another control plane of this IDC answers, so that registrations are replicated: 1, else 0.',
          ({ state }) => (state === 'away' ? 0 : 1),
        );
        peerGauge(
          'registrations_kept_by_peer',
          'Instances that renew their lease at another control plane only.',
          ({ keptThereAlone }) => keptThereAlone,
        );
      },
    },
    turnedAway: counter(
      'xds_turned_away_total',
      'xDS connections and streams refused by limits (docs/xds.md), by limit.',
      ['limit'],
    ),
    xdsLevels: {
      readFrom(levels) {
        new Gauge({
          name: 'isthmus_xds_level',
          help: 'Levels of the xDS port’s limits: connections, streams, waiting and remembered data.',
          ...{ labelNames: ['of'], registers },
          collect() {
            for (const [of, level] of Object.entries(levels())) this.set({ of }, level);
          },
        });
      },
    },
    eventToAck: createLatencyHistogram(registry, {
      name: 'isthmus_event_to_ack_seconds',
      help: 'From the reading of a registry event to each proxy’s ACK of the first response that contains it.',
      labels: ['type', 'source'],
    }),
    eventToLastAck: createLatencyHistogram(registry, {
      name: 'isthmus_event_to_last_ack_seconds',
      help: 'The same, to the ACK of the last proxy that the event concerns; type all: over all types.',
      labels: ['type', 'source'],
    }),
    pushStage: createLatencyHistogram(registry, {
      name: 'isthmus_push_stage_seconds',
      help: 'Parts of event → ACK: queue, plan, encode once for each push, send and ack for each proxy and type.',
      labels: ['stage', 'type', 'source'],
    }),
    fromSnapshot: sourceGauge(
      'source_from_snapshot',
      'Whether objects of a source come from its last good state on disk: 1, else 0.',
    ),
    snapshotAge: sourceGauge(
      'snapshot_age_seconds',
      'Time since the last good state on disk was known to equal the state of its source.',
    ),
    repaired: counter(
      'reconcile_repairs_total',
      'Objects of which the index differed from their source, repaired: missed events. 0 is expected.',
      ['source'],
    ),
    latePushes: counter('late_pushes_total', 'Pushes that a proxy had not ACKed in the stated time.', [
      'source',
    ]),
    lateProxies: gauge(
      'late_proxies',
      'Connected proxies that have not ACKed a push in the stated time.',
      [],
    ),
    failbackShare: {
      readFrom(held) {
        new Gauge({
          name: 'isthmus_failback_share_percent',
          help: 'The local share of requests of a Group in failback, by Group; others are not listed.',
          labelNames: ['group'],
          registers,
          collect() {
            this.reset();
            for (const [group, share] of held()) this.set({ group }, share);
          },
        });
      },
    },
    deletionsPending: gauge('deletions_pending', 'Deletions that wait for proxies.', []),
    deletionsReleased: counter(
      'deletions_released_total',
      'Deleted instances, by cause: acked, or no longer waited for, as a proxy was disconnected or over the limit.',
      ['cause'],
    ),
    deletionRelease: createLatencyHistogram(registry, {
      name: 'isthmus_deletion_release_seconds',
      help: 'From the deletion of an instance to its release: every proxy that had it has ACKed, or was given up.',
      labels: ['cause'],
    }),
    eventLoopStall: new Histogram({
      name: 'isthmus_event_loop_stall_seconds',
      help: 'Stalls of the event loop of half a second and more, in which nothing was read, written or answered.',
      buckets: [0.5, 1, 2, 5, 10, 30, 60],
      registers,
    }),
    events: counter('events_total', 'Events, by kind and phase (docs/events.md).', ['kind', 'phase']),
    eventsDropped: {
      readFrom(count) {
        new Counter({
          name: 'isthmus_events_dropped_total',
          help: 'Events that were not kept: too many of a kind, or the disk did not take them.',
          registers,
          collect() {
            this.reset();
            this.inc(count());
          },
        });
      },
    },
    failedOver: {
      readFrom(count) {
        new Gauge({
          name: 'isthmus_groups_failed_over',
          help: 'Groups of which no instance of this IDC can serve, as far as the control plane knows.',
          registers,
          collect() {
            this.set(count());
          },
        });
      },
    },
    shedding: gauge(
      'memory_shedding',
      'Whether new streams are refused as the heap is nearly full: 1, else 0.',
      [],
    ),
    nacks: counter('nacks_total', 'Responses that a proxy rejected, by resource type.', ['type']),
    refusedAgain: counter(
      'nacks_again_total',
      'Of these, repeated refusals of the same content: it is offered again after a pause.',
      ['type'],
    ),
    acked: acksCounter(registers),
    streamsRefused: counter(
      'streams_refused_total',
      'xDS streams ended because of their client’s input, by code: invalid, exhausted, forbidden, late, unsupported.',
      ['code'],
    ),
    proxies: gauge('proxies', 'Connected proxies, by role.', ['role']),
    changes: counter('registry_changes_total', 'Registry events, by type (upsert, delete).', ['type']),
    problems: gauge('registry_problems', 'Current problems of registry objects, by severity.', ['severity']),
    findings: gauge(
      'findings',
      'What is wrong, or probably not meant, by code and severity (docs/findings.md).',
      ['code', 'severity'],
    ),
    ready: gauge('ready', 'Whether xDS is answered: 1, else 0.', []),
    groups: gauge('groups', 'Known Groups.', []),
    loopPrevention: gauge('loop_prevention', 'Whether loop prevention is on: 1, else 0.', []),
    refused: counter(
      'resources_refused_total',
      'Resources that could not be encoded, and were not pushed.',
      [],
    ),
    filterFailures: counter(
      'filter_failures_total',
      'Filters that were not pushed: compiling or vectors failed.',
      [],
    ),
  };
}

/** `inc` with labels takes longer than the rest of the work on an ACK: the counts are kept apart. */
function acksCounter(registers: Registry[]): Metrics['acked'] {
  const counts = new Map<string, number>();
  new Counter({
    name: 'isthmus_acks_total',
    help: 'Responses that a proxy accepted, by resource type.',
    ...{ labelNames: ['type'], registers },
    collect() {
      this.reset();
      for (const [type, count] of counts) this.inc({ type }, count);
    },
  });
  return (type) => void counts.set(type, (counts.get(type) ?? 0) + 1);
}
