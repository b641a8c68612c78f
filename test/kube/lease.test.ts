import t, { type Test } from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { createKubeClient } from '../../src/kube/kube-client.ts';
import { KubeLease } from '../../src/kube/lease.ts';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { until } from '../support/mesh.ts';

const timing = { renewMs: 200, durationMs: 3_000 };

t.test('a Lease', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  const path = (name: string) => `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}`;
  const specOf = async (name: string) =>
    ((await api.must('GET', path(name))) as { spec: Record<string, unknown> }).spec;

  function keep(t: Test, name: string, identity: string, namespace = 'default', wallMs = () => 0) {
    const client = createKubeClient(readKubeconfig({ file: api.kubeconfig() }, clock), { clock });
    const stop = new AbortController();
    let states = 0;
    const keeper = new KubeLease({
      ...{ client, namespace, name, identity, random: seededRandom(1), timing },
      clock: { ...clock, wall: () => clock.wall() + wallMs() },
      onState: () => {
        states += 1;
      },
    });
    t.teardown(() => {
      stop.abort();
      client.close();
    });
    void keeper.run(stop.signal);
    return { keeper, stop: () => stop.abort(), states: () => states };
  }

  await t.test('one holds it; another takes it when the first has ended, and not before', async (t) => {
    const first = keep(t, 'one', 'a');
    await until('it is held', () => first.keeper.isHeld);
    t.match(await specOf('one'), { holderIdentity: 'a', leaseDurationSeconds: 3, leaseTransitions: 0 });
    const second = keep(t, 'one', 'b');
    const { renewTime } = await specOf('one');
    await until('many renewals', async () => {
      if (second.keeper.isHeld) throw new Error('both hold it');
      const now = (await specOf('one')).renewTime as string;
      return Date.parse(now) - Date.parse(renewTime as string) > 2 * timing.durationMs;
    });
    t.equal(first.keeper.isHeld, true, 'a holder that renews keeps it longer than its duration');
    first.stop();
    const stoppedAt = clock.now();
    await until('the other has it', () => second.keeper.isHeld);
    t.ok(clock.now() - stoppedAt > timing.durationMs - 2 * timing.renewMs, 'after its end');
    t.equal(first.keeper.isHeld, false);
    t.match(await specOf('one'), { holderIdentity: 'b', leaseTransitions: 1 });
    t.equal(second.states(), 1, 'told once');
  });

  await t.test('clocks of hours apart, which jump: one holds it, and keeps it', async (t) => {
    const hourMs = 3_600_000;
    let jumpMs = 0;
    const first = keep(t, 'clocks', 'a', 'default', () => jumpMs - hourMs);
    await until('it is held', () => first.keeper.isHeld);
    const others = [
      keep(t, 'clocks', 'b', 'default', () => 2 * hourMs - jumpMs),
      keep(t, 'clocks', 'c', 'default', () => -24 * hourMs),
    ];
    for (jumpMs of [5 * hourMs, -5 * hourMs, 0]) {
      const from = clock.now();
      await until('longer than its duration has passed', () => {
        if (others.some(({ keeper }) => keeper.isHeld)) throw new Error('two hold it');
        return clock.now() - from > 1.5 * timing.durationMs;
      });
      t.ok(first.keeper.isHeld, `after a jump of ${jumpMs / hourMs} hours`);
    }
    t.match(await specOf('clocks'), { holderIdentity: 'a', leaseTransitions: 0 });
    first.stop();
    const held = () => others.filter(({ keeper }) => keeper.isHeld).length;
    await until('another one has it', () => held() > 0);
    t.equal(held(), 1);
  });

  await t.test('taken away: the former holder does not hold it any more', async (t) => {
    const { keeper } = keep(t, 'two', 'a');
    await until('it is held', () => keeper.isHeld);
    await api.must('PATCH', path('two'), { spec: { holderIdentity: 'someone' } });
    await until('it is not held', () => !keeper.isHeld);
    t.match(await specOf('two'), { holderIdentity: 'someone' });
  });

  await t.test('no namespace: told', async (t) => {
    const { keeper } = keep(t, 'three', 'a', 'nowhere');
    await until('a word', () => keeper.trouble !== undefined);
    t.match(keeper.trouble?.message, /create leases\.coordination\.k8s\.io: 404 .*nowhere/);
  });

  await t.test('a server that is stopped: not held before others could take it', async (t) => {
    const { keeper } = keep(t, 'four', 'a');
    await until('it is held', () => keeper.isHeld);
    api.signal('SIGSTOP');
    const stoppedAt = clock.now();
    await until('it is not held', () => !keeper.isHeld);
    t.ok(clock.now() - stoppedAt < 10 * timing.durationMs);
    t.equal(keeper.trouble, undefined, 'the watches tell of that');
    api.signal('SIGCONT');
    await until('it is held again', () => keeper.isHeld);
    t.match(await specOf('four'), { holderIdentity: 'a', leaseTransitions: 0 });
  });
});
