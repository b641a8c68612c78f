import type { DrGroup, Idc } from '../../src/model/idc.ts';
import type { Labels, Meta } from '../../src/model/meta.ts';
import type { Change, MeshObject } from '../../src/model/object.ts';
import { refOf } from '../../src/model/object.ts';
import type { DestinationRule, ServiceEntry, WorkloadEntry } from '../../src/model/service.ts';

/** `namespace/name` as Meta; without a slash, cluster-scoped. */
export function meta(id: string, labels: Labels = {}, origin = `${id}.yaml:1`): Meta {
  const [name = '', namespace = ''] = id.split('/').reverse();
  return { namespace, name, labels, annotations: {}, origin };
}

/** A ServiceEntry `namespace/name` of the hosts, with HTTP on port 80. */
export function serviceEntry(
  id: string,
  hosts: readonly string[],
  spec: Partial<ServiceEntry['spec']> = {},
  labels: Labels = {},
): ServiceEntry {
  return {
    kind: 'ServiceEntry',
    meta: meta(id, labels),
    spec: {
      hosts,
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      resolution: 'STATIC',
      location: 'MESH_INTERNAL',
      endpoints: [],
      ...spec,
    },
  };
}

/** A WorkloadEntry `namespace/name` with labels. */
export function workloadEntry(
  id: string,
  labels: Labels = {},
  spec: Partial<WorkloadEntry['spec']> = {},
): WorkloadEntry {
  return {
    kind: 'WorkloadEntry',
    meta: meta(id),
    spec: { address: '10.0.0.1', ports: { http: 8080 }, labels, ...spec },
  };
}

/** A DestinationRule `namespace/name` for a host. */
export function destinationRule(id: string, host: string, maxRetries = 3): DestinationRule {
  return {
    kind: 'DestinationRule',
    meta: meta(id),
    spec: { host, policy: { maxRetries }, portPolicies: {} },
  };
}

/** A DrGroup of sh-a and sh-b. */
export function drGroup(
  name: string,
  hosts: readonly string[],
  selector?: Labels,
  idcs: readonly string[] = ['sh-a', 'sh-b'],
): DrGroup {
  return {
    kind: 'DrGroup',
    meta: meta(name),
    spec: {
      hosts,
      idcs: idcs.map((name) => ({ name })),
      hopLimit: 1,
      traffic: {},
      ...(selector && { selector }),
    },
  };
}

/** An Idc with one gateway of each kind, at `address`. */
export function idc(name: string, address = '10.9.0.1'): Idc {
  return {
    kind: 'Idc',
    meta: meta(name),
    spec: {
      ingress: [{ address, edgePort: 8000, peerPort: 8001 }],
      egress: [{ address, sidecarPort: 8002, ingressPort: 8003 }],
    },
  };
}

/** Upserts of objects, in order. */
export function upserts(...objects: readonly MeshObject[]): Change[] {
  return objects.map((object) => ({ type: 'upsert', object, at: 0 }));
}

/** Deletes of objects, in order. */
export function deletes(...objects: readonly MeshObject[]): Change[] {
  return objects.map((object) => ({ type: 'delete', ref: refOf(object), at: 0 }));
}
