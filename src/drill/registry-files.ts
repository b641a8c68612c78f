import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { hostOf, type IdcPlan, type InstancePlan, type Topology } from './topology.ts';

/** How long a try may take, and the rest of the traffic policy of the drill's DR group, as its YAML says it. */
const drillTraffic = { health: { path: '/healthz', interval: '0.5s' } };

/** The name of each Group's one port. */
const portName = 'http';

/**
 * Writes the registry folder of an IDC: one file for each object. Without `crossing` the world has no DR group, so
 * no Group leaves its IDC.
 */
export function writeRegistry(dir: string, topology: Topology, idc: IdcPlan): void {
  mkdirSync(dir, { recursive: true });
  for (const each of topology.idcs) save(dir, `idc-${each.name}.yaml`, idcObject(each));
  if (topology.plan.crossing ?? true) save(dir, 'drgroup-shop.yaml', drGroupObject(topology, idc));
  for (const group of topology.groups) {
    save(dir, `serviceentry-${group.name}.yaml`, {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: group.name, namespace: topology.namespace },
      spec: {
        hosts: [hostOf(topology, group)],
        ports: [{ number: 8080, name: portName, protocol: 'HTTP' }],
        resolution: 'STATIC',
        location: 'MESH_INTERNAL',
        workloadSelector: { labels: { app: group.name } },
      },
    });
  }
  for (const instance of idc.instances) saveInstance(dir, topology, instance, 1);
}

/** Saves the WorkloadEntry of an instance with a weight (≥ 1): an endpoint edit, as an editor does it, by rename. */
export function saveInstance(dir: string, topology: Topology, instance: InstancePlan, weight: number): void {
  save(dir, `workloadentry-${instance.name}.yaml`, {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name: instance.name, namespace: topology.namespace },
    spec: {
      address: instance.inbound.address,
      ports: { [portName]: instance.inbound.port },
      labels: { app: instance.group.name },
      locality: `${instance.idc}/zone-1`,
      weight,
    },
  });
}

function idcObject(idc: IdcPlan): object {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Idc',
    metadata: { name: idc.name },
    spec: {
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
function drGroupObject(topology: Topology, { name }: IdcPlan): object {
  const { idcs, order, hopLimit } = topology.plan;
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DrGroup',
    metadata: { name: topology.namespace },
    spec: {
      hosts: topology.groups.map((group) => hostOf(topology, group)),
      idcs: (order?.[name] ?? idcs).map((idc) => ({ name: idc })),
      hopLimit: hopLimit ?? 1,
      traffic: drillTraffic,
    },
  };
}

function save(dir: string, name: string, object: object): void {
  // Written beside and renamed: a watcher never reads half a file.
  const temporary = join(dir, `.${name}.tmp`);
  writeFileSync(temporary, stringify(object));
  renameSync(temporary, join(dir, name));
}
