import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stringify } from 'yaml';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { freeAddress, type Mesh, startMesh, until } from '../../test/support/mesh.ts';
import { cpuMs } from '../support/process.ts';

/** How large a mesh is. */
export interface Size {
  readonly groups: number;
  readonly drGroups: number;
  readonly idcs: number;
  readonly hopLimit: number;
  /** Whether Groups declare a health path, so that the egress checks them in the other IDC. */
  readonly checked: boolean;
}

/** The gateways of one IDC, with another IDC's real ingress to cross to. */
export interface GatewayWorld {
  readonly edge: ListenAddress;
  readonly sidecar: ListenAddress;
  /** Hosts of the Groups. */
  readonly hosts: readonly string[];
  /** Process ids of the gateways whose cost is measured. */
  readonly pids: { readonly ingress: number; readonly egress: number; readonly remoteIngress: number };
  /**
   * From the start of a gateway's process until it was ready, in seconds; the control plane was. `egressCpu`:
   * the processor time of that process until then.
   */
  readonly fillS: { readonly ingress: number; readonly egress: number; readonly egressCpu: number };
  close(): Promise<void>;
}

const [own, remote] = ['idc-0', 'idc-1'];

/**
 * Starts the world: every Group has one instance in the own and one in the other IDC, all of them one server.
 */
export async function startGatewayWorld(size: Size): Promise<GatewayWorld> {
  const upstream = createServer((_request, response) => response.end('ok'));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const { port } = upstream.address() as AddressInfo;
  const at = async () => ({
    edge: await freeAddress(),
    peer: await freeAddress(),
    sidecar: await freeAddress(),
    ingress: await freeAddress(),
  });
  const [here, there] = [await at(), await at()];
  const names = Array.from({ length: size.idcs }, (_, i) => `idc-${i}`);
  const hosts = Array.from({ length: size.groups }, (_, i) => `group-${i}.bench`);
  const objects = [
    ...names.map((name, i) => idcObject(name, i, i === 0 ? here : there)),
    ...Array.from({ length: size.drGroups }, (_, i) => drGroupObject(i, hosts, names, size)),
    ...hosts.map((host, i) => serviceEntry(host, i, port)),
  ];
  const files = { 'all.yaml': objects.map((object) => stringify(object)).join('---\n') };
  const meshes: Mesh[] = [];
  for (const idc of [own, remote]) meshes.push(await startMesh(idc, files, { hopLimit: size.hopLimit }));
  const [mine, other] = meshes as [Mesh, Mesh];
  const patience = { readyTimeoutMs: 300_000 };
  // One process stands for the ingress gateways of all other IDCs, each of which has an address of its own.
  const peer = { address: '0.0.0.0', port: there.peer.port };
  const far = { role: 'ingress', idc: remote, edge: there.edge, peer } as const;
  const remoteIngress = await other.envoy('remote-ingress', far, patience);
  await until('the control plane answers', () => mine.plane.readiness().ready, patience.readyTimeoutMs);
  const [egress, egressS] = await timed(() =>
    mine.envoy(
      'egress',
      { role: 'egress', idc: own, sidecar: here.sidecar, ingress: here.ingress },
      patience,
    ),
  );
  const egressCpu = cpuMs(egress.pid) / 1000;
  const [ingress, ingressS] = await timed(() =>
    mine.envoy('ingress', { role: 'ingress', idc: own, edge: here.edge, peer: here.peer }, patience),
  );
  return {
    edge: here.edge,
    sidecar: here.sidecar,
    hosts,
    pids: { ingress: ingress.pid, egress: egress.pid, remoteIngress: remoteIngress.pid },
    fillS: { ingress: ingressS, egress: egressS, egressCpu },
    async close() {
      await Promise.all(meshes.map((mesh) => mesh.close()));
      upstream.closeAllConnections();
      upstream.close();
    },
  };
}

async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const started = performance.now();
  const result = await work();
  return [result, (performance.now() - started) / 1000];
}

/**
 * The i-th IDC. Its gateways have an address of their own: Envoy takes two endpoints with one address for
 * one.
 */
function idcObject(
  name: string,
  i: number,
  at: Record<'edge' | 'peer' | 'sidecar' | 'ingress', ListenAddress>,
): object {
  const address = `127.0.0.${i + 1}`;
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Idc',
    metadata: { name },
    spec: {
      ingress: [{ address, edgePort: at.edge.port, peerPort: at.peer.port }],
      egress: [{ address, sidecarPort: at.sidecar.port, ingressPort: at.ingress.port }],
    },
  };
}

/** The i-th DR group: an equal share of the hosts, and all IDCs, beginning with another one each time. */
function drGroupObject(i: number, hosts: readonly string[], names: readonly string[], size: Size): object {
  const share = hosts.length / size.drGroups;
  const idcs = names.map((_, k) => ({ name: names[(i + k) % names.length] }));
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DrGroup',
    metadata: { name: `dr-${i}` },
    spec: {
      hosts: hosts.slice(Math.round(i * share), Math.round((i + 1) * share)),
      idcs,
      hopLimit: size.hopLimit,
      ...(size.checked ? { traffic: { health: { path: '/up' } } } : {}),
    },
  };
}

function serviceEntry(host: string, i: number, port: number): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: `group-${i}`, namespace: 'bench' },
    spec: {
      hosts: [host],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'main', protocol: 'HTTP' }],
      endpoints: [own, remote].map((locality) => ({ address: '127.0.0.1', ports: { main: port }, locality })),
    },
  };
}
