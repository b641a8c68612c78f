import { readStats } from '../../envoy.ts';
import type { Moment } from '../../fault.ts';
import type { Measurement } from '../../measurement.ts';
import { proxiesOf, type Topology } from '../../topology.ts';
import type { OutageKind } from '../outage/kinds.ts';

/** Faults of this drill, in their order. */
export const faultKinds = ['kill', 'stop', 'drop'] as const satisfies readonly OutageKind[];
export type FaultKind = (typeof faultKinds)[number];

/** One loss of the instances of an IDC, and its healing. */
export interface Fault {
  readonly kind: FaultKind;
  readonly blow: Moment;
  /** Instances, such as `sh-a/checkout-1`. */
  readonly struck: readonly string[];
  readonly healed: Moment;
  /** When all of them answered again; NaN when they did not before the next fault. */
  readonly healthyAt: number;
}

/** Ejections by one proxy from one cluster. */
export interface Ejections {
  readonly proxy: string;
  readonly cluster: string;
  readonly count: number;
}

/** What this drill adds to what every drill measures. */
export interface RealFacts {
  /** Until when nothing was broken: the first blow, or the end. */
  readonly healthyTo: number;
  /** From the beginning of the load until then, zeroes left out. */
  readonly ejections: readonly Ejections[];
  /** Proxies that told their ejections. */
  readonly askedProxies: number;
  readonly faults: readonly Fault[];
  /** Where each instance takes requests, as `address:port`. */
  readonly addresses: Readonly<Record<string, string>>;
}

export type RealMeasurement = Measurement & RealFacts;

/** Ejections of all proxies so far, by `PROXY CLUSTER`. Rejects when a proxy does not tell. */
export async function readEjections(topology: Topology): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const read = proxiesOf(topology).map(async ({ idc, name, admin }) => {
    const stats = await readStats(admin, '^cluster\\..*\\.outlier_detection\\.ejections_enforced_total$');
    for (const [stat, count] of stats) {
      const cluster = stat.slice('cluster.'.length, stat.indexOf('.outlier_detection.'));
      counts.set(`${idc}/${name} ${cluster}`, count);
    }
  });
  await Promise.all(read);
  return counts;
}

/** What was ejected between two readings. */
export function ejectedBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Ejections[] {
  return [...after].flatMap(([key, count]) => {
    const [proxy = '', cluster = ''] = key.split(' ');
    const more = count - (before.get(key) ?? 0);
    return more === 0 ? [] : [{ proxy, cluster, count: more }];
  });
}
