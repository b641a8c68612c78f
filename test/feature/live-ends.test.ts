import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { until } from '../support/mesh.ts';
import { startLiveWorld } from '../support/planes/live.ts';

const alive = setInterval(() => {}, 1_000);
const world = await startLiveWorld();
const stop = world.load();
t.teardown(async () => {
  await stop();
  await world.close();
  clearInterval(alive);
});
const { shares } = world;
// Short, where a test waits for its end; else as long as a machine that is busy may be late.
const lease = 6_000;
const args = [
  ...['--steps', '50,90', '--hold', '120s', '--baseline', '2s'],
  ...world.envoys('caller', 'sh-b-egress'),
];
const isHome = async () => (await world.where())['sh-a'] === 40;

/** A run whose first step every proxy has confirmed. */
async function halfway(more: readonly string[] = []) {
  const one = world.live([...args, ...more]);
  await until('the first step', () => /50 %: every proxy/.test(one.said()));
  t.strictSame(shares(), [50, 50]);
  return one;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  t.test(`${signal} ends it`, async (t) => {
    const { child, ended, said, record } = await halfway();
    child.kill(signal);
    t.equal(await ended, 130);
    t.match(said(), new RegExp(`interrupted by ${signal}; all requests return\n.*ended: every proxy`));
    t.strictSame(shares(), [0, 0]);
    t.ok(await isHome());
    t.match(record().end, { how: 'interrupted', isUndone: true });
  });

t.test('it lasts as long as its operator is there, and no longer', async (t) => {
  const { child, ended, record, report } = await halfway(['--lease', `${lease}ms`]);
  await sleep(systemClock, 2 * lease);
  t.strictSame(shares(), [50, 50], 'it is renewed');
  child.kill('SIGKILL');
  await ended;
  const since = systemClock.now();
  t.strictSame(shares(), [50, 50], 'nobody was told');
  await until('it is over', () => shares().every((share) => share === 0));
  const took = systemClock.now() - since;
  t.comment(`over after ${Math.round(took)} ms`);
  t.ok(took <= 3 * lease, `${Math.round(took)} ms`);
  await until('everybody is home', isHome);
  t.equal(record().end, undefined);
  t.match(report(), /outcome +has not ended: it runs, or its process died; then it is over 6 s later/);
});

t.test('a longer lease does not: the control', async (t) => {
  const { child, ended } = await halfway(['--lease', '10m']);
  child.kill('SIGKILL');
  await ended;
  await sleep(systemClock, 2 * lease);
  t.strictSame(shares(), [50, 50]);
  t.equal(await world.isthmus(['evacuate', 'sh-a', '--name', 'drill-sh-a', '--undo']).ended, 0);
  t.strictSame(shares(), [0, 0]);
});

t.test('a command stopped for longer than its lease does not start again', async (t) => {
  const { child, ended, said } = await halfway(['--lease', `${lease}ms`]);
  child.kill('SIGSTOP');
  await until('it is over', () => shares().every((share) => share === 0));
  child.kill('SIGCONT');
  t.equal(await ended, 1);
  t.match(said(), /evacuation drill-sh-a is not in force: it has ended, or was ended .*all requests return/);
  t.strictSame(shares(), [0, 0]);
});

t.test('ending it from elsewhere ends the run', async (t) => {
  const { ended, said, record } = await halfway();
  const undo = world.isthmus(['evacuate', 'sh-a', '--name', 'drill-sh-a', '--undo']);
  t.equal(await undo.ended, 0);
  t.equal(await ended, 1);
  t.match(said(), /drill-sh-a is not in force/);
  t.match(record().end, { how: 'aborted', isUndone: true });
  t.strictSame(shares(), [0, 0]);
});

t.test('a silent Envoy ends it', async (t) => {
  const { ended, said } = await halfway();
  const pid = world.idcs.pids.get('sh-b-egress') as number;
  process.kill(pid, 'SIGSTOP');
  const code = await ended;
  process.kill(pid, 'SIGCONT');
  t.equal(code, 1);
  t.match(said(), /no answer for 10 s of the Envoys at .*; all requests return/);
  t.strictSame(shares(), [0, 0]);
  await until('everybody is home', isHome);
});

t.test('two drills at once are refused', async (t) => {
  const { child, ended } = await halfway();
  const second = world.live(args);
  t.equal(await second.ended, 1);
  t.match(second.said(), /refused, and nothing was done: evacuation drill-sh-a is in force/);
  const other = world.live([...args, '--name', 'another']);
  t.equal(await other.ended, 1);
  t.match(
    other.said(),
    /drill-sh-a is in force: 50 % leave sh-a. End it first, or continue all the same with --force/,
  );
  t.strictSame(shares(), [50, 50], 'the first goes on');
  child.kill('SIGINT');
  t.equal(await ended, 130);
});
