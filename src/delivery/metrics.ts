import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds; from a push on loopback to one that waits for a slow proxy. */
const ackBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/** What the control plane shows of itself on `/metrics` (Prometheus text format). */
export interface Metrics {
  readonly registry: Registry;
  readonly eventToAck: Histogram<'type' | 'stage'>;
  readonly nacks: Counter<'type'>;
  readonly acks: Counter<'type'>;
  readonly proxies: Gauge<'role'>;
  readonly changes: Counter<'type'>;
  readonly problems: Gauge<'severity'>;
  readonly ready: Gauge;
  readonly groups: Gauge;
  readonly filterFailures: Counter;
  readonly refused: Counter;
}

/** Makes a registry of its own, so that several control planes may live in one process. */
export function createMetrics(idc: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ idc });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `isthmus_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name: `isthmus_${name}`, help, labelNames, registers });
  return {
    registry,
    eventToAck: new Histogram({
      name: 'isthmus_event_to_ack_seconds',
      help: 'From the reading of a registry event to a proxy’s ACK, by resource type and stage (queue, ack, total).',
      labelNames: ['type', 'stage'],
      buckets: ackBuckets,
      registers,
    }),
    nacks: counter('nacks_total', 'Responses that a proxy rejected, by resource type.', ['type']),
    acks: counter('acks_total', 'Responses that a proxy accepted, by resource type.', ['type']),
    proxies: gauge('proxies', 'Connected proxies, by role.', ['role']),
    changes: counter('registry_changes_total', 'Registry events, by type (upsert, delete).', ['type']),
    problems: gauge('registry_problems', 'Current problems of registry objects, by severity.', ['severity']),
    ready: gauge('ready', 'Whether xDS is answered: 1, else 0.', []),
    groups: gauge('groups', 'Groups that are known.', []),
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
