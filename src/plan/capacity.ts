import type { GroupSpill } from '../model/capacity.ts';
import type { Idc } from '../model/idc.ts';
import { addressName } from '../model/reach.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';

/** What a Group gets that says nothing. */
const spillDefaults = {
  /** What others may take up of an IDC's capacity, percent. */
  sharePercent: 100,
  class: 'default',
  /** What is left of its share to a Group that is not critical, in an IDC where one is. */
  besideCritical: 0.5,
} as const;

/** What decides how many requests from other IDCs an ingress gateway has in work at once. */
export interface SpillInput {
  /** Instances of the Group in this IDC. */
  readonly instances: number;
  /** Requests that each of them works on at once. */
  readonly concurrentPerInstance: number;
  /** What others may take up of that, percent. */
  readonly sharePercent: number;
  /** Ingress gateways among which requests from other IDCs are divided; those that are dead do not count. */
  readonly gateways: number;
}

/**
 * How many requests of a Group that come from other IDCs one ingress gateway has in work at once: the
 * instances' capacity × the share ÷ gateways, rounded up, at least 1. A limit on concurrency lets in what the
 * own users leave without knowing them: as they slow instances down, it is worth fewer requests a second
 * (docs/decisions/094-the-receiver-bounds-what-comes.md).
 */
export function spillLimit({ instances, concurrentPerInstance, sharePercent, gateways }: SpillInput): number {
  const limit = (instances * concurrentPerInstance * sharePercent) / 100 / Math.max(1, gateways);
  // Not 0 without instances: "nobody is there" says more than "nobody has room".
  return Math.max(1, Math.ceil(limit - 1e-9));
}

/**
 * How many of these count: those that are not known to be dead; all where all are, as who looked may be at
 * fault.
 */
export function countLive(all: readonly ListenAddress[], unreached: ReadonlySet<string>): number {
  const live = all.filter((one) => !unreached.has(addressName(one))).length;
  return live === 0 ? all.length : live;
}

/** What an instance of a Group in this IDC bears; undefined: nobody has said it. */
export function concurrentPerInstance(
  spill: GroupSpill | undefined,
  own: Idc | undefined,
): number | undefined {
  const idc = own?.meta.name;
  const byIdc = spill?.concurrentByIdc;
  const here = idc !== undefined && byIdc !== undefined && Object.hasOwn(byIdc, idc) ? byIdc[idc] : undefined;
  return here ?? spill?.concurrentPerInstance ?? own?.spec.capacity?.concurrentPerInstance;
}

/** The share of a Group in this IDC, percent: `beside` says whether a critical Group is here too. */
export function spillShare(spill: GroupSpill | undefined, beside: boolean): number {
  const { sharePercent = spillDefaults.sharePercent, class: given = spillDefaults.class } = spill ?? {};
  return beside && given !== 'critical' ? sharePercent * spillDefaults.besideCritical : sharePercent;
}
