import { compareText } from '../base/text/compare-text.ts';
import type { Idc } from '../model/idc.ts';
import type { SidecarScope } from '../model/node.ts';
import { addressKind } from '../model/values/address.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { trafficDefaults } from './retries/retry.ts';
import type { RetryPlan } from './types.ts';

/**
 * Destinations that a sidecar refuses, whatever name resolves to them: those of its own machine or link,
 * non-server ranges, and clouds' metadata (IANA's special-purpose registries).
 */
const refusedRanges: readonly string[] = [
  '0.0.0.0/8', // This machine: Linux connects 0.0.0.0 to loopback.
  '127.0.0.0/8',
  '169.254.0.0/16', // Link-local, with most clouds' metadata.
  '100.100.100.200/32', // Alibaba Cloud's metadata.
  '168.63.129.16/32', // Azure's.
  '192.0.0.0/24', // Protocol assignments; Oracle's metadata.
  '224.0.0.0/3', // Multicast, reserved, broadcast.
  '::/96', // Unspecified, loopback, IPv4-compatible.
  '::ffff:0:0/96', // IPv4-mapped.
  '64:ff9b::/104', // The same behind NAT64.
  '64:ff9b::7f00:0/104',
  '64:ff9b::a9fe:0/112',
  '2002::/16', // 6to4, deprecated.
  'fe80::/10',
  'fec0::/10', // Site-local, deprecated.
  'ff00::/8',
  'fd00:ec2::254/128', // Amazon's metadata.
  'fd20:ce::254/128', // Google's.
];

/** Limits of the lookup of hosts named by requests. Times in milliseconds. */
export const lookups = {
  /** Names with ports kept at once. */
  hostsMax: 512,
  /** A name unused for this long is forgotten. */
  unusedMs: 60_000,
  /** DNS timeout of the first request for a name. */
  answerMs: 5_000,
} as const;

/** How a sidecar passes requests on to hosts named by requests. */
export interface Passthrough {
  /** Refused IP ranges. */
  readonly ranges: readonly string[];
  /** Refused ports, at one address or at all. */
  readonly ports: readonly { readonly address?: string; readonly port: number }[];
}

/**
 * What one sidecar refuses: the ranges above, itself, and the ports of all IDCs' gateways for other proxies,
 * since requests must not enter gateways that way. The edge's port is public.
 */
export function planPassthrough(
  { outbound }: Pick<SidecarScope, 'outbound'>,
  idcs: ReadonlyMap<string, Idc>,
): Passthrough {
  const gateways = [...idcs.values()].flatMap(({ spec }): ListenAddress[] => [
    ...spec.ingress.map(({ address, peerPort }) => ({ address, port: peerPort })),
    ...spec.egress.flatMap(({ address, sidecarPort, ingressPort }) => [
      { address, port: sidecarPort },
      { address, port: ingressPort },
    ]),
  ]);
  const ports = [...(outbound === undefined ? [] : [outbound]), ...gateways].filter(
    ({ address }) => addressKind(address) === 'ip',
  );
  const byText = new Map(ports.map((one) => [`${one.address} ${one.port}`, one]));
  return {
    ranges: refusedRanges,
    ports: [...byText]
      .sort(([a], [b]) => compareText(a, b))
      .map(([, { address, port }]) => (isAny(address) ? { port } : { address, port })),
  };
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || /^[0:]+$/.test(address);
}

/**
 * An external host has one address at a time, and nothing else is known: retried once if it was never
 * reached, or for a safe method on a broken connection. Its own answers are passed on.
 */
export const passthroughRetry: RetryPlan = {
  timeoutMs: trafficDefaults.timeoutMs,
  idempotentMethods: trafficDefaults.idempotentMethods,
  idempotent: { on: ['unsent', 'reset'], retries: 1, perTryMs: 0, hedged: false, triesPerPriority: 1 },
  other: { on: ['unsent'], retries: 1, perTryMs: 0, hedged: false, triesPerPriority: 1 },
};
