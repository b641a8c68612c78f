import { askAdmin } from '../../world/envoy.ts';
import type { Part, PartKind } from '../../world/parts.ts';
import type { Stage } from '../../world/stage.ts';
import { addressesOf, type ProxyPlan } from '../../world/topology.ts';
import { type DumpedResource, parseDump } from './config-dump.ts';
import { halfDead, namesText } from './names.ts';

/** A host of a cluster, by the text of Envoy's `/clusters`. */
interface ClusterHost {
  /** Such as `sh-a/checkout-1`. */
  readonly name: string;
  /** Envoy's health flags; `healthy`: none. */
  readonly flags: readonly string[];
  readonly isUsable: boolean;
}

/** What the Envoys of a world say at their own admin interfaces. The control plane has no part in it. */
export interface Witnesses {
  /** Who has an address, such as `sh-a/checkout-1`; the address itself when nobody has. */
  nameOf(address: string): string;
  /** Envoys of an IDC that answer `/ready`, and those that do not; default of all kinds. */
  ready(
    idc: string,
    kinds?: readonly PartKind[],
  ): Promise<{ readonly up: string[]; readonly down: string[] }>;
  /** The hosts of a cluster at each of these Envoys that answers, or at one; none: it has no such cluster. */
  hosts(
    idc: string,
    kinds: readonly PartKind[],
    cluster: string,
    node?: string,
  ): Promise<readonly (readonly ClusterHost[])[]>;
  /** All dynamic resources of an Envoy. */
  dump(idc: string, node: string): Promise<readonly DumpedResource[]>;
  /** What Envoys of an IDC refuse: `caller LDS`, and so on. */
  refusals(idc: string): Promise<readonly string[]>;
  /** Versions of the Envoys of an IDC. */
  versions(idc: string): Promise<readonly string[]>;
  /** Pushes of a cluster's endpoints that each Envoy of an IDC has taken. */
  endpointUpdates(idc: string, cluster: string): Promise<ReadonlyMap<string, number>>;
}

/** An Envoy that takes longer is stopped. A short wait: most questions ask one that is. */
const answerMs = 1_000;

const envoyKinds: readonly PartKind[] = ['ingress', 'egress', 'sidecar', 'caller'];

/** Flags that keep requests away. */
const unusable = /failed_active_hc|failed_outlier_check|failed_eds_health|excluded_via/;

/** The Envoys of a drill's world. */
export function createWitnesses({ topology, world }: Pick<Stage, 'topology' | 'world'>): Witnesses {
  const names = new Map(
    Object.entries(addressesOf(topology)).flatMap(([name, list]) => list.map((at) => [at, name] as const)),
  );
  const nameOf = (address: string) => names.get(address) ?? address;
  const partsOf = (idc: string, kinds: readonly PartKind[] = envoyKinds) =>
    world.parts.filter((part) => part.idc === idc && kinds.includes(part.kind));
  const dumpOf = async ({ admin }: ProxyPlan) =>
    parseDump(await askAdmin(admin, '/config_dump?include_eds', answerMs));
  return {
    nameOf,
    async ready(idc, kinds) {
      const parts = partsOf(idc, kinds);
      const up = (await answering(parts, ({ admin }) => askAdmin(admin, '/ready', answerMs))).map(
        ([name]) => name,
      );
      const all = parts.map(({ proxy }) => `${proxy?.name}`);
      return { up, down: all.filter((name) => !up.includes(name)) };
    },
    async hosts(idc, kinds, cluster, node) {
      const read = async ({ admin }: ProxyPlan) =>
        hostsIn(await askAdmin(admin, '/clusters', answerMs), cluster, nameOf);
      const parts = partsOf(idc, kinds).filter(({ proxy }) => node === undefined || proxy?.name === node);
      return (await answering(parts, read)).map(([, hosts]) => hosts);
    },
    async dump(idc, node) {
      const [found] = await answering(
        partsOf(idc).filter(({ proxy }) => proxy?.name === node),
        dumpOf,
      );
      return found?.[1] ?? [];
    },
    async refusals(idc) {
      const dumps = await answering(partsOf(idc), dumpOf);
      return dumps.flatMap(([name, list]) =>
        list.flatMap(({ type, error }) => (error === undefined ? [] : [`${name} ${type}`])),
      );
    },
    async versions(idc) {
      const info = await answering(partsOf(idc), ({ admin }) => askAdmin(admin, '/server_info', answerMs));
      return info.map(([, text]) => /"version": "[0-9a-f]+\/([^/"]+)\//.exec(text)?.[1] ?? 'unknown');
    },
    async endpointUpdates(idc, cluster) {
      const stat = `cluster.${cluster.replaceAll(':', '_')}.update_success`;
      const counts = await answering(partsOf(idc), async ({ admin }) => {
        const text = await askAdmin(admin, `/stats?filter=${encodeURIComponent('update_success')}`, answerMs);
        const line = text.split('\n').find((one) => one.startsWith(`${stat}: `));
        return line === undefined ? undefined : Number(line.slice(stat.length + 2));
      });
      return new Map(
        counts.flatMap(([name, count]) => (count === undefined ? [] : [[name, count] as const])),
      );
    },
  };
}

/** What those that answer say, by name. */
async function answering<T>(
  parts: readonly Part[],
  ask: (proxy: ProxyPlan) => Promise<T>,
): Promise<readonly (readonly [string, T])[]> {
  const all = await Promise.allSettled(
    parts.map(async ({ proxy }) => [`${proxy?.name}`, await ask(proxy as ProxyPlan)] as const),
  );
  return all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}

/** The hosts of a cluster in the text of `/clusters`. */
export function hostsIn(text: string, cluster: string, nameOf: (address: string) => string): ClusterHost[] {
  return text.split('\n').flatMap((line) => {
    const [name, address = '', key, value = ''] = line.split('::');
    if (name !== cluster || key !== 'health_flags') return [];
    const flags = value.split('/').filter((flag) => flag !== '');
    return [{ name: nameOf(address), flags, isUsable: !unusable.test(value) }];
  });
}

/** Reasons by Envoy's flags, as `isthmus who` names them. */
const reasons: Readonly<Record<string, string>> = {
  failed_outlier_check: 'ejected',
  degraded_active_hc: 'degraded',
  pending_dynamic_removal: 'being-removed',
};

/** The reasons of a host's flags; the active check has one of four. */
function reasonsOf({ flags }: ClusterHost): string[] {
  const all = flags.flatMap((flag) => reasons[flag] ?? []);
  if (!flags.includes('failed_active_hc')) return all;
  if (flags.includes('excluded_via_immediate_hc_fail')) return ['told-unhealthy', ...all];
  if (flags.includes('pending_active_hc')) return ['not-checked', ...all];
  return [flags.includes('active_hc_timeout') ? 'check-timeout' : 'check-failed', ...all];
}

/** What several Envoys say of the same hosts: `sh-a/a-1 healthy, sh-a/a-2 unhealthy (check-failed)`. */
export function healthText(readings: readonly (readonly ClusterHost[])[]): string {
  const byName = Map.groupBy(readings.flat(), ({ name }) => name);
  const words = [...byName].map(([name, seen]) => {
    const usable = seen.filter((one) => one.isUsable).length;
    const health = usable === seen.length ? 'healthy' : usable === 0 ? 'unhealthy' : 'mixed';
    const why = new Set(seen.flatMap(reasonsOf));
    return `${name} ${health}${why.size === 0 ? '' : ` (${[...why].sort().join(', ')})`}`;
  });
  return namesText(words);
}

/** The usable ones of them. */
export function usableText(readings: readonly (readonly ClusterHost[])[]): string {
  return namesText(readings.flat().flatMap(({ name, isUsable }) => (isUsable ? [name] : [])));
}

/** The cluster of a host's instances in its IDC, and that of other IDCs at an egress gateway. */
export function clustersOf(host: string): { readonly instances: string; readonly idcs: string } {
  return { instances: `instances/${host}:8080`, idcs: `idcs/${host}:8080` };
}

/** What the Envoys of an IDC that send to instances say of those of a host. */
export function instancesText(envoys: Witnesses, host: string, idc: string = halfDead): Promise<string> {
  return envoys.hosts(idc, ['ingress', 'caller'], clustersOf(host).instances).then(healthText);
}
