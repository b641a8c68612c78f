import { compareText } from '../../../base/text/compare-text.ts';
import { type Call, callMs } from '../../call/call.ts';
import { type Row, timedBy } from '../../judge/row.ts';
import { quantile } from '../../judge/stats.ts';
import { type Sample, succeeded } from '../../load/sample.ts';
import { type Execution, overlapsOf } from '../../measure/executions.ts';
import type { RealMeasurement } from './facts.ts';

/** Bounds while nothing is broken. Times in milliseconds. */
const realBounds = {
  /** A piece of a stream may be so much later than it was due. */
  pieceLateMs: 1000,
  /** Of a load that is mixed enough: at least so many requests of each kind. */
  eachKind: 1,
  slowestMs: 10_000,
  largestBytes: 4 * 1024 * 1024,
} as const;

/** Requests that ended before anything was broken. */
export function healthyOf(m: RealMeasurement): Sample[] {
  return m.samples.filter(({ end }) => end <= m.healthyTo);
}

/** What must hold while nothing is broken. */
export function healthyRows(
  m: RealMeasurement,
  executions: ReadonlyMap<string, readonly Execution[]>,
  kinds: readonly string[],
): Row[] {
  const healthy = healthyOf(m);
  return [
    mixedRow(healthy, kinds),
    executedRow(healthy, executions),
    overlapRow(m, executions),
    ejectionRow(m),
    cutRow(healthy),
    aliveRow(healthy),
    bytesRow(healthy, 'bodies', 'HTTP and gRPC', ({ kind }) => kind === 'http' || kind === 'grpc'),
    bytesRow(healthy, 'tcp-bytes', 'TCP, in either order of closing,', ({ kind }) => kind === 'tcp'),
  ];
}

/** A load that is not what it should be would prove nothing. */
function mixedRow(healthy: readonly Sample[], kinds: readonly string[]): Row {
  const calls = callsOf(healthy);
  const missing = kinds.filter(
    (kind) => calls.filter(({ shape }) => shape === kind).length < realBounds.eachKind,
  );
  const most = (pick: (call: Call) => number) => Math.max(0, ...calls.map(pick));
  const [slowest, body, answer] = [
    most(({ workMs }) => workMs),
    most(({ bodyBytes }) => bodyBytes),
    most(({ answerBytes }) => answerBytes),
  ];
  const large = Math.min(body, answer) >= realBounds.largestBytes;
  return {
    id: 'mixed',
    claim: 'The load before the first fault had requests of each kind, including slow and large ones',
    bound: `${kinds.length} kinds, ≥ ${realBounds.slowestMs / 1000} s, ≥ ${mebi(realBounds.largestBytes)} each way`,
    measured:
      `${kinds.length - missing.length} kinds${missing.length > 0 ? ` (no ${missing.join(', no ')})` : ''}, ` +
      `${calls.length} requests, up to ${(slowest / 1000).toFixed(1)} s, ${mebi(body)} and ${mebi(answer)}`,
    ok: missing.length === 0 && slowest >= realBounds.slowestMs && large,
  };
}

/** Each request was executed as often as it was sent: once. */
function executedRow(healthy: readonly Sample[], executions: ReadonlyMap<string, readonly Execution[]>): Row {
  const byMethod = Map.groupBy(healthy, methodOf);
  const count = (list: readonly Sample[]) =>
    list.reduce((sum, { id }) => sum + (executions.get(id)?.length ?? 0), 0);
  const told = [...byMethod]
    .sort(([a], [b]) => compareText(a, b))
    .map(([method, list]) => `${method} ${count(list)} of ${list.length}`);
  const wrong = healthy.filter(({ id }) => executions.get(id)?.length !== 1);
  const example = wrong[0] ? `; first ${wrong[0].id}: ${executions.get(wrong[0].id)?.length ?? 0} times` : '';
  return {
    id: 'executed-once',
    claim: 'Executions at instances compared with requests, before the first fault',
    bound: 'equal, each request once',
    measured: `${count(healthy)} of ${healthy.length} (${told.join(', ')}${example})`,
    ok: healthy.length > 0 && wrong.length === 0,
  };
}

function overlapRow(m: RealMeasurement, executions: ReadonlyMap<string, readonly Execution[]>): Row {
  const wrong = m.samples.filter(
    (sample) => overlapsOf(sample, executions.get(sample.id) ?? [], m.faults) > 0,
  );
  return {
    id: 'overlaps',
    claim: 'Requests of which two executions overlapped, in all phases',
    bound: '0',
    measured: wrong.length === 0 ? '0' : `${wrong.length} (first ${wrong[0]?.id}, ${wrong[0]?.call?.shape})`,
    ok: wrong.length === 0,
  };
}

function ejectionRow({ ejections, askedProxies }: RealMeasurement): Row {
  const count = ejections.reduce((sum, each) => sum + each.count, 0);
  const where = ejections.slice(0, 3).map((each) => `${each.count} by ${each.proxy} from ${each.cluster}`);
  return {
    id: 'ejections',
    claim: 'Ejections by outlier detection before the first fault',
    bound: '0',
    measured: count === 0 ? `0 by ${askedProxies} proxies` : `${count} (${where.join(', ')})`,
    ok: askedProxies > 0 && count === 0,
  };
}

function cutRow(healthy: readonly Sample[]): Row {
  const failed = healthy.filter((sample) => !succeeded(sample));
  const byShape = [...Map.groupBy(failed, callShapeOf)].map(([shape, list]) => `${list.length} ${shape}`);
  const example = failed[0] ? `: ${byShape.join(', ')}; first: ${failed[0].error}` : '';
  return {
    id: 'cut',
    claim: 'Requests that failed or were cut, before the first fault',
    bound: '0',
    measured: `${failed.length} of ${healthy.length}${example}`,
    ok: healthy.length > 0 && failed.length === 0,
  };
}

function aliveRow(healthy: readonly Sample[]): Row {
  const streams = healthy.filter(({ call, gapMs }) => call && gapMs !== undefined);
  const lateness = streams.map(({ call, gapMs = 0 }) => gapMs - (call?.everyMs ?? 0));
  const worst = Math.max(0, ...lateness);
  const longest = Math.max(0, ...streams.map(({ call }) => (call ? callMs(call) : 0)));
  const quiet = Math.max(0, ...streams.map(({ call }) => call?.everyMs ?? 0));
  return {
    id: 'streams',
    claim:
      'Streams whose pieces arrived in time: events, downloads, websockets, gRPC streams and TCP sessions',
    bound: `each piece ≤ ${realBounds.pieceLateMs / 1000} s late`,
    measured:
      `${streams.length} streams, up to ${(longest / 1000).toFixed(0)} s long, quiet for up to ` +
      `${(quiet / 1000).toFixed(0)} s; latest piece ${worst.toFixed(0)} ms late`,
    ok: streams.length > 0 && worst <= realBounds.pieceLateMs,
    ...(streams.length > 0 && timedBy(worst)),
  };
}

function bytesRow(
  healthy: readonly Sample[],
  id: string,
  what: string,
  wanted: (call: Call) => boolean,
): Row {
  const all = healthy.filter(({ call }) => call && wanted(call));
  const whole = callsOf(all.filter(succeeded));
  const sum = (pick: (call: Call) => number) => whole.reduce((total, call) => total + pick(call), 0);
  return {
    id,
    claim: `Bodies of ${what} are complete at both ends, by length and hash`,
    bound: '100 %',
    measured: `${whole.length} of ${all.length}, ${mebi(sum((c) => c.bodyBytes))} sent, ${mebi(sum((c) => c.answerBytes))} received`,
    ok: all.length > 0 && whole.length === all.length,
  };
}

/** Time beyond what each request asked for: what proxies, network and processors add, in milliseconds. */
export function overheadOf(samples: readonly Sample[]): { readonly p50: number; readonly p99: number } {
  const times = samples
    .filter(succeeded)
    .map(({ due, end, call }) => end - due - (call ? callMs(call) : 0))
    .sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

export const callShapeOf = ({ call }: Sample): string => call?.shape ?? 'GET';

/** Of HTTP the method; of the others the protocol. */
export function methodOf({ call }: Sample): string {
  if (!call || call.kind === 'http') return call?.method ?? 'GET';
  return call.kind === 'websocket' ? 'websocket' : call.kind.startsWith('grpc') ? 'gRPC' : 'TCP';
}

function callsOf(samples: readonly Sample[]): Call[] {
  return samples.flatMap(({ call }) => call ?? []);
}

function mebi(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
