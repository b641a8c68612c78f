import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  type GroupPlan,
  hostOf,
  type IdcPlan,
  type InstancePlan,
  isTcp,
  nameOfInstance,
  servicePortOf,
  type Topology,
} from './topology.ts';

/** The traffic policy of the drill's DR group, as its YAML says it. */
const drillTraffic = { health: { path: '/healthz', grpc: true, interval: '0.5s' } };

/** The name of a Group's one port. */
function portNameOf({ protocol = 'HTTP' }: GroupPlan): string {
  return protocol.toLowerCase();
}

/**
 * Writes the registry folder of an IDC: one file for each object. Without `crossing` the world has no DR group, so
 * no Group leaves its IDC.
 */
export function writeRegistry(dir: string, topology: Topology, idc: IdcPlan): void {
  mkdirSync(dir, { recursive: true });
  for (const each of topology.idcs) save(dir, `idc-${each.name}.yaml`, idcObject(topology, each));
  if (topology.plan.crossing ?? true) {
    const shared = topology.groups.filter((group) => group.drGroup === undefined);
    const checked = shared.filter((group) => group.checked ?? true);
    const unchecked = shared.filter((group) => !(group.checked ?? true));
    const { traffic = {} } = topology.plan;
    for (const group of topology.groups)
      if (group.drGroup !== undefined)
        save(
          dir,
          `drgroup-${group.name}.yaml`,
          drGroupObject(topology, idc, group.name, [group], { ...drillTraffic, ...traffic }, group.drGroup),
        );
    save(
      dir,
      'drgroup-shop.yaml',
      drGroupObject(topology, idc, 'shop', checked, { ...drillTraffic, ...traffic }),
    );
    if (unchecked.length > 0) {
      save(dir, 'drgroup-unchecked.yaml', drGroupObject(topology, idc, 'unchecked', unchecked, traffic));
    }
  }
  for (const group of topology.groups) {
    save(dir, `serviceentry-${group.name}.yaml`, {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: {
        name: group.name,
        namespace: topology.namespace,
        annotations: {
          // What stands at an instance's address is its sidecar, but for TCP.
          ...(!isTcp(group) && { 'isthmus.dev/sidecars': 'true' }),
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
    });
  }
  (topology.plan.objects ?? []).forEach((object, i) => {
    save(dir, `object-${i + 1}.yaml`, object);
  });
  const listed = idc.instances.filter(({ group }) => !group.registers);
  for (const instance of listed) saveInstance(dir, topology, instance, 1);
}

/** Saves the WorkloadEntry of an instance with a weight (≥ 1): an endpoint edit, as an editor does it, by rename. */
export function saveInstance(dir: string, topology: Topology, instance: InstancePlan, weight: number): void {
  save(dir, `workloadentry-${instance.name}.yaml`, {
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
  });
}

/** Saves an object of a name of its own in a registry folder, or changes it. */
export function saveObject(dir: string, name: string, object: object): void {
  save(dir, `${name}.yaml`, object);
}

/** Removes what `saveObject` saved. */
export function removeObject(dir: string, name: string): void {
  rmSync(join(dir, `${name}.yaml`), { force: true });
}

/** Removes the WorkloadEntry of an instance: from now on the registry does not know it. */
export function removeInstance(dir: string, instance: InstancePlan): void {
  rmSync(join(dir, `workloadentry-${instance.name}.yaml`), { force: true });
}

function idcObject({ plan }: Topology, idc: IdcPlan): object {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Idc',
    metadata: { name: idc.name },
    spec: {
      ...(plan.exposeOutcome && { exposeOutcome: true }),
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

/** The DR group as this IDC's registry has it: each IDC may prefer others. */
function drGroupObject(
  topology: Topology,
  { name: own }: IdcPlan,
  name: string,
  groups: readonly GroupPlan[],
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

function save(dir: string, name: string, object: object): void {
  // Written beside and renamed: a watcher never reads half a file.
  const temporary = join(dir, `.${name}.tmp`);
  writeFileSync(temporary, stringify(object));
  renameSync(temporary, join(dir, name));
}
