import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { type EnvoyOptions, freeAddress, type Mesh, startMesh } from './mesh.ts';

/** A Group of the world, and where its only instance is. */
export interface TestGroup {
  readonly name: string;
  readonly idc: 'sh-a' | 'sh-b';
  readonly protocol: 'HTTP' | 'GRPC';
}

/** Two IDCs with a gateway of each kind, a caller in sh-a, and Groups with one instance each. */
export interface TwoIdcs {
  /** Where the caller in sh-a sends its requests. */
  readonly outbound: ListenAddress;
  /** Where clients enter sh-a. */
  readonly edge: ListenAddress;
  /** Where sh-b is entered by other IDCs' egress gateways. */
  readonly peer: ListenAddress;
  /** Changes the objects of both IDCs: all of them, as YAML, as they were after the last change. */
  edit(change: (yaml: string) => string): void;
  /** The unix socket at which a Group's instance must listen. */
  socket(group: TestGroup): string;
  close(): Promise<void>;
}

/** Starts the world; instances are the caller's to start, at `socket`. */
export async function startTwoIdcs(
  groups: readonly TestGroup[],
  traffic = '{}',
  options: EnvoyOptions = {},
): Promise<TwoIdcs> {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-two-'));
  const idcs = ['sh-a', 'sh-b'] as const;
  const address = async () => ({
    edge: await freeAddress(),
    peer: await freeAddress(),
    sidecar: await freeAddress(),
    ingress: await freeAddress(),
  });
  const gateways = { 'sh-a': await address(), 'sh-b': await address() };
  const inbound = new Map<TestGroup, ListenAddress>();
  for (const group of groups) inbound.set(group, await freeAddress());
  const socket = (group: TestGroup) => join(dir, `${group.name}.sock`);

  let documents = [
    ...idcs.map(
      (idc) => `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: ${idc}}
spec:
  ingress: [{address: 127.0.0.1, edgePort: ${gateways[idc].edge.port}, peerPort: ${gateways[idc].peer.port}}]
  egress: [{address: 127.0.0.1, sidecarPort: ${gateways[idc].sidecar.port}, ingressPort: ${gateways[idc].ingress.port}}]
`,
    ),
    `
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: all}
spec:
  hosts: [${groups.map((group) => `${group.name}.test`).join(', ')}]
  idcs: [{name: sh-a}, {name: sh-b}]
  traffic: ${traffic}
`,
    ...groups.map(
      (group) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${group.name}, namespace: test}
spec:
  hosts: [${group.name}.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: ${group.protocol}}]
  endpoints: [{address: 127.0.0.1, ports: {main: ${inbound.get(group)?.port}}, locality: ${group.idc}}]
`,
    ),
  ].join('---');
  const meshes = await Promise.all(idcs.map((idc) => startMesh(idc, { 'all.yaml': documents })));
  const outbound = await freeAddress();
  const starts = idcs.flatMap((idc, i) => {
    const mesh = meshes[i] as Mesh;
    const { edge, peer, sidecar, ingress } = gateways[idc];
    return [
      mesh.envoy(`${idc}-ingress`, { role: 'ingress', idc, edge, peer }, options),
      mesh.envoy(`${idc}-egress`, { role: 'egress', idc, sidecar, ingress }, options),
      ...groups
        .filter((group) => group.idc === idc)
        .map((group) =>
          mesh.envoy(
            group.name,
            { role: 'sidecar', idc, namespace: 'test' },
            {
              ...options,
              inbound: { listen: inbound.get(group) as ListenAddress, app: { path: socket(group) } },
            },
          ),
        ),
    ];
  });
  await Promise.all([
    ...starts,
    (meshes[0] as Mesh).envoy(
      'caller',
      { role: 'sidecar', accessLogHeaders: ['x-tenant'], idc: 'sh-a', namespace: 'test', outbound },
      options,
    ),
  ]);
  return {
    outbound,
    edge: gateways['sh-a'].edge,
    peer: gateways['sh-b'].peer,
    edit(change) {
      documents = change(documents);
      for (const mesh of meshes) mesh.save('all.yaml', documents);
    },
    socket,
    async close() {
      await Promise.all(meshes.map((mesh) => mesh.close()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
