import t from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { finalizer, kept, startJointWorld } from '../support/kube/joint-world.ts';
import { withoutKube } from '../support/kube/kube-api.ts';
import { pathOf } from '../support/kube/kube-kinds.ts';
import { quickStatus } from '../support/kube/kube-world.ts';
import { until } from '../support/mesh.ts';

t.test('finalizers of an IDC with two control planes', { skip: withoutKube }, async (t) => {
  const world = await startJointWorld(t);
  const { finalizersOf, hasTold } = world;
  const isGone = (name: string) => async () => (await finalizersOf(name)) === 'gone';
  const one = await world.start(t, 'one');
  await until('the first one writes', async () => (await world.elected()) === 'one');
  const two = await world.start(t, 'two');
  const both = [one.proxy, two.proxy];

  await t.test('kept until the proxies of the other one have confirmed', async (t) => {
    await world.add('w-200', '10.1.0.201', ...both);
    const uid = await world.uidOf('w-200');
    two.proxy.ack(false);
    await world.remove('w-200');
    await until('both were told', () => both.every((proxy) => !proxy.last().includes('10.1.0.201')));
    await until('its own proxies have confirmed', () => one.hasConfirmed('w-200'));
    t.equal(two.hasConfirmed('w-200'), false);
    await until('it is told who is waited for', () =>
      one.plane
        .problems()
        .some(({ code, message }) => code === 'NotReleased' && message.includes('the control plane two')),
    );
    t.equal(await hasTold('two', uid), false);
    t.strictSame(await finalizersOf('w-200'), [finalizer]);
    two.proxy.ack(true);
    await until('it is gone', isGone('w-200'));
    await until('nothing is told of', () => one.plane.problems().every(({ code }) => code !== 'NotReleased'));
  });

  await t.test('kept until those of the elected one have', async (t) => {
    await world.add('w-201', '10.1.0.202', ...both);
    const uid = await world.uidOf('w-201');
    one.proxy.ack(false);
    await world.remove('w-201');
    await until('the other one says that its proxies have', () => hasTold('two', uid));
    t.strictSame(await finalizersOf('w-201'), [finalizer]);
    one.proxy.ack(true);
    await until('it is gone', isGone('w-201'));
    await until('it is told of no more', async () => !(await hasTold('two', uid)));
  });

  await t.test('one that has just begun is asked, and its end is waited for', async (t) => {
    const three = await world.start(t, 'three');
    await world.add('w-202', '10.1.0.203', three.proxy, ...both);
    three.proxy.ack(false);
    await world.remove('w-202');
    const uid = await world.uidOf('w-202');
    await until('the second has confirmed', () => hasTold('two', uid));
    await until('the first has', () => one.hasConfirmed('w-202'));
    t.strictSame(await finalizersOf('w-202'), [finalizer]);
    await until('the third was told', () => !three.proxy.last().includes('10.1.0.203'));
    const endsAt = clock.now();
    await three.close();
    t.strictSame(await finalizersOf('w-202'), [finalizer], 'its end is no word of its proxies');
    await until('it is gone', isGone('w-202'), 40_000);
    const { durationMs, renewMs } = quickStatus;
    t.ok(clock.now() - endsAt > durationMs - 2 * renewMs, 'after the end of its Lease');
    t.ok(clock.now() - endsAt < 10 * durationMs);
    await until('its Lease is removed', async () => (await world.leaseOf('three')) === undefined);
  });

  await t.test('when the elected one ends, the other one releases', async (t) => {
    await world.add('w-203', '10.1.0.204', ...both);
    const uid = await world.uidOf('w-203');
    one.proxy.ack(false);
    await world.remove('w-203');
    await until('the other one has confirmed', () => hasTold('two', uid));
    await one.close();
    t.strictSame(await finalizersOf('w-203'), [finalizer]);
    await until('it is gone', isGone('w-203'), 40_000);
    t.equal(await world.elected(), 'two');
  });
});

t.test('negative control: where the others are not asked', { skip: withoutKube }, async (t) => {
  const world = await startJointWorld(t);
  const one = await world.start(t, 'one', false);
  const two = await world.start(t, 'two', false);
  await world.add('w-200', '10.1.0.201', one.proxy, two.proxy);
  two.proxy.ack(false);
  await world.remove('w-200');
  await until('it is gone', async () => (await world.finalizersOf('w-200')) === 'gone');
  t.equal(two.hasConfirmed('w-200'), false, 'while a proxy may still have it');
  t.equal((await world.api.call('GET', pathOf(kept('w-200')))).status, 404);
});
