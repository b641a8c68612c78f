import t, { type Test } from 'tap';
import { type GateWorld, startGateWorld } from '../support/kube/gate-world.ts';
import { withoutKube } from '../support/kube/kube-api.ts';
import { quickRegistrar } from '../support/kube/registrar-world.ts';
import { removePod } from '../support/kube/remote.ts';
import { until } from '../support/mesh.ts';

type Joined = Awaited<ReturnType<GateWorld['start']>>;

t.test('the readiness gate of Pods', { skip: withoutKube }, async (t) => {
  const world = await startGateWorld(t);
  const { gateOf, addGated, ready } = world;
  const isOpen = (name: string) => async () => (await gateOf(name))?.status === 'True';
  const one = await world.start(t, 'one');
  await until('the first one writes', async () => (await world.elected()) === 'one');
  const two = await world.start(t, 'two');
  const both = [one.proxy, two.proxy];
  const { registrar } = world.startRegistrar(t);
  const have = (address: string) =>
    until(`all were told of ${address}`, () => both.every((proxy) => proxy.last().includes(address)));
  /** Whether the finding about a control plane that does not confirm names it. */
  const isAwaited = ({ plane }: Joined, identity: string) =>
    plane
      .problems()
      .some(
        ({ code, message }) => code === 'NotReleased' && message.includes(`the control plane ${identity} `),
      );

  await t.test('closed until the proxies of all control planes have confirmed', async (t) => {
    two.proxy.ack(false);
    await addGated('web-1', '10.9.0.1');
    await have('10.9.0.1');
    await until('the other one is waited for', () => isAwaited(one, 'two'));
    t.equal(await gateOf('web-1'), undefined, 'its proxy may not have it');
    t.equal(registrar.status.gated, 1);
    two.proxy.ack(true);
    await until('it is open', isOpen('web-1'));
    t.match(await gateOf('web-1'), { status: 'True', reason: 'Propagated' });
    t.match(await world.conditionsOf('web-1'), { ContainersReady: 'True' }, 'other conditions stay');
    await until('nobody waits', () => registrar.status.gated === 0);
  });

  await t.test('its own proxies are waited for, too', async (t) => {
    one.proxy.ack(false);
    await addGated('web-2', '10.9.0.2');
    await have('10.9.0.2');
    const key = await world.keyOf('10.9.0.2');
    await until('the other one says that its proxies have it', () => world.hasTold('two', key));
    t.equal(await gateOf('web-2'), undefined);
    one.proxy.ack(true);
    await until('it is open', isOpen('web-2'));
    await until('it is told of no more', async () => !(await world.hasTold('two', key)));
  });

  await t.test('containers that restart close it, and wait once more', async (t) => {
    await world.notReady('web-1');
    await until('it is closed', async () => (await gateOf('web-1'))?.reason === 'NotServing');
    await until('nobody has it', () => both.every((proxy) => !proxy.last().includes('10.9.0.1')));
    two.proxy.ack(false);
    await ready('web-1', '10.9.0.1');
    await have('10.9.0.1');
    await until('the other one is waited for', () => isAwaited(one, 'two'));
    t.match(await gateOf('web-1'), { status: 'False' });
    two.proxy.ack(true);
    await until('it is open', isOpen('web-1'));
  });

  await t.test('another Pod with its name and address waits itself', async (t) => {
    await removePod(world.api, 'web-1');
    await until('nobody has it', () => both.every((proxy) => !proxy.last().includes('10.9.0.1')));
    two.proxy.ack(false);
    await addGated('web-1', '10.9.0.1');
    await have('10.9.0.1');
    await until('the other one is waited for', () => isAwaited(one, 'two'));
    t.equal(await gateOf('web-1'), undefined);
    two.proxy.ack(true);
    await until('it is open', isOpen('web-1'));
  });

  await t.test('a Pod without the gate gets no condition, and is not asked for', async (t) => {
    await world.addPlain('plain', '10.9.0.3');
    await have('10.9.0.3');
    await addGated('web-3', '10.9.0.4');
    await until('a later one is open', isOpen('web-3'));
    t.equal(await gateOf('plain'), undefined);
    const { annotations } = (await world.entryOf('10.9.0.3')).metadata;
    t.strictSame(
      Object.keys(annotations).filter((key) => /gated|propagated/.test(key)),
      [],
    );
  });

  await t.test('while nothing changes nothing is written', async (t) => {
    const versions = () => world.versions('web-1', '10.9.0.1');
    const before = await versions();
    const renewed = await world.renewals('two', 5);
    t.ok(renewed >= 5);
    t.strictSame(await versions(), before);
  });

  await t.test('a control plane that starts meanwhile is waited for, one that dies no longer', async (t) => {
    two.proxy.ack(false);
    await addGated('web-5', '10.9.0.5');
    await have('10.9.0.5');
    const three = await world.start(t, 'three');
    await until('the second is waited for', () => isAwaited(one, 'two'));
    t.equal(await gateOf('web-5'), undefined);
    await two.close();
    await until('it is open', isOpen('web-5'), 40_000);
    await three.close();
  });
});

t.test('the limit of the wait', { skip: withoutKube }, async (t) => {
  const world = await startGateWorld(t);
  const timing = { ...quickRegistrar, gate: { limitMs: 1_000, spareMs: 60_000 } };
  const { registrar } = world.startRegistrar(t, { timing });
  // No control plane is at work.
  await world.addGated('web-1', '10.9.0.1');
  await until('it waits', () => registrar.status.gated === 1);
  t.equal(await world.gateOf('web-1'), undefined);
  await until('it is let in', async () => (await world.gateOf('web-1'))?.reason === 'Overdue');
  t.match(await world.gateOf('web-1'), { status: 'True' });
  const told = () => registrar.status.troubles.some((text) => /shop\/web-1, were let in .* 1 s/.test(text));
  await until('it is told', told);
  await world.start(t, 'one');
  await until('its proxies have it', async () => (await world.gateOf('web-1'))?.reason === 'Propagated');
  await until('it is told of no more', () => !told());
});

t.test('rights', { skip: withoutKube }, async (t) => {
  const world = await startGateWorld(t);
  await world.start(t, 'one');
  const { registrar } = world.startRegistrar(t, { remote: await world.limited('list', 'watch') });
  await world.addGated('web-1', '10.9.0.1');
  const line = '{apiGroups: [""], resources: ["pods/status"], verbs: [patch]}';
  await until('the line of the role', () => registrar.status.troubles.some((text) => text.includes(line)));
  await until('it is registered nevertheless', () => registrar.status.entries === 1);
  t.equal(await world.gateOf('web-1'), undefined);
  await world.limited('list', 'watch', 'patch');
  await until('it is open', async () => (await world.gateOf('web-1'))?.status === 'True');
  await until('it is told of no more', () => registrar.status.troubles.length === 0);
});

/** A Pod that is ready while a proxy of the second control plane has not confirmed: its gate then. */
async function early(t: Test, asks: boolean, asksProxies: boolean) {
  const world = await startGateWorld(t);
  const one = await world.start(t, 'one', asks, asksProxies);
  const two = await world.start(t, 'two', asks, asksProxies);
  world.startRegistrar(t);
  two.proxy.ack(false);
  await world.addGated('web-1', '10.9.0.1');
  await until('it is open', async () => (await world.gateOf('web-1'))?.status === 'True');
  const late = two.plane
    .status()
    .proxies.some(({ types }) => Object.values(types).some(({ state }) => state !== 'SYNCED'));
  await one.close();
  return late;
}

t.test('negative controls', { skip: withoutKube }, async (t) => {
  t.ok(await early(t, false, true), 'others are not asked: open while a proxy has not confirmed');
  t.ok(await early(t, true, false), 'nor are the own proxies');
});
