import t, { type Test } from 'tap';
import type { Condition } from '../../src/registry/kubernetes/accepted-condition.ts';
import { drGroup, idc, type RawObject } from '../registry/objects.ts';
import { startJointWorld } from '../support/kube/joint-world.ts';
import { withoutKube } from '../support/kube/kube-api.ts';
import { pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { until } from '../support/mesh.ts';

interface Seen {
  readonly metadata: { readonly resourceVersion: string };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

const group = drGroup('dr', ['a.example'], 'sh-a', 'sh-b');
const turned = drGroup('dr', ['a.example'], 'sh-b', 'sh-a');

async function startWorld(t: Test) {
  const world = await startJointWorld(t);
  await putObject(world.api, idc('sh-b'));
  const get = async (object: RawObject) => (await world.api.must('GET', pathOf(object))) as Seen;
  const conditionOf = async (object: RawObject, type: string) =>
    (await get(object)).status?.conditions?.find((one) => one.type === type);
  return {
    ...world,
    versionOf: async (object: RawObject) => (await get(object)).metadata.resourceVersion,
    accepted: (object: RawObject) => conditionOf(object, 'Accepted'),
    programmed: (object: RawObject) => conditionOf(object, 'Programmed'),
  };
}

t.test('the condition Programmed', { skip: withoutKube }, async (t) => {
  const world = await startWorld(t);
  const { api, programmed } = world;
  const isDone = (object: RawObject, generation: number) => async () => {
    const { status, observedGeneration } = (await programmed(object)) ?? {};
    return status === 'True' && observedGeneration === generation;
  };
  const one = await world.start(t, 'one');
  await until('the first one writes', async () => (await world.elected()) === 'one');
  const two = await world.start(t, 'two');

  await t.test('True once the proxies of all control planes have ACKed it, with their number', async (t) => {
    await putObject(api, group);
    await until('it is programmed', isDone(group, 1));
    t.match(await programmed(group), {
      reason: 'Programmed',
      message: '2 of 2 proxies of 2 control planes have ACKed it.',
    });
    t.match(await world.accepted(group), { status: 'True', observedGeneration: 1 }, 'beside Accepted');
  });

  await t.test('False while one has not: how many have, and which control plane is awaited', async (t) => {
    const before = await programmed(group);
    two.proxy.ack(false);
    await world.add('w-200', '10.1.0.201', one.proxy, two.proxy);
    await putObject(api, turned);
    await until('it is pending', async () => (await programmed(group))?.reason === 'Pending');
    const pending = await programmed(group);
    t.match(pending, { status: 'False', observedGeneration: 2 });
    t.match(pending?.message, /^1 of [12] proxies have ACKed it, .* 1 of 2 control planes: two\./);
    await until('the other one has counted', async () =>
      /^1 of 2 proxies/.test((await programmed(group))?.message ?? ''),
    );
    t.ok(Date.parse(pending?.lastTransitionTime ?? '') >= Date.parse(before?.lastTransitionTime ?? ''));
    t.strictSame(
      one.plane.problems().filter(({ code }) => code === 'NotReleased'),
      [],
      'nothing is kept by it',
    );
    two.proxy.ack(true);
    await until('it is programmed', isDone(group, 2));
  });

  await t.test('False of what is not in force, True once it is', async (t) => {
    const early = drGroup('early', ['early.example'], 'sh-a', 'sh-c');
    await putObject(api, early);
    await until('it is refused', async () => (await programmed(early))?.reason === 'NotAccepted');
    t.match(await world.accepted(early), { status: 'False' });
    await putObject(api, idc('sh-c'));
    await until('it is programmed', isDone(early, 1));
    await until('the Idc, too', isDone(idc('sh-c'), 1));
  });

  await t.test('nothing is written while nothing changes, also by another one', async (t) => {
    const versions = () => Promise.all([group, idc('sh-a'), idc('sh-b')].map(world.versionOf));
    await until('all are', async () => (await isDone(idc('sh-a'), 1)()) && (await isDone(idc('sh-b'), 1)()));
    const before = await versions();
    const three = await world.start(t, 'three');
    await one.close();
    await until('another one writes', async () => !['', 'one'].includes(await world.elected()), 40_000);
    await putObject(api, idc('sh-d'));
    await until('it is programmed', isDone(idc('sh-d'), 1), 40_000);
    t.match((await programmed(idc('sh-d')))?.message, /^2 of 2 proxies of 2 control planes/);
    t.strictSame(await versions(), before);
    await three.close();
  });
});

t.test('negative control: where proxies are not asked', { skip: withoutKube }, async (t) => {
  const world = await startWorld(t);
  const one = await world.start(t, 'one', true, false);
  one.proxy.ack(false);
  await world.add('w-200', '10.1.0.201', one.proxy);
  await putObject(world.api, group);
  await until('it is True', async () => (await world.programmed(group))?.status === 'True');
  const states = one.plane.status().proxies.flatMap(({ types }) => Object.values(types));
  t.ok(
    states.some(({ state }) => state !== 'SYNCED'),
    'while a proxy has not ACKed',
  );
});
