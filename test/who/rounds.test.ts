import t from 'tap';
import { MeshError } from '../../src/base/error.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import { InstanceRounds, roundLimits } from '../../src/who/rounds.ts';
import type { AskedProxy, SeenHost } from '../../src/who/types.ts';
import { manualClock } from '../support/manual-clock.ts';

const gateway = (node: string, port: number, role: AskedProxy['role'] = 'ingress'): AskedProxy => ({
  ...{ node, role, peer: '127.0.0.1:5', scope: { role, idc: 'sh-a' } as AskedProxy['scope'] },
  clusters: { address: '127.0.0.1', port },
});
const host = (address: string, more: Partial<SeenHost> = {}): SeenHost => ({
  ...{ address, priority: 0, weight: 1, idc: 'sh-a', zone: '', health: 'healthy', why: [] },
  ...{ requests: 0, active: 0, ...more },
});
const dead = (address: string) => host(address, { health: 'unhealthy', why: ['check-failed'] });

/** Rounds over so many Groups, with what each gateway answers by its port. */
function setup(count: number, more: Partial<GroupPlan> = { health: {} as never }) {
  const clock = manualClock();
  const answers = new Map<number, (name: string) => readonly SeenHost[] | undefined>();
  const state = {
    proxies: [] as AskedProxy[],
    reads: [] as { port: number; names: readonly string[] }[],
    extra: '',
  };
  const seen: [string, boolean][] = [];
  const ejected: [string, string, boolean][] = [];
  const groups = new Map(
    Array.from({ length: count }, (_, i) => [
      `shop/g${i}:80`,
      { group: { host: `g${i}`, port: 80 }, ...more } as GroupPlan,
    ]),
  );
  const keys = [...groups.keys()];
  const rounds = new InstanceRounds({
    clock,
    proxies: () => state.proxies,
    keys: () => keys,
    planOf: (key) => groups.get(key),
    async read({ port }, names) {
      state.reads.push({ port, names });
      const answer = answers.get(port);
      if (answer === undefined) throw new Error('nobody is there');
      const found = names.flatMap((name) => {
        const hosts = answer(name);
        return hosts === undefined ? [] : [[name, hosts] as const];
      });
      return new Map([...found, ...(state.extra === '' ? [] : [[state.extra, []] as const])]);
    },
    onSeen: (key, canServe) => void seen.push([key, canServe]),
    onEjected: (_, target, node, isEjected) => void ejected.push([target, node, isEjected]),
  });
  t.teardown(() => rounds.close());
  rounds.start();
  return {
    ...{ clock, answers, state, rounds },
    /** What is told in so many rounds. */
    async pass(count: number) {
      for (let i = 0; i < count; i += 1) {
        clock.pass(roundLimits.every);
        for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
      }
      return { seen: seen.splice(0), ejected: ejected.splice(0), reads: state.reads.splice(0) };
    },
  };
}

t.test('a Group has failed when all gateways consider all instances unhealthy, twice', async (t) => {
  const { answers, state, pass } = setup(1);
  state.proxies = [
    gateway('one', 1),
    gateway('two', 2),
    gateway('out', 3, 'egress'),
    gateway('car', 4, 'sidecar'),
  ];
  const both = (hosts: readonly SeenHost[]) => [1, 2].forEach((port) => void answers.set(port, () => hosts));
  both([host('a'), dead('b')]);
  const calm = await pass(4);
  t.ok(calm.seen.every(([, canServe]) => canServe));
  t.strictSame(
    calm.reads.map(({ port }) => port),
    [1, 2, 1, 2],
    'one gateway a round',
  );
  answers.set(1, () => [dead('a'), dead('b')]);
  const sick = await pass(6);
  t.ok(
    sick.seen.every(([, canServe]) => canServe),
    'one sick gateway is no failover',
  );
  both([dead('a'), dead('b')]);
  const failed = await pass(4);
  t.ok(failed.seen.some(([key, canServe]) => key === 'shop/g0:80' && !canServe));
  const again = await pass(1);
  t.strictSame(again.reads.map(({ port }) => port).sort(), [1, 2], 'all gateways are read for a suspect');
  answers.set(2, () => [host('a'), dead('b')]);
  t.strictSame((await pass(1)).seen, [['shop/g0:80', true]]);
});

t.test('a gateway that does not answer neither begins nor ends a failover', async (t) => {
  const { answers, state, pass } = setup(1);
  state.proxies = [gateway('one', 1), gateway('two', 2)];
  answers.set(1, () => [dead('a')]);
  answers.set(2, () => [dead('a')]);
  t.ok((await pass(5)).seen.every(([, canServe]) => !canServe));
  answers.delete(2);
  t.ok(
    (await pass(5)).seen.every(([, canServe]) => !canServe),
    'the other one is believed',
  );
  answers.delete(1);
  t.ok(
    (await pass(5)).seen.every(([, canServe]) => !canServe),
    'nobody has said otherwise',
  );
  answers.set(1, () => [host('a')]);
  t.strictSame((await pass(1)).seen, [['shop/g0:80', true]]);
});

t.test('nothing is said of what is not known', async (t) => {
  const { answers, state, pass } = setup(1);
  t.strictSame((await pass(3)).reads, [], 'no gateway can be read');
  state.proxies = [gateway('one', 1)];
  t.strictSame((await pass(3)).seen, [], 'it does not answer');
  answers.set(1, () => undefined);
  t.strictSame((await pass(3)).seen, [], 'it does not have the cluster');
  answers.set(1, () => [host('a', { health: 'unhealthy', why: ['check-failed', 'not-checked'] })]);
  t.strictSame((await pass(3)).seen, [], 'it has not checked yet');
  const unchecked = setup(1, {});
  unchecked.state.proxies = [gateway('one', 1)];
  unchecked.answers.set(1, () => [host('a', { health: 'unhealthy', why: ['ejected'] })]);
  t.strictSame((await unchecked.pass(3)).seen, [], 'the Group has no health checks');
});

t.test('what a reading costs does not grow with the number of Groups', async (t) => {
  const { answers, state, pass } = setup(1_000);
  state.proxies = [gateway('one', 1)];
  answers.set(1, () => [dead('a')]);
  const { reads, seen } = await pass(40);
  t.ok(reads.every(({ names }) => names.length <= roundLimits.groups + roundLimits.suspects));
  t.equal(new Set(reads.flatMap(({ names }) => names)).size, 1_000, 'each had its turn');
  t.ok(seen.some(([, canServe]) => !canServe));
});

t.test('an Envoy that sends more than was asked for is not read again', async (t) => {
  const { answers, state, pass } = setup(1);
  state.proxies = [gateway('old', 1)];
  answers.set(1, () => [host('a')]);
  state.extra = 'instances/other:80';
  t.equal((await pass(5)).reads.length, 1);
});

t.test('a server that answers with what no Envoy says is not read again', async (t) => {
  const { answers, state, pass } = setup(1);
  state.proxies = [gateway('liar', 1)];
  answers.set(1, () => {
    throw new MeshError('exhausted', 'its answer is too long');
  });
  t.equal((await pass(5)).reads.length, 1);
  answers.set(1, () => [host('a')]);
  state.proxies = [gateway('liar', 1)];
  t.equal((await pass(5)).reads.length, 5, 'until it connects again');
});

t.test('ejections, once each', async (t) => {
  const { answers, state, pass } = setup(1, {});
  state.proxies = [gateway('one', 1)];
  answers.set(1, () => [host('a', { health: 'unhealthy', why: ['ejected'] }), host('b')]);
  t.strictSame((await pass(3)).ejected, [['a', 'one', true]]);
  answers.set(1, () => [host('a'), host('b')]);
  t.strictSame((await pass(5)).ejected, [], 'it may return');
  answers.set(1, () => [host('a', { health: 'unhealthy', why: ['ejected'] })]);
  t.strictSame((await pass(3)).ejected, [], 'and is the same');
  answers.set(1, () => []);
  const rounds = roundLimits.ejectionEnds / roundLimits.every + 2;
  t.strictSame((await pass(rounds)).ejected, [['a', 'one', false]]);
});
