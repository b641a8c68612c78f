import type { Test } from 'tap';
import { until } from '../mesh.ts';
import { startJointWorld } from './joint-world.ts';
import { limitedToken } from './kube-api.ts';
import { addNode, type RegistrarChoice, startRegistrar } from './registrar-world.ts';
import { addPod, addReadyPod, entriesOf } from './remote.ts';

const gate = 'isthmus.dev/propagated';
const labels = { app: 'checkout' };
const pods = '/api/v1/namespaces/shop/pods';
const rbac = '/apis/rbac.authorization.k8s.io/v1';

interface PodState {
  readonly metadata: { readonly resourceVersion: string };
  readonly status: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
    }[];
  };
}

export type GateWorld = Awaited<ReturnType<typeof startGateWorld>>;

/** `startJointWorld`, with an API server that is its own Remote: its Pods are instances of `a.example`. */
export async function startGateWorld(t: Test) {
  const world = await startJointWorld(t);
  const { api, leaseOf } = world;
  await addNode(api, 'node-1', 'zone-1');
  const podOf = async (name: string) => (await api.must('GET', `${pods}/${name}`)) as PodState;
  const conditionsOf = async (name: string) => (await podOf(name)).status.conditions ?? [];
  const entryOf = async (address: string) => {
    const found = (await entriesOf(api)).filter(
      ({ spec, metadata }) => spec.address === address && metadata.deletionTimestamp === undefined,
    );
    if (found[0] === undefined) throw new Error(`no entry of ${address}`);
    return found[0];
  };
  /** As a kubelet does: conditions of others stay. */
  async function say(name: string, containersReady: boolean, more: Readonly<Record<string, unknown>> = {}) {
    const status = containersReady ? 'True' : 'False';
    const body = { status: { ...more, conditions: [{ type: 'ContainersReady', status }] } };
    const merge = 'application/strategic-merge-patch+json';
    const answer = await api.call('PATCH', `${pods}/${name}/status`, body, merge);
    if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  }
  const ready = (name: string, podIP: string) =>
    say(name, true, { phase: 'Running', podIP, podIPs: [{ ip: podIP }] });
  return {
    ...world,
    ...{ ready, entryOf },
    startRegistrar: (t: Test, choice: RegistrarChoice = {}) =>
      startRegistrar(t, { primary: api, remote: api }, choice),
    /** A Pod that is ready but for the gate. */
    async addGated(name: string, address: string) {
      await addPod(api, name, { labels, spec: { readinessGates: [{ conditionType: gate }] } });
      await ready(name, address);
    },
    addPlain: (name: string, address: string) => addReadyPod(api, name, address, { labels }),
    notReady: (name: string) => say(name, false),
    /** The condition of the gate; undefined: nobody has written it. */
    gateOf: async (name: string) => (await conditionsOf(name)).find(({ type }) => type === gate),
    conditionsOf: async (name: string) =>
      Object.fromEntries((await conditionsOf(name)).map(({ type, status }) => [type, status])),
    /** What control planes tell each other of the instance. */
    async keyOf(address: string) {
      const { uid, generation } = (await entryOf(address)).metadata;
      return `${uid}/${generation}`;
    },
    async versions(pod: string, address: string) {
      const entry = await entryOf(address);
      return [(await podOf(pod)).metadata.resourceVersion, entry.metadata.resourceVersion];
    },
    /** Waits until the Lease of a control plane was renewed so often. */
    async renewals(identity: string, count: number) {
      const seen = new Set<string>();
      await until('the Lease is renewed', async () => {
        const lease = await leaseOf(identity);
        seen.add(JSON.stringify(lease));
        return seen.size > count;
      });
      return seen.size - 1;
    },
    /** A kubeconfig of one who may do this, and no more, with Pods and Nodes. */
    async limited(...verbs: readonly string[]) {
      const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'limited' };
      const rules = [{ apiGroups: [''], resources: ['pods', 'nodes', 'pods/status', 'services'], verbs }];
      await api.must('POST', `${rbac}/clusterroles`, { metadata: { name: 'limited' }, rules }, [409]);
      await api.must('PATCH', `${rbac}/clusterroles/limited`, { rules });
      const binding = {
        ...{ metadata: { name: 'limited' }, roleRef: role },
        subjects: [{ kind: 'User', apiGroup: role.apiGroup, name: 'limited' }],
      };
      await api.must('POST', `${rbac}/clusterrolebindings`, binding, [409]);
      return api.kubeconfig({ token: limitedToken });
    },
  };
}
