import { showAddress } from '../../model/values/listen-address.ts';
import {
  hostOf,
  type IdcPlan,
  type InstancePlan,
  isTcpGroup,
  nameOfInstance,
  servicePortOf,
  type Topology,
  type WorldGroup,
} from './topology.ts';

/** `spec.traffic` of the drill's DR group, as in YAML. */
const drillTraffic = { health: { path: '/healthz', grpc: true, interval: '0.5s' } };

/** The name of a Group's one port. */
function portNameOf({ protocol = 'HTTP' }: WorldGroup): string {
  return protocol.toLowerCase();
}

/** An object of a registry, and what it was made from. */
export interface RegistryObject {
  /** Unique in the registry: the name of its file, without `.yaml`. */
  readonly name: string;
  readonly object: object;
  /** The position of the Group, of its ServiceEntry and of a DrGroup of its own. */
  readonly group?: number;
  /** The position among the additional objects of the world, of one of these. */
  readonly position?: number;
}

/**
 * The objects of an IDC's registry, without instances that register themselves. Without `crossing` the world
 * has no DR group, so no Group leaves its IDC.
 */
export function registryObjects(topology: Topology, idc: IdcPlan): RegistryObject[] {
  const { groups, plan } = topology;
  const listed = idc.instances.filter(({ group }) => !group.registers);
  return [
    ...topology.idcs.map((each) => ({ name: `idc-${each.name}`, object: idcObject(topology, each) })),
    ...((plan.crossing ?? true) ? drGroupObjects(topology, idc) : []),
    ...groups.map((group, i) => ({
      name: `serviceentry-${group.name}`,
      object: serviceObject(topology, group),
      group: i,
    })),
    ...(plan.objects ?? []).map((object, position) => ({ name: `object-${position + 1}`, object, position })),
    ...listed.map((instance) => ({
      name: `workloadentry-${instance.name}`,
      object: workloadObject(topology, instance, 1),
    })),
  ];
}

function drGroupObjects(topology: Topology, idc: IdcPlan): RegistryObject[] {
  const { groups, plan } = topology;
  const { traffic = {} } = plan;
  const checkedTraffic = { ...drillTraffic, ...traffic };
  const shared = groups.filter((group) => group.drGroup === undefined);
  const ofShared = (name: string, checked: boolean, policy: object): RegistryObject[] => {
    const list = shared.filter((group) => (group.checked ?? true) === checked);
    const object = drGroupObject(topology, idc, name, list, policy);
    return list.length === 0 ? [] : [{ name: `drgroup-${name}`, object }];
  };
  return [
    ...groups.flatMap((group, i): RegistryObject[] => {
      if (group.drGroup === undefined) return [];
      const object = drGroupObject(topology, idc, group.name, [group], checkedTraffic, group.drGroup);
      return [{ name: `drgroup-${group.name}`, object, group: i }];
    }),
    ...ofShared('shop', true, checkedTraffic),
    ...ofShared('unchecked', false, traffic),
  ];
}

function serviceObject(topology: Topology, group: WorldGroup): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: {
      name: group.name,
      namespace: topology.namespace,
      annotations: {
        // The sidecar listens at an instance's address, except for TCP.
        ...(!isTcpGroup(group) && { 'isthmus.dev/sidecars': 'true' }),
        ...(group.hedge && { 'isthmus.dev/hedge': 'true' }),
        ...group.annotations,
      },
    },
    spec: {
      hosts: [hostOf(topology, group)],
      ports: [
        {
          number: servicePortOf(topology, group),
          name: portNameOf(group),
          protocol: group.protocol ?? 'HTTP',
        },
      ],
      resolution: group.named ? 'DNS' : 'STATIC',
      location: 'MESH_INTERNAL',
      workloadSelector: { labels: { app: group.name } },
    },
  };
}

/** The WorkloadEntry of an instance. */
export function workloadObject(topology: Topology, instance: InstancePlan, weight: number): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name: instance.name, namespace: topology.namespace },
    spec: {
      address: instance.group.named ? nameOfInstance(instance) : instance.inbound.address,
      ports: { [portNameOf(instance.group)]: instance.inbound.port },
      labels: { app: instance.group.name },
      locality: `${instance.idc}/zone-1`,
      weight,
    },
  };
}

function idcObject({ plan }: Topology, idc: IdcPlan): object {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Idc',
    metadata: { name: idc.name },
    spec: {
      ...(plan.exposeOutcome && { exposeOutcome: true }),
      controlPlanes: [showAddress(idc.controlAdmin)],
      ingress: idc.ingress.map(({ edge, peer }) => ({
        address: edge.address,
        edgePort: edge.port,
        peerPort: peer.port,
      })),
      egress: idc.egress.map(({ sidecar, ingress }) => ({
        address: sidecar.address,
        sidecarPort: sidecar.port,
        ingressPort: ingress.port,
      })),
    },
  };
}

/** The DR group in this IDC's registry: each IDC may have its own order of preference. */
function drGroupObject(
  topology: Topology,
  { name: own }: IdcPlan,
  name: string,
  groups: readonly WorldGroup[],
  traffic: object,
  more: object = {},
): object {
  const { idcs, order, hopLimit } = topology.plan;
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DrGroup',
    metadata: { name },
    spec: {
      hosts: groups.map((group) => hostOf(topology, group)),
      idcs: (order?.[own] ?? idcs).map((idc) => ({ name: idc })),
      hopLimit: hopLimit ?? 1,
      ...topology.plan.drGroup,
      ...more,
      traffic,
    },
  };
}
