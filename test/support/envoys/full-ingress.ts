import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress } from '../mesh.ts';
import { idcYaml, idcYamlOf, oneYaml } from '../objects-yaml.ts';
import { type Loose, startPatched, withoutTrailFilters } from './patched.ts';

/** What the instance bears, and what else its Group declares. */
export interface Spilled {
  readonly instance: ListenAddress;
  readonly concurrentPerInstance: number;
  /** `spec.traffic`, as YAML. */
  readonly traffic?: string;
}

/**
 * The ingress gateway of sh-b, with the only instance of `one.test` behind it, which takes from sh-a so much
 * and no more. `patch` alters what it is pushed.
 */
export async function startFullIngress(
  t: { teardown(end: () => unknown): void },
  { instance, concurrentPerInstance, traffic = '{}' }: Spilled,
  patch: (message: Loose) => void,
): Promise<{ readonly edge: ListenAddress; readonly peer: ListenAddress }> {
  const [edge, peer] = [await freeAddress(), await freeAddress()];
  const drGroup = `
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: all}
spec:
  hosts: [one.test]
  idcs: [{name: sh-a}, {name: sh-b}]
  capacity: {concurrentPerInstance: ${concurrentPerInstance}}
  traffic: ${traffic}
`;
  const patched = await startPatched({
    scope: { role: 'ingress', idc: 'sh-b', edge, peer },
    yaml: [idcYamlOf('sh-b', { edge, peer }), idcYaml, drGroup, oneYaml(instance, 'sh-b')].join('---'),
    patch(message) {
      withoutTrailFilters(message);
      patch(message);
    },
  });
  t.teardown(() => patched.close());
  return { edge, peer };
}
