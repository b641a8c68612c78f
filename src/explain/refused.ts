import type { Explanation, Hop } from '../contract/explain.ts';
import type { GroupPlan } from '../plan/types.ts';
import {
  awayCluster,
  checksCluster,
  egressCluster,
  failoverCluster,
  groupName,
  instancesCluster,
  tunnelName,
} from '../translate/names.ts';
import type { AskedProxy } from '../who/types.ts';
import type { WayFacts } from './types.ts';
import type { RequestWay } from './walk.ts';

/** What a connected proxy refuses at this moment, of one type of resources. */
export interface ProxyRefusal {
  readonly node: string;
  /** `LDS`, `CDS` and so on. */
  readonly type: string;
  /** The proxy's reason. */
  readonly message: string;
  /** Empty while it is being found out. */
  readonly names: readonly string[];
  /** Those of which it has no earlier version. */
  readonly lacking: readonly string[];
}

type Refused = Explanation['refused'][number];

/** Longer reasons are in `isthmus status`. */
const reasonMax = 300;

/** Refusals by proxies on the way that concern what the request uses there: those of other hosts do not. */
export function refusalsOn(
  facts: WayFacts,
  { hops }: RequestWay,
  refusals: Iterable<ProxyRefusal>,
  proxies: readonly AskedProxy[],
): Refused[] {
  const { idc, caller, plans } = facts;
  const [first] = hops;
  const exit = hops.find((hop) => hop.idc === idc && ['sidecar', 'ingress'].includes(hop.listener));
  const places = proxies.flatMap((proxy) => {
    if (proxy === caller) return [{ proxy, hop: first }];
    return exit !== undefined && proxy.role === 'egress' ? [{ proxy, hop: exit }] : [];
  });
  const plan = plans.get(idc);
  return [...refusals].flatMap(({ node, type, message, names, lacking }): Refused[] => {
    const place = places.find(({ proxy }) => proxy.node === node);
    if (place?.hop === undefined || plan === undefined) return [];
    const { proxy, hop } = place;
    const used = names.filter((name) => isUsed(name, plan, proxy, hop, exit !== undefined));
    if (used.length === 0 && names.length > 0) return [];
    const why = message.trim().replace(/\s+/g, ' ').slice(0, reasonMax);
    const without = used.filter((name) => lacking.includes(name));
    return [{ node, role: proxy.role, type, names: used, without, why }];
  });
}

/** Whether a request uses a resource of this name at a proxy. */
function isUsed(name: string, plan: GroupPlan, { role }: AskedProxy, hop: Hop, leaves: boolean): boolean {
  const { group, protocol, byConnect } = plan;
  const near = [groupName(group), instancesCluster(group), failoverCluster(group), checksCluster(group)];
  const far = [egressCluster, awayCluster(plan), tunnelName(group)];
  if (near.includes(name) || isTcpListener(name, plan)) return true;
  if (far.includes(name)) return leaves;
  // The connections of a sidecar's workload to a TCP Group have listeners of their own.
  const isOther = role === 'sidecar' && protocol === 'tcp' && !byConnect;
  return (!isOther && name === hop.listener) || name === `isthmus.trail.${role}-${hop.listener}`;
}

function isTcpListener(name: string, { group, protocol, sni }: GroupPlan): boolean {
  if (protocol !== 'tcp') return false;
  return name.startsWith(`tcp/${groupName(group)}/`) || (sni === true && isTlsAt(name, group.port));
}

function isTlsAt(name: string, port: number): boolean {
  return name.startsWith('tls/') && name.endsWith(`:${port}`);
}

/**
 * The answer where the proxy at which the request begins has no listener or routes for it, as it refused
 * them; undefined: it has.
 */
export function describeRefused(
  { caller, idc, plans }: WayFacts,
  { hops }: RequestWay,
  refused: readonly Refused[],
): Pick<Explanation, 'served' | 'summary' | 'hops'> | undefined {
  const [first] = hops;
  const plan = plans.get(idc);
  if (first === undefined || plan === undefined) return undefined;
  const isEntry = (name: string) => name === first.listener || isTcpListener(name, plan);
  const lost = refused
    .filter(({ node, type }) => node === caller.node && ['LDS', 'RDS'].includes(type))
    .flatMap(({ type, without }) => without.filter(isEntry).map((name) => `${type} ${name}`));
  const listeners = first.listener === 'outbound' && plan.protocol === 'tcp' ? plan.addresses.length : 1;
  if (lost.length === 0 || lost.length < listeners) return undefined;
  const why = `${first.at} goes without ${lost.join(', ')}, which it refused`;
  const hop: Hop = { ...first, decision: `${why}.`, choices: [], retries: '', trail: [] };
  return { served: 'nobody', summary: `NOBODY serves it: ${why}.`, hops: [hop] };
}
