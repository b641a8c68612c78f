import { MeshError } from '../../base/error.ts';
import { compareText } from '../../base/text/compare-text.ts';
import { callHttp } from '../../client/answers/http-call.ts';
import { type NodeRole, nodeMetadataKey, parseNodeScope } from '../../model/node.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import type { ProxyCounts } from './proxy-counts.ts';

/** An Envoy that is read, and its identity. */
export interface ReadProxy {
  /** Its admin interface. */
  readonly admin: ListenAddress;
  readonly id: string;
  readonly idc: string;
  readonly role: NodeRole;
}

/** Requests in flight from a proxy to local instances of a Group. */
export interface RequestsUnderWay {
  /** HOST:PORT. */
  readonly group: string;
  /** Requests and streams. */
  readonly requests: number;
  /** Including idle ones. */
  readonly connections: number;
}

const filter = [
  '^http\\.(outbound|edge)\\.downstream_rq_(completed|5xx|time)$',
  '^cluster\\.(instances/.*|egress)\\.upstream_rq_(total|active|(active|pending)_overflow)$',
  '^cluster\\.instances/.*\\.upstream_cx_active$',
  '^cluster\\.(instances|failover)/.*\\.upstream_rq_retry$',
  '^cluster\\.(idcs|away)/.*\\.upstream_cx_none_healthy$',
].join('|');

interface Stat {
  readonly name?: string;
  readonly value?: number;
  readonly histograms?: readonly {
    readonly name: string;
    readonly buckets: readonly { readonly upper_bound: number; readonly cumulative: number }[];
  }[];
}

/**
 * Identifies an Envoy. Throws MeshError `unavailable` if it does not answer, `invalid` if it is not of a
 * mesh.
 */
export async function identifyProxy(admin: ListenAddress, timeoutMs: number): Promise<ReadProxy> {
  const { node } = (await ask(admin, '/server_info', timeoutMs)) as {
    readonly node?: { readonly id?: string; readonly metadata?: unknown };
  };
  try {
    const { idc, role } = parseNodeScope(node?.metadata);
    return { admin, id: node?.id ?? '', idc, role };
  } catch (cause) {
    const message = `the Envoy at ${showAddress(admin)} has no valid scope in node.metadata.${nodeMetadataKey}: ${MeshError.from(cause).message}`;
    throw new MeshError('invalid', message, { cause });
  }
}

/** Reads an Envoy's counts from its admin interface. Throws MeshError `unavailable` if it does not answer. */
export async function readProxy(
  admin: ListenAddress,
  timeoutMs: number,
): Promise<ProxyCounts & { readonly underWay: readonly RequestsUnderWay[] }> {
  const query = new URLSearchParams({ format: 'json', histogram_buckets: 'cumulative', filter });
  const { stats } = (await ask(admin, `/stats?${query}`, timeoutMs)) as { readonly stats: readonly Stat[] };
  const sum = (ends: RegExp) =>
    stats.reduce((total, { name = '', value = 0 }) => (ends.test(name) ? total + value : total), 0);
  const latencies = new Map<number, number>();
  for (const { name, buckets } of stats.flatMap(({ histograms = [] }) => histograms))
    if (/^http\.(outbound|edge)\.downstream_rq_time$/.test(name))
      for (const { upper_bound, cumulative } of buckets)
        latencies.set(upper_bound, (latencies.get(upper_bound) ?? 0) + cumulative);
  return {
    requests: sum(/^http\..*downstream_rq_completed$/),
    errors: sum(/^http\..*downstream_rq_5xx$/),
    nobody: sum(/^cluster\.(idcs|away)\/.*upstream_cx_none_healthy$/),
    overflow: sum(/upstream_rq_(active|pending)_overflow$/),
    retries: sum(/upstream_rq_retry$/),
    local: sum(/^cluster\.instances\/.*upstream_rq_total$/),
    crossing: sum(/^cluster\.egress\.upstream_rq_total$/),
    latencies,
    underWay: underWayOf(stats),
  };
}

/** Groups with requests in flight to their instances, most requests first. */
function underWayOf(stats: readonly Stat[]): readonly RequestsUnderWay[] {
  const found = new Map<string, RequestsUnderWay>();
  for (const { name = '', value = 0 } of stats) {
    const [, host, port, what] = /^cluster\.instances\/(.+)_(\d+)\.upstream_(rq|cx)_active$/.exec(name) ?? [];
    if (host === undefined || value === 0) continue;
    const group = `${host}:${port}`;
    const one = found.get(group) ?? { group, requests: 0, connections: 0 };
    found.set(group, { ...one, [what === 'rq' ? 'requests' : 'connections']: value });
  }
  return [...found.values()].sort((a, b) => b.requests - a.requests || compareText(a.group, b.group));
}

async function ask(at: ListenAddress, path: string, silenceMsMax: number): Promise<object> {
  try {
    const { status, text } = await callHttp({ at, path, silenceMsMax });
    if (status !== 200) throw new Error(`it answers ${status}`);
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== 'object' || answer === null) throw new Error('its answer is not a JSON object');
    return answer;
  } catch (cause) {
    const message = `the Envoy at ${showAddress(at)} does not answer: ${(cause as Error).message}`;
    throw new MeshError('unavailable', message, { cause });
  }
}
