import t, { type Test } from 'tap';
import { until } from '../support/mesh.ts';
import { expectHome, runLive, startLiveWorld } from '../support/planes/live.ts';

const alive = setInterval(() => {}, 1_000);
const world = await startLiveWorld();
t.teardown(async () => {
  await world.close();
  clearInterval(alive);
});
const { behaviour } = world;
const all = world.envoys('caller', 'sh-a-ingress', 'sh-b-ingress', 'sh-a-egress');

const run = (t: Test, args: readonly string[]) => runLive(t, world, args);
const isHome = (t: Test) => expectHome(t, world);

const stop = world.load();
t.teardown(stop);

t.test('a slow stand-in aborts it', async (t) => {
  behaviour['sh-b'].waitMs = 600;
  const args = ['--steps', '20,90', '--baseline', '10s', ...all];
  const { code, said, record, phase } = await run(t, [...args, '--hold', '30s', '--abort-on', 'p99>500ms']);
  t.equal(code, 1);
  t.match(
    said(),
    /users of sh-a: p99 is up to \d+ ms, more than 500 ms; all requests return\n.*ended: every/,
  );
  t.match(record().end, { how: 'aborted', why: /p99/, isUndone: true });
  t.strictSame(
    record().phases.map(({ name }) => name),
    ['baseline', '20 %', 'home again'],
  );
  await isHome(t);

  // The control: the same is seen, and nobody has said that it must not be.
  const calm = await run(t, ['--steps', '20', '--baseline', '2s', '--hold', '12s', ...all]);
  t.equal(calm.code, 0);
  t.ok(Number(calm.phase('20 %')?.idcs['sh-a']?.p99) > 500);
  t.ok(Number(phase('baseline')?.idcs['sh-a']?.p99) <= 500);
  behaviour['sh-b'].waitMs = 0;
  await isHome(t);
});

t.test('errors of the stand-in abort it', async (t) => {
  behaviour['sh-b'].status = 500;
  const args = ['--steps', '20,90', '--baseline', '2s', ...all];
  const { code, said, record } = await run(t, [...args, '--hold', '30s', '--abort-on', 'errors>0.1%']);
  t.equal(code, 1);
  t.match(said(), /users of sh-a: errors is [\d.]+ % \(\d+ of \d+\), more than 0.1 %; all requests return/);
  t.match(record().end, { how: 'aborted', isUndone: true });
  await isHome(t);
  const calm = await run(t, [
    '--steps',
    '20',
    '--baseline',
    '2s',
    '--hold',
    '3s',
    ...all,
    '--abort-on',
    'errors>100%',
  ]);
  t.equal(calm.code, 0);
  t.ok(Number(calm.phase('20 %')?.idcs['sh-a']?.errors) > 1, 'the same errors');
  behaviour['sh-b'].status = 200;
  await isHome(t);
});

const registry = world.idcs.registry.get('sh-a') as string;
const save = (text: string, of: readonly string[] = ['sh-a', 'sh-b']) => {
  for (const idc of of) world.idcs.meshes.get(idc)?.save('all.yaml', text);
};

t.test('a full stand-in aborts it, and its refusals and their retries are counted', async (t) => {
  save(registry.replaceAll('  idcs:', '  capacity: {concurrentPerInstance: 1}\n  idcs:'));
  behaviour['sh-b'].waitMs = 300;
  const dry = async () => /is unknown/.test((await run(t, ['--dry-run', ...all])).said());
  await until('the capacity is read', async () => !(await dry()));
  const args = ['--steps', '50,90', '--baseline', '3s', ...all];
  const { code, said } = await run(t, [...args, '--hold', '60s', '--abort-on', 'spill-limit>1%']);
  t.equal(code, 1);
  t.match(
    said(),
    /users of sh-a: spill-limit is [\d.]+ % \(\d+ of \d+\), more than 1 %; all requests return/,
  );
  const many = await run(t, [
    ...args,
    '--hold',
    '60s',
    '--abort-on',
    'tries>1.02 and errors>100% or tries>1.05',
  ]);
  t.equal(many.code, 1);
  t.match(many.said(), /users of sh-a: tries are 1\.\d+ a request, more than 1.05; all requests return/);
  const calm = await run(t, [
    '--steps',
    '50',
    '--baseline',
    '2s',
    '--hold',
    '4s',
    ...all,
    '--abort-on',
    'errors>50%',
  ]);
  t.equal(calm.code, 0);
  t.ok(
    Number(calm.phase('50 %')?.idcs['sh-b']?.spillLimit) > 1,
    'the same refusals, by the ingress that gave them',
  );
  t.ok(Number(calm.phase('50 %')?.idcs['sh-a']?.tries) > 1.05, 'the same retries');
  behaviour['sh-b'].waitMs = 0;
  save(registry);
  await until('it is gone', dry);
});

t.test('a stand-in without instances aborts it, by default', async (t) => {
  const checked = registry.replaceAll('traffic: {}', 'traffic: {health: {path: /, interval: 500ms}}');
  save(checked);
  save(checked.replaceAll('locality: sh-b', 'locality: sh-x'), ['sh-b']);
  const { code, said, record } = await run(t, ['--steps', '50', '--hold', '60s', '--baseline', '3s', ...all]);
  t.equal(code, 1);
  t.match(said(), /users of sh-a: no-idc is [\d.]+ % \(\d+ of \d+\), more than 1 %; all requests return/);
  t.match(record().phases.find(({ name }) => name === '50 %')?.idcs['sh-a'], { errors: 0 });
  save(registry);
  await isHome(t);
});

t.test('an unhealthy IDC is not drilled', async (t) => {
  behaviour['sh-a'].status = 500;
  const { code, said, record } = await run(t, ['--baseline', '5s', ...all]);
  behaviour['sh-a'].status = 200;
  t.equal(code, 1);
  t.match(said(), /nothing was done: before anything has left: users of sh-a: errors is/);
  t.match(record().end, { how: 'refused' });
  t.strictSame(
    record().phases.map(({ name }) => name),
    ['baseline'],
  );
});
