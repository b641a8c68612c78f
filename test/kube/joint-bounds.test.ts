import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { createKubeClient } from '../../src/kube/kube-client.ts';
import { JointRelease } from '../../src/registry/kubernetes/joint/joint-release.ts';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { until } from '../support/mesh.ts';

t.test('what control planes tell each other is bounded', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  const uids = Array.from({ length: 4_500 }, () => randomUUID() as string);
  const leaving = new Set(uids);
  const released: string[] = [];

  async function start(t: Test, identity: string, isElected: boolean) {
    const client = createKubeClient(readKubeconfig({ file: api.kubeconfig() }, clock), { clock });
    const stop = new AbortController();
    t.teardown(() => {
      stop.abort();
      client.close();
    });
    const joint = new JointRelease({
      ...{ idc: 'sh-a', identity, clock, random: seededRandom(1), waiting: () => leaving },
      ...{ timing: { renewMs: 200, durationMs: 10_000 }, electionTrouble: () => undefined },
      ...{ isElected: () => isElected, onState: () => {} },
    });
    await joint.start(client, 'default', stop.signal);
    return joint;
  }

  const [one, two] = [await start(t, 'one', true), await start(t, 'two', false)];
  const release = (uid: string) => async () => {
    released.push(uid);
    leaving.delete(uid);
  };
  // In another order, and not all of them: those that one has not confirmed do not keep the others.
  const [mine, theirs] = [uids.slice(0, 4_000), uids.slice(500).reverse()];
  for (const uid of mine) one.confirm(uid, release(uid));
  let longest = 0;
  const { items } = await lists();
  t.equal(items.length, 2);
  for (const uid of theirs)
    two.confirm(uid, () => Promise.reject(new Error('only the elected one releases')));
  await until('those that both have confirmed are released', async () => {
    for (const { metadata } of (await lists()).items)
      longest = Math.max(longest, metadata.annotations['isthmus.dev/confirmed']?.length ?? 0);
    return released.length === 3_500;
  });
  t.strictSame(new Set(released), new Set(uids.slice(500, 4_000)));
  t.ok(longest > 0 && longest <= 2_000 * 37, 'at most 2,000 in a Lease');
  for (const uid of uids.slice(0, 500)) two.confirm(uid, () => Promise.reject(new Error('not elected')));
  await until('the others', () => released.length === 4_000);
  t.equal(new Set(released).size, 4_000, 'each once');

  async function lists() {
    const selector = new URLSearchParams({ labelSelector: 'isthmus.dev/replica-of=sh-a' });
    const path = `/apis/coordination.k8s.io/v1/namespaces/default/leases?${selector}`;
    return (await api.must('GET', path)) as {
      readonly items: readonly { readonly metadata: { readonly annotations: Record<string, string> } }[];
    };
  }
});
