import type { GroupSpill } from '../model/capacity.ts';
import type { Idc } from '../model/idc.ts';
import { addressName } from '../model/reach.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';

/** Defaults of a Group that declares nothing. */
const spillDefaults = {
  /** Percentage of an IDC's capacity that others may use. */
  sharePercent: 100,
  class: 'default',
  /** Part of its share left to a Group that is not critical, in an IDC with a critical one. */
  besideCritical: 0.5,
} as const;

/** Input of the limit on concurrent requests from other IDCs at an ingress gateway. */
export interface SpillInput {
  /** Instances of the Group in this IDC. */
  readonly instances: number;
  /** Concurrent requests that each of them serves. */
  readonly concurrentPerInstance: number;
  /** Percentage of that which others may use. */
  readonly sharePercent: number;
  /** Live ingress gateways, which divide requests from other IDCs. */
  readonly gateways: number;
}

/**
 * The limit on concurrent requests of a Group from other IDCs at one ingress gateway: capacity of the
 * instances × share ÷ gateways, rounded up, at least 1. A concurrency limit needs no knowledge of local load:
 * as that slows instances down, the same limit admits fewer requests a second
 * (docs/decisions/094-the-receiver-bounds-what-comes.md).
 */
export function spillLimit({ instances, concurrentPerInstance, sharePercent, gateways }: SpillInput): number {
  const limit = (instances * concurrentPerInstance * sharePercent) / 100 / Math.max(1, gateways);
  // At least 1 even without instances: "no instances" is a better answer than "no capacity".
  return Math.max(1, Math.ceil(limit - 1e-9));
}

/** The number not known to be dead; if all are, all, as the prober may be at fault. */
export function countLive(all: readonly ListenAddress[], unreached: ReadonlySet<string>): number {
  const live = all.filter((one) => !unreached.has(addressName(one))).length;
  return live === 0 ? all.length : live;
}

/** The capacity of an instance of a Group in this IDC; undefined: not declared. */
export function concurrentPerInstance(
  spill: GroupSpill | undefined,
  localIdc: Idc | undefined,
): number | undefined {
  const idc = localIdc?.meta.name;
  const byIdc = spill?.concurrentByIdc;
  const here = idc !== undefined && byIdc !== undefined && Object.hasOwn(byIdc, idc) ? byIdc[idc] : undefined;
  return here ?? spill?.concurrentPerInstance ?? localIdc?.spec.capacity?.concurrentPerInstance;
}

/** A Group's share in this IDC, percent; `beside`: a critical Group has instances here too. */
export function spillShare(spill: GroupSpill | undefined, beside: boolean): number {
  const { sharePercent = spillDefaults.sharePercent, class: given = spillDefaults.class } = spill ?? {};
  return beside && given !== 'critical' ? sharePercent * spillDefaults.besideCritical : sharePercent;
}
