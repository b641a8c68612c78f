import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MeshObject } from '../../src/model/object.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { type EnvoyOptions, freeAddress, type Mesh, startMesh } from './mesh.ts';

/** A Group of the world, and where its only instance is. */
export interface TestGroup {
  readonly name: string;
  readonly idc: 'sh-a' | 'sh-b';
  readonly protocol: 'HTTP' | 'GRPC';
}

type ProxyRun = Awaited<ReturnType<Mesh['envoy']>>;

/** Two IDCs with a gateway of each kind, a caller in sh-a, and Groups with one instance each. */
export interface TwoIdcs {
  /** Where the caller in sh-a sends its requests. */
  readonly outbound: ListenAddress;
  /** Where clients enter sh-a. */
  readonly edge: ListenAddress;
  /** Where sh-b is entered by other IDCs' egress gateways. */
  readonly peer: ListenAddress;
  /** Where the egress gateway of sh-a is entered. */
  readonly egress: { readonly sidecar: ListenAddress; readonly ingress: ListenAddress };
  /** Changes the objects of both IDCs: all of them, as YAML, as they were after the last change. */
  edit(change: (yaml: string) => string): void;
  /** What the control planes have to tell. */
  problems(): readonly string[];
  /** What is in force at the control plane of each IDC. */
  objects(): readonly (readonly MeshObject[])[];
  /** The gateways that run, by id: `sh-a-ingress`. */
  readonly gateways: ReadonlyMap<string, ProxyRun>;
  /** Starts the ingress gateway of an IDC, again after its end. */
  startIngress(idc: TestGroup['idc']): Promise<unknown>;
  /** The unix socket at which a Group's instance must listen. */
  socket(group: TestGroup): string;
  close(): Promise<void>;
}

/** Starts the world; instances are the caller's to start, at `socket`. */
export async function startTwoIdcs(
  groups: readonly TestGroup[],
  traffic = '{}',
  options: EnvoyOptions | ((id: string) => EnvoyOptions) = {},
): Promise<TwoIdcs> {
  const optionsOf = (id: string) => (typeof options === 'function' ? options(id) : options);
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
  const running = new Map<string, ProxyRun>();
  const start = async (idc: TestGroup['idc'], kind: 'ingress' | 'egress') => {
    const { edge, peer, sidecar, ingress } = gateways[idc];
    const id = `${idc}-${kind}`;
    const scope =
      kind === 'ingress'
        ? ({ role: kind, idc, edge, peer } as const)
        : ({ role: kind, idc, sidecar, ingress } as const);
    running.set(id, await (meshes[idcs.indexOf(idc)] as Mesh).envoy(id, scope, optionsOf(id)));
  };
  const outbound = await freeAddress();
  const starts = idcs.flatMap((idc, i) => {
    const mesh = meshes[i] as Mesh;
    return [
      start(idc, 'ingress'),
      start(idc, 'egress'),
      ...groups
        .filter((group) => group.idc === idc)
        .map((group) =>
          mesh.envoy(
            group.name,
            { role: 'sidecar', idc, namespace: 'test' },
            {
              ...optionsOf(group.name),
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
      optionsOf('caller'),
    ),
  ]);
  return {
    outbound,
    edge: gateways['sh-a'].edge,
    peer: gateways['sh-b'].peer,
    egress: gateways['sh-a'],
    edit(change) {
      documents = change(documents);
      for (const mesh of meshes) mesh.save('all.yaml', documents);
    },
    problems: () => meshes.flatMap(({ plane }) => plane.problems().map(({ message }) => message)),
    objects: () => meshes.map(({ plane }) => plane.registry().sources.flat()),
    gateways: running,
    startIngress: (idc) => start(idc, 'ingress'),
    socket,
    async close() {
      await Promise.all(meshes.map((mesh) => mesh.close()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
