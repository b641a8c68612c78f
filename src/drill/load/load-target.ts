import type { ListenAddress } from '../../model/values/listen-address.ts';

/** Picks the addresses to try for a request, in order. */
export interface TargetPicker {
  /** All addresses, best first: tier by tier, each tier by turn, those that lately refused last. */
  order(nowMs: number): readonly ListenAddress[];
  /** Says that an address did not accept a connection. */
  refused(target: ListenAddress, nowMs: number): void;
}

/**
 * Clients of the edge connect to the first IDC that accepts: `tiers` are the IDCs in order, each with its
 * gateways. An address that refused is put last for `avoidMs`, then it is tried again.
 */
export function createTargetPicker(
  tiers: readonly (readonly ListenAddress[])[],
  avoidMs = 500,
): TargetPicker {
  const avoidUntil = new Map<ListenAddress, number>();
  let turn = 0;
  return {
    order(nowMs) {
      const at = turn++;
      const all = tiers.flatMap((tier) => tier.map((_, i) => tier[(at + i) % tier.length] as ListenAddress));
      if (avoidUntil.size === 0) return all;
      const avoided = (target: ListenAddress) => (avoidUntil.get(target) ?? 0) > nowMs;
      return [...all.filter((target) => !avoided(target)), ...all.filter(avoided)];
    },
    refused(target, nowMs) {
      avoidUntil.set(target, nowMs + avoidMs);
    },
  };
}
