import type { GroupView, Instance } from '../index/view.ts';
import { addressKind } from '../model/values/address.ts';
import type { Lookup } from './types.ts';

/** How the instances of a Group are found, and which of them count in the own IDC. */
interface Naming {
  readonly instances: readonly Instance[];
  /** Absent: the addresses are given. */
  readonly lookup?: Lookup;
  /** Whether the host is outside of the mesh: sidecars reach it straight, and no gateway is a way to it. */
  readonly isExternal: boolean;
  /**
   * Whether an instance stands in another IDC, and is reached from here all the same: those of external hosts
   * are.
   */
  readonly isRemote: (instance: Instance) => boolean;
}

/**
 * Istio's `resolution`. Undefined: the Group cannot be served. A host that is looked up and names no
 * endpoints is its own name. Each IDC looks up its own: what names no locality is here, wherever "here" is.
 */
export function planNaming(view: GroupView, own: string): Naming | undefined {
  const { resolution, location, workloadSelector } = view.entry.spec;
  switch (resolution) {
    case 'STATIC': {
      const instances = view.instances.filter(({ idc, address }) => idc === own && isGiven(address));
      return { instances, isExternal: false, isRemote: () => false };
    }
    case 'DNS':
    case 'DNS_ROUND_ROBIN': {
      const isExternal = location === 'MESH_EXTERNAL';
      const all = namesItself(view) ? [itself(view.host, own)] : view.instances;
      const instances = all.filter(({ idc, address }) => (isExternal || idc === own) && isNamed(address));
      // Envoy takes one endpoint for `one`, no more and no less.
      const lookup = resolution === 'DNS_ROUND_ROBIN' && instances.length === 1 ? 'one' : 'every';
      return { instances, lookup, isExternal, isRemote: ({ idc }) => idc !== own };
    }
    case 'NONE':
    case 'DYNAMIC_DNS':
      // What is selected is nobody whom such a request could be for.
      return workloadSelector === undefined
        ? byName(view.host, own, location === 'MESH_EXTERNAL')
        : undefined;
  }
}

/**
 * Istio sends a request to the address that it was going to. No sidecar here sees that; what is left of it is
 * the name, from which the caller would have had the address.
 */
function byName(host: string, own: string, isExternal: boolean): Naming {
  const isRemote = () => false;
  return host.startsWith('*')
    ? { instances: [], lookup: 'request', isExternal: true, isRemote }
    : { instances: [itself(host, own)], lookup: 'every', isExternal, isRemote };
}

/**
 * Whether a caller says where a request goes to (Istio: resolution NONE, and for patterns of hosts
 * DYNAMIC_DNS).
 */
export function isByName({ entry }: Pick<GroupView, 'entry'>): boolean {
  return entry.spec.resolution === 'NONE' || entry.spec.resolution === 'DYNAMIC_DNS';
}

/** Whether the only endpoint of a host that is looked up is the host. */
export function namesItself({
  entry,
  host,
  instances,
}: Pick<GroupView, 'entry' | 'host' | 'instances'>): boolean {
  const { workloadSelector } = entry.spec;
  return instances.length === 0 && workloadSelector === undefined && !host.startsWith('*');
}

/** The host as an instance of itself. */
export function itself(host: string, idc: string): Instance {
  return { address: host, ports: {}, labels: {}, idc, locality: '', weight: 1 };
}

/** EDS takes addresses, not names: one name in it, and Envoy rejects all endpoints of the Group. */
function isGiven(address: string): boolean {
  const kind = addressKind(address);
  return kind === 'ip' || kind === 'unix';
}

function isNamed(address: string): boolean {
  const kind = addressKind(address);
  return kind === 'ip' || kind === 'dns';
}
