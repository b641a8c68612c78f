import { MeshError } from '../base/error.ts';
import { parseDurationMs } from '../model/duration.ts';
import type { ListenAddress } from '../model/node.ts';
import { showAddress } from './address.ts';

/** One condition on which a change is given up. `limit`: milliseconds for `p99`, a share of requests for the others. */
export interface AbortCondition {
  readonly what: 'p99' | 'errors' | 'no-idc' | 'spill-limit';
  readonly limit: number;
}

/** What the proxies of a place have counted since they started. */
export interface ProxyCounts {
  readonly requests: number;
  readonly errors: number;
  /** Requests for which nobody was left to be tried. */
  readonly nobody: number;
  /** Requests that a limit on what may be under way refused. */
  readonly overflow: number;
  /** Requests by how long they took: no longer than so many milliseconds, all that took less included. */
  readonly took: ReadonlyMap<number, number>;
}

/** Fewer requests than this say nothing. */
export const requestsMin = 20;

const pattern = /^(p99|errors|no-idc|spill-limit)\s*>\s*(\S+)$/;

/** Reads `p99>500ms or errors>0.1%`. Throws MeshError `invalid`. */
export function parseAbortOn(text: string): readonly AbortCondition[] {
  return text.split(/\s+or\s+|,/).map((part) => {
    const [, what = '', bound = ''] = pattern.exec(part.trim()) ?? [];
    const percent = /^([0-9]+(?:\.[0-9]+)?)%$/.exec(bound)?.[1];
    const limit = what === 'p99' ? parseDurationMs(bound) : percent && Number(percent) / 100;
    if (typeof limit !== 'number') {
      const message = `'${part.trim()}' is no condition: write p99>500ms, errors>0.1%, no-idc>1% or spill-limit>1%, several with or`;
      throw new MeshError('invalid', message);
    }
    return { what: what as AbortCondition['what'], limit };
  });
}

/** What was counted between two looks; a proxy that started anew meanwhile counts from 0. */
export function countsBetween(before: ProxyCounts, after: ProxyCounts): ProxyCounts {
  const more = (a: number, b: number) => (b < a ? b : b - a);
  return {
    requests: more(before.requests, after.requests),
    errors: more(before.errors, after.errors),
    nobody: more(before.nobody, after.nobody),
    overflow: more(before.overflow, after.overflow),
    took: new Map([...after.took].map(([ms, count]) => [ms, more(before.took.get(ms) ?? 0, count)])),
  };
}

/** The sum over several proxies. */
export function sumOf(list: readonly ProxyCounts[]): ProxyCounts {
  const took = new Map<number, number>();
  for (const one of list) for (const [ms, count] of one.took) took.set(ms, (took.get(ms) ?? 0) + count);
  const sum = (key: 'requests' | 'errors' | 'nobody' | 'overflow') =>
    list.reduce((total, one) => total + one[key], 0);
  return {
    requests: sum('requests'),
    errors: sum('errors'),
    nobody: sum('nobody'),
    overflow: sum('overflow'),
    took,
  };
}

/** Milliseconds within which 99 % were answered, as far as buckets tell: the upper bound of one. */
export function p99Of({ took }: ProxyCounts): number {
  const buckets = [...took].sort(([a], [b]) => a - b);
  const all = Math.max(0, ...took.values());
  return buckets.find(([, count]) => count >= 0.99 * all)?.[0] ?? 0;
}

/** Why a change is to be given up, in words; undefined: it is not, or there were too few requests to say. */
export function violationOf(seen: ProxyCounts, conditions: readonly AbortCondition[]): string | undefined {
  if (seen.requests < requestsMin) return undefined;
  for (const { what, limit } of conditions) {
    const value = what === 'p99' ? p99Of(seen) : partOf(seen, what) / seen.requests;
    if (value > limit) return `${what} is ${shown(what, value)}, more than ${shown(what, limit)}`;
  }
  return undefined;
}

function partOf({ errors, nobody, overflow }: ProxyCounts, what: AbortCondition['what']): number {
  return what === 'errors' ? errors : what === 'no-idc' ? nobody : overflow;
}

function shown(what: AbortCondition['what'], value: number): string {
  return what === 'p99' ? `${value} ms` : `${Math.round(value * 10_000) / 100} %`;
}

/** What stays under way at a proxy. */
export interface UnderWay {
  /** Requests and streams to instances of the own IDC. */
  readonly requests: number;
  readonly connections: number;
}

const filter =
  '^http\\.(outbound|edge)\\.downstream_rq_(completed|5xx|time)$|none_healthy$|upstream_rq_pending_overflow$|^cluster\\.instances/.*\\.upstream_(rq|cx)_active$';

interface Stat {
  readonly name?: string;
  readonly value?: number;
  readonly histograms?: readonly {
    readonly name: string;
    readonly buckets: readonly { readonly upper_bound: number; readonly cumulative: number }[];
  }[];
}

/** What an Envoy has counted, by its admin interface. Throws MeshError `unavailable` when it does not answer. */
export async function readProxy(
  admin: ListenAddress,
  timeoutMs: number,
): Promise<ProxyCounts & { readonly underWay: UnderWay }> {
  const { request } = await import('undici');
  const query = new URLSearchParams({ format: 'json', histogram_buckets: 'cumulative', filter });
  let stats: readonly Stat[];
  try {
    const options = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
    const { body } = await request(`http://${showAddress(admin)}/stats?${query}`, options);
    stats = ((await body.json()) as { stats: readonly Stat[] }).stats;
  } catch (cause) {
    const message = `the Envoy at ${showAddress(admin)} does not answer: ${(cause as Error).message}`;
    throw new MeshError('unavailable', message, { cause });
  }
  const sum = (ends: RegExp) =>
    stats.reduce((total, { name = '', value = 0 }) => (ends.test(name) ? total + value : total), 0);
  const took = new Map<number, number>();
  for (const { name, buckets } of stats.flatMap(({ histograms = [] }) => histograms))
    if (/^http\.(outbound|edge)\.downstream_rq_time$/.test(name))
      for (const { upper_bound, cumulative } of buckets)
        took.set(upper_bound, (took.get(upper_bound) ?? 0) + cumulative);
  return {
    requests: sum(/^http\..*downstream_rq_completed$/),
    errors: sum(/^http\..*downstream_rq_5xx$/),
    nobody: sum(/^cluster\.idcs\/.*upstream_cx_none_healthy$/),
    overflow: sum(/upstream_rq_pending_overflow$/),
    took,
    underWay: { requests: sum(/upstream_rq_active$/), connections: sum(/upstream_cx_active$/) },
  };
}
