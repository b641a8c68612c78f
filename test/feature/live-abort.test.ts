import t, { type Test } from 'tap';
import { expectHome, runLive, startLiveWorld } from '../support/live.ts';

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

t.test('a stand-in that is slow aborts it', async (t) => {
  behaviour['sh-b'].waitMs = 600;
  const args = ['--steps', '20,90', '--baseline', '10s', ...all];
  const { code, said, record, phase } = await run(t, [...args, '--hold', '30s', '--abort-on', 'p99>500ms']);
  t.equal(code, 1);
  t.match(
    said(),
    /users of sh-a: p99 is up to \d+ ms, more than 500 ms; everybody comes home\n.*ended: every/,
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

t.test('a stand-in that errs aborts it', async (t) => {
  behaviour['sh-b'].status = 500;
  const args = ['--steps', '20,90', '--baseline', '2s', ...all];
  const { code, said, record } = await run(t, [...args, '--hold', '30s', '--abort-on', 'errors>0.1%']);
  t.equal(code, 1);
  t.match(said(), /users of sh-a: errors is [\d.]+ % \(\d+ of \d+\), more than 0.1 %; everybody comes home/);
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

t.test('who is ill at home is not practised with', async (t) => {
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
