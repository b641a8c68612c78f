import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stringify } from 'yaml';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { freeAddress, type Mesh, startMesh } from '../../test/support/mesh.ts';

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
  /** From the start of the control plane until both gateways were ready, in seconds. */
  readonly readyS: number;
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
    ...names.map((name, i) => idcObject(name, i === 0 ? here : there)),
    ...Array.from({ length: size.drGroups }, (_, i) => drGroupObject(i, hosts, names, size)),
    ...hosts.map((host, i) => serviceEntry(host, i, port)),
  ];
  const files = { 'all.yaml': objects.map((object) => stringify(object)).join('---\n') };
  const started = performance.now();
  const meshes: Mesh[] = [];
  for (const idc of [own, remote]) meshes.push(await startMesh(idc, files, { hopLimit: size.hopLimit }));
  const [mine, other] = meshes as [Mesh, Mesh];
  const patience = { readyTimeoutMs: 300_000 };
  const far = { role: 'ingress', idc: remote, edge: there.edge, peer: there.peer } as const;
  const remoteIngress = await other.envoy('remote-ingress', far, patience);
  const [ingress, egress] = await Promise.all([
    mine.envoy('ingress', { role: 'ingress', idc: own, edge: here.edge, peer: here.peer }, patience),
    mine.envoy(
      'egress',
      { role: 'egress', idc: own, sidecar: here.sidecar, ingress: here.ingress },
      patience,
    ),
  ]);
  return {
    edge: here.edge,
    sidecar: here.sidecar,
    hosts,
    pids: { ingress: ingress.pid, egress: egress.pid, remoteIngress: remoteIngress.pid },
    readyS: (performance.now() - started) / 1000,
    async close() {
      await Promise.all(meshes.map((mesh) => mesh.close()));
      upstream.closeAllConnections();
      upstream.close();
    },
  };
}

function idcObject(name: string, at: Record<'edge' | 'peer' | 'sidecar' | 'ingress', ListenAddress>): object {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Idc',
    metadata: { name },
    spec: {
      ingress: [{ address: '127.0.0.1', edgePort: at.edge.port, peerPort: at.peer.port }],
      egress: [{ address: '127.0.0.1', sidecarPort: at.sidecar.port, ingressPort: at.ingress.port }],
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
