import { z } from 'zod';
import { beginningsOf } from '../../judge/circles.ts';
import { outagesOf } from '../../judge/reach.ts';
import type { Row } from '../../judge/row.ts';
import type { Sample } from '../../load/sample.ts';
import { type Execution, executionsOf } from '../../measure/executions.ts';
import { count } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';

/** Concurrent requests from other IDCs at an IDC's instances. */
export const spilledBound = bound(
  z.strictObject({ concurrentPerInstance: count(1, 1_000_000) }).meta({
    description:
      'No IDC has more concurrent requests from other IDCs than the capacity of its instances of the Group; twice that while a part of the IDC is struck.',
  }),
  (m) => [spilledRow(m)],
);

/**
 * How long after a part answers again limits may still count it wrongly, and work for it continues, in
 * milliseconds.
 */
const unsettledMs = 10_000;

/** The most concurrent requests from other IDCs that an IDC had for a Group, and the limit at that time. */
interface Peak {
  readonly idc: string;
  readonly group: string;
  readonly most: number;
  readonly allowed: number;
  readonly at: number;
}

/**
 * The worst moment of each IDC and Group. The limit is the capacity of the registered instances, each
 * gateway's part rounded up. It doubles while an instance or a gateway of the IDC is struck, and until limits
 * have settled: requests that came by a lost gateway are still in work when the others get its part
 * (docs/decisions/094-the-receiver-bounds-what-comes.md).
 */
export function peaksOf(m: ScenarioMeasurement): Peak[] {
  const { capacity } = m;
  if (capacity === undefined) return [];
  const { spans } = outagesOf({ faults: m.losses });
  return [...crossingsInWork(m)].map(([key, list]) => {
    const [idc = '', group = ''] = key.split('/');
    const bears = boundOf(m, idc, group, capacity);
    const struck = [...spans].flatMap(([name, each]) => (name.startsWith(`${idc}/`) ? each : []));
    const allowedAt = (at: number) =>
      struck.some(({ from, to }) => at >= from && at < to + unsettledMs) ? 2 * bears : bears;
    const edges = list
      .flatMap(({ from, to }) => [
        { at: from, by: 1 },
        { at: to, by: -1 },
      ])
      .sort((a, b) => a.at - b.at || a.by - b.by);
    let inWork = 0;
    let peak: Peak = { idc, group, most: 0, allowed: bears, at: Number.NaN };
    for (const { at, by } of edges) {
      inWork += by;
      const allowed = allowedAt(at);
      if (inWork - allowed > peak.most - peak.allowed || Number.isNaN(peak.at))
        peak = { idc, group, most: inWork, allowed, at };
    }
    return peak;
  });
}

/** The capacity of a Group's instances in an IDC, as its ingress gateways divide it among themselves. */
function boundOf(m: ScenarioMeasurement, idc: string, group: string, capacity: number): number {
  const gateways = gatewaysOf(m, idc);
  return gateways * Math.max(1, Math.ceil((partsOf(m, idc, group) * capacity) / gateways));
}

function gatewaysOf(m: ScenarioMeasurement, idc: string): number {
  return Math.max(1, partsOf(m, idc, 'ingress'));
}

/** How many instances of a Group, or gateways of a kind, an IDC has. */
function partsOf(m: ScenarioMeasurement, idc: string, kind: string): number {
  return Object.keys(m.addresses).filter((name) => name.startsWith(`${idc}/${kind}-`)).length;
}

/**
 * Executions of requests from another IDC, by IDC and Group; TCP has no limit. A killed gateway has not
 * logged requests in flight, so the IDC where a request began decides.
 */
function crossingsInWork(m: ScenarioMeasurement): Map<string, Execution[]> {
  const begun = beginningsOf(m);
  const samples = new Map(m.samples.map((sample) => [sample.id, sample]));
  const entered = new Set(
    m.access.filter(({ listener }) => listener === 'peer').map(({ id, idc }) => `${id} ${idc}`),
  );
  const found = [...executionsOf({ ...m, faults: m.losses }).values()]
    .flat()
    .filter(({ instance, entry: { id }, to }) => {
      const idc = instance.split('/')[0] ?? '';
      if (!Number.isFinite(to) || samples.get(id)?.call?.kind.startsWith('tcp')) return false;
      const from = begun.get(id);
      return from === undefined ? entered.has(`${id} ${idc}`) : from !== idc;
    });
  const until = waitedFor(m);
  const waited = found.map((execution) => ({ ...execution, to: Math.min(execution.to, until(execution)) }));
  return Map.groupBy(waited, ({ instance }) => instance.replace(/-\d+$/, ''));
}

/**
 * Until when a client waited for an execution, by its sidecar's log. An instance goes on with abandoned work,
 * which no limit counts.
 */
function waitedFor({ access }: ScenarioMeasurement): (execution: Execution) => number {
  const lines = Map.groupBy(
    access.filter(({ listener }) => listener === 'inbound'),
    ({ id, proxy }) => `${id} ${proxy}`,
  );
  return ({ instance, entry, from }) => {
    const own = lines.get(`${entry.id} ${instance}`) ?? [];
    const [first] = own.toSorted((a, b) => Math.abs(a.at - from) - Math.abs(b.at - from));
    return first === undefined ? Number.POSITIVE_INFINITY : first.at + first.durationMs;
  };
}

/**
 * Whether a try of a request was refused with `spill-limit`, and another IDC had, at some time of the
 * request's life, as many requests in work as one of its gateways admits for one instance.
 */
export function wasFull(m: ScenarioMeasurement): (sample: Sample, group: string) => boolean {
  const { capacity } = m;
  if (capacity === undefined) return () => false;
  const inWork = crossingsInWork(m);
  const refused = new Set(m.access.filter(({ outcome }) => outcome === 'spill-limit').map(({ id }) => id));
  return ({ id, sent, end, outcome }, group) => {
    if (outcome !== 'spill-limit' && !refused.has(id)) return false;
    return m.idcs.some((idc) => {
      const list = (inWork.get(`${idc}/${group}`) ?? []).filter(
        ({ entry, from, to }) => entry.id !== id && from <= end && to >= sent,
      );
      // Only one instance may be counted as up.
      return list.length >= Math.ceil(capacity / gatewaysOf(m, idc));
    });
  };
}

function spilledRow(m: ScenarioMeasurement): Row {
  const peaks = peaksOf(m).sort((a, b) => b.most - b.allowed - (a.most - a.allowed));
  const [worst] = peaks;
  const over = peaks.filter(({ most, allowed }) => most > allowed).length;
  return {
    id: 'spilled',
    claim:
      'Groups for which an IDC had more concurrent requests from other IDCs than the capacity of its instances',
    bound: '0',
    measured: worst
      ? `${over} of ${peaks.length}; the most: ${worst.most} of ${worst.group} in ${worst.idc}, ${worst.allowed} allowed`
      : 'nothing crossed',
    ok: over === 0,
  };
}
