import type { Test } from 'tap';
import { systemClock as clock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { readKubeconfig } from '../../../src/kube/config/kubeconfig.ts';
import { startControlPlane } from '../../../src/plane/controlplane.ts';
import { createKubernetesSource } from '../../../src/registry/kubernetes/kubernetes-source.ts';
import { idc, type RawObject, service, workload } from '../../registry/objects.ts';
import { follow } from '../clients/follower.ts';
import { connectXds } from '../clients/xds-client.ts';
import { until } from '../mesh.ts';
import { KubeApi } from './kube-api.ts';
import { defineKinds, pathOf, putObject } from './kube-kinds.ts';
import { quickStatus, quickTiming } from './kube-world.ts';

export const finalizer = 'isthmus.dev/propagated';

const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';

/** An instance that is kept until no proxy has it. */
export function kept(name: string): RawObject {
  const object = workload(name);
  return { ...object, metadata: { ...object.metadata, finalizers: [finalizer] } };
}

/** The Lease of a control plane, as far as tests look at it. */
export interface ReplicaLease {
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: { readonly holderIdentity: string };
}

/** An API server for several control planes of one IDC, with the Group `a.example`. */
export async function startJointWorld(t: Test) {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  await putObject(api, idc('sh-a'));
  await putObject(api, service('a', 'a.example'));
  for (let at = 10; at < 20; at += 1) await putObject(api, workload(`w-${at}`));

  /** A control plane with a proxy that has `a.example`; `asks…`: whether it asks others, and its proxies. */
  async function start(t: Test, identity: string, asks = true, asksProxies = true) {
    const access = () => readKubeconfig({ file: api.kubeconfig() }, clock);
    const source = createKubernetesSource(
      {
        ...{ access, clock, random: seededRandom(1) },
        ...(asks && { conditions: { idc: 'sh-a', identity } }),
      },
      { timing: quickTiming, status: { ...quickStatus, overdueMs: 1_000 }, asksProxies },
    );
    const plane = await startControlPlane({
      ...{ idc: 'sh-a', xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1, clock, logger: silentLogger },
      sources: [source],
    });
    t.teardown(() => plane.close());
    const outbound = { address: '127.0.0.1', port: 15_001 };
    const metadata = { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } };
    const client = connectXds(`127.0.0.1:${plane.xds.port}`, 'delta', { id: `caller-${identity}`, metadata });
    t.teardown(() => client.close());
    const proxy = follow(client, 'delta', 'instances/a.example:80', /^(.*)$/);
    const isInSync = () =>
      plane
        .status()
        .proxies.some(({ types }) => Object.values(types).every(({ state }) => state === 'SYNCED'));
    await until('the proxy has instances', () => proxy.last().includes('10.1.0.11'), 60_000);
    await until('it has confirmed', isInSync);
    return {
      ...{ plane, proxy, identity },
      close: () => plane.close(),
      /** Whether its proxies have all confirmed a deletion that they were told of. */
      hasConfirmed: (name: string) =>
        plane.deletions.of({ kind: 'WorkloadEntry', namespace: 'shop', name }) === undefined,
    };
  }

  async function leaseOf(identity: string): Promise<ReplicaLease | undefined> {
    const selector = new URLSearchParams({ labelSelector: 'isthmus.dev/replica-of=sh-a' });
    const { items } = (await api.must('GET', `${leases}?${selector}`)) as {
      readonly items: readonly ReplicaLease[];
    };
    return items.find(({ spec }) => spec.holderIdentity === identity);
  }

  return {
    ...{ api, start, leaseOf, leases },
    /** Adds an instance of `a.example`, which is told to proxies before this resolves. */
    async add(name: string, address: string, ...proxies: readonly { last(): string }[]) {
      await putObject(api, kept(name));
      await until('all have it', () => proxies.every((proxy) => proxy.last().includes(address)));
    },
    remove: (name: string) => api.must('DELETE', pathOf(workload(name))),
    async finalizersOf(name: string) {
      const { status, body } = await api.call('GET', pathOf(workload(name)));
      return status === 404 ? 'gone' : (body as { metadata: { finalizers?: string[] } }).metadata.finalizers;
    },
    async uidOf(name: string) {
      const { metadata } = (await api.must('GET', pathOf(workload(name)))) as { metadata: { uid: string } };
      return metadata.uid;
    },
    async hasTold(identity: string, uid: string) {
      const said = (await leaseOf(identity))?.metadata.annotations['isthmus.dev/confirmed'] ?? '';
      return said.split(',').includes(uid);
    },
    async elected() {
      const { status, body } = await api.call('GET', `${leases}/isthmus-status-sh-a`);
      return status === 404 ? '' : (body as ReplicaLease).spec.holderIdentity;
    },
  };
}
