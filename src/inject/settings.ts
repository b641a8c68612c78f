import type { RawMap } from '../base/raw-map.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { groupLabel, propagated, sidecarInboundPort } from '../model/values/pod-names.ts';

/** How Pods are injected: the same for all of a revision. */
export interface InjectSettings {
  readonly idc: string;
  /** Control planes, most preferred first: IP addresses, or names that the cluster's DNS has. */
  readonly xds: readonly ListenAddress[];
  /** Which control plane a Pod belongs to: the label `isthmus.dev/rev`. */
  readonly revision: string;
  /** The image of Envoy. */
  readonly image: string;
  /** The image of Isthmus, whose `isthmus capture` redirects connections. */
  readonly isthmusImage: string;
  /** Which Pods wait to be Ready until their proxies know them: those of a Group, or none. */
  readonly readinessGate: 'group' | 'never';
  /** For so long a Pod that others call goes on after its deletion, in seconds. */
  readonly drainSeconds: number;
  /** Whether sidecars listen at IPv6 addresses, too. */
  readonly ipv6: boolean;
  /** A part of a Pod that is merged into each at last. */
  readonly template?: RawMap;
}

/** Defaults of the options of `isthmus inject` and `isthmus webhook`. */
export const injectDefaults = {
  revision: 'default',
  image: 'envoyproxy/envoy:v1.40.0',
  isthmusImage: 'isthmus:latest',
  /** A removal is acknowledged by all proxies well within this time; the limit of the guard is beyond it. */
  drainSeconds: 5,
} as const;

/** What Kubernetes counts of `terminationGracePeriodSeconds` where a Pod names none. */
export const graceSecondsDefault = 30;

/** Names and numbers of what is added. */
export const injected = {
  proxy: 'isthmus-proxy',
  capture: 'isthmus-capture',
  /** The user of the proxy: its connections are not captured. */
  uid: 1337,
  adminPort: 15_000,
  outboundPort: 15_001,
  inboundPort: sidecarInboundPort,
  capturePort: 15_008,
  readyPort: 15_021,
  gate: propagated,
} as const;

/** Labels and annotations of Isthmus on Pods. */
export const podKeys = {
  inject: 'isthmus.dev/inject',
  revision: 'isthmus.dev/rev',
  group: groupLabel,
  /** What was added, so that it can be taken out again. */
  record: 'isthmus.dev/injected',
} as const;
