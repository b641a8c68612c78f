import type { ListenAddress } from '../../src/model/node.ts';
import { freeAddress } from './mesh.ts';
import { type Loose, startPatched, withoutTrailFilters } from './patched.ts';

/** What the instance bears, and what else its Group declares. */
export interface Spilled {
  readonly instance: ListenAddress;
  readonly concurrentPerInstance: number;
  /** `spec.traffic`, as YAML. */
  readonly traffic?: string;
}

/**
 * The ingress gateway of sh-b, with the only instance of `one.test` behind it, which takes from sh-a so much and no more. `patch`
 * alters what it is pushed.
 */
export async function startFullIngress(
  t: { teardown(end: () => unknown): void },
  { instance, concurrentPerInstance, traffic = '{}' }: Spilled,
  patch: (message: Loose) => void,
): Promise<{ readonly edge: ListenAddress; readonly peer: ListenAddress }> {
  const [edge, peer] = [await freeAddress(), await freeAddress()];
  const patched = await startPatched({
    scope: { role: 'ingress', idc: 'sh-b', edge, peer },
    yaml: `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-b}
spec:
  ingress: [{address: ${edge.address}, edgePort: ${edge.port}, peerPort: ${peer.port}}]
  egress: [{address: 127.0.0.1, sidecarPort: 3, ingressPort: 4}]
---
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-a}
spec:
  ingress: [{address: 127.0.0.1, edgePort: 1, peerPort: 2}]
  egress: [{address: 127.0.0.1, sidecarPort: 5, ingressPort: 6}]
---
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: all}
spec:
  hosts: [one.test]
  idcs: [{name: sh-a}, {name: sh-b}]
  capacity: {concurrentPerInstance: ${concurrentPerInstance}}
  traffic: ${traffic}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one, namespace: test}
spec:
  hosts: [one.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
  endpoints: [{address: ${instance.address}, ports: {main: ${instance.port}}, locality: sh-b}]
`,
    patch(message) {
      withoutTrailFilters(message);
      patch(message);
    },
  });
  t.teardown(() => patched.close());
  return { edge, peer };
}
