import { isWildcard } from '../../model/values/hostname.ts';
import type { ListenerRole } from '../types.ts';

/**
 * The scope of a listener's requests for a host, or for all hosts without one. Two scopes of equal keys make
 * Envoy refuse all scopes, good ones too: the name is made of the same parts as the key, so that no two names
 * have equal keys, and a name has one scope.
 */
interface RouteScope {
  /** The resource's name, and that of the host's own route table. */
  readonly name: string;
  readonly key: readonly string[];
}

/** The host of the scope for requests of no other scope: none has this one (`isHost`). */
export const otherHosts = '*';

/**
 * How often the host is in a key. All listeners of a proxy look their scopes up among the same ones: those of
 * one proxy have keys of different lengths.
 */
const timesInKey: Readonly<Record<ListenerRole, number>> = {
  outbound: 1,
  edge: 1,
  peer: 2,
  sidecar: 1,
  ingress: 2,
};

/** The key of a listener's requests for a host, whatever stands for it. */
export function scopeKeyOf<Host>(listener: ListenerRole, host: Host): readonly Host[] {
  return Array.from({ length: timesInKey[listener] }, () => host);
}

/** The scope of a canonical host (`canonicalHost`) at a listener. */
export function routeScopeOf(listener: ListenerRole, host: string): RouteScope {
  return { name: `${listener}/${host}`, key: scopeKeyOf(listener, host) };
}

/**
 * Whether a host has a scope of its own, with a route table. A key matches exactly: patterns share the table
 * of other hosts, where the longest one that matches counts.
 */
export function hasOwnScope(host: string): boolean {
  return !isWildcard(host);
}
