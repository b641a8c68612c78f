import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress, type Mesh, type MeshOptions, startMesh } from '../mesh.ts';

/** One IDC, `sh-b`, with gateways and an instance that answers 200; other IDCs exist only as objects. */
export interface Gateways {
  readonly mesh: Mesh;
  /** The peer listeners of its ingress gateways. */
  readonly peers: readonly ListenAddress[];
  /** Saves the Idc of another data centre: a new policy for every gateway. */
  addIdc(name: string): void;
  close(): Promise<void>;
}

/** The host that the instance serves. */
export const servedHost = 'echo.test';

/**
 * Starts two ingress gateways and an egress gateway of `sh-b`, with `sh-a` beside it. Its timeouts are long
 * and nothing is retried: a request that is lost is lost, and one that is late on a busy machine is not.
 */
export async function startGateways(options: MeshOptions = {}): Promise<Gateways> {
  const ports = async (count: number) => Promise.all(Array.from({ length: count }, () => freeAddress()));
  const [edges, peers, inside] = [await ports(2), await ports(2), await ports(2)];
  const own = idc(
    'sh-b',
    edges
      .map(({ port }, i) => `{address: 127.0.0.1, edgePort: ${port}, peerPort: ${peers[i]?.port}}`)
      .join(', '),
    `{address: 127.0.0.1, sidecarPort: ${inside[0]?.port}, ingressPort: ${inside[1]?.port}}`,
  );
  const mesh = await startMesh('sh-b', { 'sh-b.yaml': own, 'sh-a.yaml': far('sh-a') }, options);
  // In a process of its own, so that nothing that happens in this one makes it late.
  const main = fileURLToPath(new URL('../apps/instance-main.ts', import.meta.url));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const app = spawn(process.execPath, [main], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = (await once(app.stdout, 'data')) as [Buffer];
  mesh.save(
    'echo.yaml',
    `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: echo
  namespace: test
  annotations: {isthmus.dev/timeout: 60s, isthmus.dev/per-try-timeout: 0s, isthmus.dev/retries: '0'}
spec:
  hosts: [${servedHost}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {main: ${Number(port)}}, locality: sh-b}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo, namespace: test}
spec:
  host: ${servedHost}
  trafficPolicy: {connectionPool: {tcp: {connectTimeout: 10s}}}
`,
  );
  const [sidecar, ingress] = inside as [ListenAddress, ListenAddress];
  await Promise.all([
    ...edges.map((edge, i) =>
      mesh.envoy(`ingress-${i}`, { role: 'ingress', idc: 'sh-b', edge, peer: peers[i] as ListenAddress }),
    ),
    mesh.envoy('egress', { role: 'egress', idc: 'sh-b', sidecar, ingress }),
  ]);
  return {
    mesh,
    peers,
    addIdc: (name) => mesh.save(`${name}.yaml`, far(name)),
    async close() {
      app.kill('SIGKILL');
      await mesh.close();
    },
  };
}

function far(name: string): string {
  return idc(
    name,
    '{address: 127.0.0.1, edgePort: 1, peerPort: 2}',
    '{address: 127.0.0.1, sidecarPort: 3, ingressPort: 4}',
  );
}

function idc(name: string, ingress: string, egress: string): string {
  return `apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: ${name}}
spec:
  ingress: [${ingress}]
  egress: [${egress}]
`;
}
