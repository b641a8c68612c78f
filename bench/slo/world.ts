import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The scale of the bench; by default that of Ctrip's promise. */
export interface Scale {
  /** ServiceEntries, with as many WorkloadEntries. */
  readonly services: number;
  readonly sidecars: number;
  /** Groups that a sidecar depends on. */
  readonly groupsEach: number;
  /** Ingress and egress gateways, half of each: these hold all Groups. */
  readonly gateways: number;
  readonly namespaces: number;
}

export const idcName = 'sh-a';

const perFile = 100;
/** Instances that events change stand in a file each; all others by hundreds. */
export const ownFiles = 2000;

const hostOf = (i: number) => `svc-${i}.mesh.example`;
const namespaceOf = ({ namespaces }: Scale, i: number) => `ns-${i % namespaces}`;

/**
 * Writes the registry's folder. All Groups are in one DR group of two IDCs, so that gateways have to hold
 * them.
 */
export function writeWorld(folder: string, scale: Scale): void {
  mkdirSync(join(folder, 'instances'), { recursive: true });
  writeFileSync(join(folder, 'mesh.yaml'), [idc('sh-a', 1), idc('sh-b', 2), drGroup].join('---\n'));
  const numbers = Array.from({ length: scale.services }, (_, i) => i);
  writeByHundreds(folder, 'services', numbers, (i) => serviceYaml(scale, i));
  writeByHundreds(folder, 'workloads', numbers.slice(ownFiles), (i) => workloadYaml(scale, i, addressOf(i)));
  for (const i of numbers.slice(0, ownFiles)) writeInstance(folder, scale, i, addressOf(i));
}

/**
 * An event: the instance has another address. The file is replaced at once, as editors and deployments do.
 */
export function writeInstance(folder: string, scale: Scale, i: number, address: string): void {
  const path = join(folder, 'instances', `w-${i}.yaml`);
  writeFileSync(`${path}.new`, workloadYaml(scale, i, address));
  renameSync(`${path}.new`, path);
}

function writeByHundreds(
  folder: string,
  name: string,
  numbers: readonly number[],
  yaml: (i: number) => string,
) {
  for (let from = 0; from < numbers.length; from += perFile) {
    const texts = numbers.slice(from, from + perFile).map(yaml);
    writeFileSync(join(folder, `${name}-${String(from).padStart(6, '0')}.yaml`), texts.join('---\n'));
  }
}

function addressOf(i: number): string {
  return `10.${64 + Math.floor(i / 62500)}.${Math.floor(i / 250) % 250}.${1 + (i % 250)}`;
}

/** The nodes of all proxies, one for each stream: sidecars first. */
export function nodesOf(scale: Scale): object[] {
  const at = (port: number) => ({ address: '127.0.0.1', port });
  const node = (id: string, scope: object) => ({
    id,
    cluster: 'slo',
    metadata: { isthmus: { idc: idcName, ...scope } },
  });
  const sidecars = Array.from({ length: scale.sidecars }, (_, s) => {
    // All over the mesh, so that events in any part of it concern some Groups of every sidecar.
    const stride = Math.floor(scale.services / scale.groupsEach);
    const dependsOn = Array.from({ length: scale.groupsEach }, (_, g) =>
      hostOf((g * stride + s * 13) % scale.services),
    );
    const namespace = namespaceOf(scale, s);
    return node(`sidecar-${s}`, { role: 'sidecar', namespace, dependsOn, outbound: at(15001) });
  });
  const gateways = Array.from({ length: scale.gateways }, (_, g) =>
    g % 2 === 0
      ? node(`ingress-${g}`, { role: 'ingress', edge: at(8000), peer: at(8001) })
      : node(`egress-${g}`, { role: 'egress', sidecar: at(8002), ingress: at(8003) }),
  );
  return [...sidecars, ...gateways];
}

function serviceYaml(scale: Scale, i: number): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: svc-${i}
  namespace: ${namespaceOf(scale, i)}
  labels: {dr: all}
spec:
  hosts: [${hostOf(i)}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports:
    - {number: 80, name: http, protocol: HTTP}
  workloadSelector:
    labels: {app: svc-${i}}
`;
}

function workloadYaml(scale: Scale, i: number, address: string): string {
  return `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata:
  name: svc-${i}-0
  namespace: ${namespaceOf(scale, i)}
spec:
  address: ${address}
  locality: ${idcName}/z${i % 3}
  labels: {app: svc-${i}, version: v1}
  ports: {http: 8080}
`;
}

function idc(name: string, n: number): string {
  return `apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata:
  name: ${name}
spec:
  ingress:
    - {address: 10.200.${n}.1, edgePort: 8000, peerPort: 8001}
  egress:
    - {address: 10.200.${n}.2, sidecarPort: 8002, ingressPort: 8003}
`;
}

const drGroup = `apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata:
  name: all
spec:
  selector:
    matchLabels: {dr: all}
  idcs: [{name: sh-a}, {name: sh-b}]
`;
