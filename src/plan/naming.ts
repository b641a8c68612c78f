import type { GroupView, Instance } from '../index/view.ts';
import { addressKind } from '../model/values/address.ts';
import type { Lookup } from './types.ts';

/** How a Group's instances are found, and which are local. */
interface Naming {
  readonly instances: readonly Instance[];
  /** Absent: addresses are given. */
  readonly lookup?: Lookup;
  /** Whether the host is outside of the mesh: sidecars reach it directly, not through gateways. */
  readonly isExternal: boolean;
  /** Whether an instance is in another IDC and still reached directly: those of external hosts are. */
  readonly isRemote: (instance: Instance) => boolean;
}

/**
 * Istio's `resolution`. Undefined: the Group cannot be served. A looked-up host without endpoints is its own
 * name. An endpoint without locality is local to every IDC.
 */
export function planNaming(view: GroupView, localIdc: string): Naming | undefined {
  const { resolution, location, workloadSelector } = view.entry.spec;
  switch (resolution) {
    case 'STATIC': {
      const instances = view.instances.filter(({ idc, address }) => idc === localIdc && isGiven(address));
      return { instances, isExternal: false, isRemote: () => false };
    }
    case 'DNS':
    case 'DNS_ROUND_ROBIN': {
      const isExternal = location === 'MESH_EXTERNAL';
      const all = isItsOwnEndpoint(view) ? [hostAsInstance(view.host, localIdc)] : view.instances;
      const instances = all.filter(
        ({ idc, address }) => (isExternal || idc === localIdc) && isNamed(address),
      );
      // Envoy takes exactly one endpoint for `one`.
      const lookup = resolution === 'DNS_ROUND_ROBIN' && instances.length === 1 ? 'one' : 'every';
      return { instances, lookup, isExternal, isRemote: ({ idc }) => idc !== localIdc };
    }
    case 'NONE':
    case 'DYNAMIC_DNS':
      // Selected instances cannot be the target of such a request.
      return workloadSelector === undefined
        ? byName(view.host, localIdc, location === 'MESH_EXTERNAL')
        : undefined;
  }
}

/** The local instances of a Group that take requests: not those that are drained. */
export function instancesInUse(view: GroupView, localIdc: string): readonly Instance[] {
  return (planNaming(view, localIdc)?.instances ?? []).filter(({ drained }) => !drained);
}

/**
 * Istio sends a request to its original destination address. No sidecar here sees that; the name, from which
 * the caller would have had the address, takes its place.
 */
function byName(host: string, localIdc: string, isExternal: boolean): Naming {
  const isRemote = () => false;
  return host.startsWith('*')
    ? { instances: [], lookup: 'request', isExternal: true, isRemote }
    : { instances: [hostAsInstance(host, localIdc)], lookup: 'every', isExternal, isRemote };
}

/**
 * Whether the caller decides where a request goes (Istio: resolution NONE, and for patterns of hosts
 * DYNAMIC_DNS).
 */
export function isByName({ entry }: Pick<GroupView, 'entry'>): boolean {
  return entry.spec.resolution === 'NONE' || entry.spec.resolution === 'DYNAMIC_DNS';
}

/** Whether the host is its own only endpoint to look up. */
export function isItsOwnEndpoint({
  entry,
  host,
  instances,
}: Pick<GroupView, 'entry' | 'host' | 'instances'>): boolean {
  const { workloadSelector } = entry.spec;
  return instances.length === 0 && workloadSelector === undefined && !host.startsWith('*');
}

/** The host as an instance of itself. */
export function hostAsInstance(host: string, idc: string): Instance {
  return { address: host, ports: {}, labels: {}, idc, locality: '', weight: 1 };
}

/** EDS takes addresses, not names: Envoy rejects all endpoints of the Group for one name. */
function isGiven(address: string): boolean {
  const kind = addressKind(address);
  return kind === 'ip' || kind === 'unix';
}

function isNamed(address: string): boolean {
  const kind = addressKind(address);
  return kind === 'ip' || kind === 'dns';
}
