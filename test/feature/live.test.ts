import t, { type Test } from 'tap';
import { until } from '../support/mesh.ts';
import { expectHome, runLive, startLiveWorld } from '../support/planes/live.ts';

const alive = setInterval(() => {}, 1_000);
const world = await startLiveWorld();
t.teardown(async () => {
  await world.close();
  clearInterval(alive);
});
const { shares } = world;
const all = world.envoys('caller', 'sh-a-ingress', 'sh-b-ingress', 'sh-a-egress');

const run = (t: Test, args: readonly string[]) => runLive(t, world, args);
const isHome = (t: Test) => expectHome(t, world);

t.test('a dry run prints what would leave and which Envoys are read, and does nothing', async (t) => {
  const { code, said } = await run(t, ['--dry-run', ...world.envoys('caller')]);
  t.equal(code, 0);
  t.match(said(), /\(sh-a\): 2 Groups leave, first for sh-b/);
  t.match(
    said(),
    /read: caller \(sidecar, sh-a\)\n.* not read: another sidecar or ingress gateway of sh-a: sh-a-ingress/,
  );
  t.match(said(), /no-idc is not seen: .*\n.*spill-limit is not seen/);
  t.match(said(), /nothing was done: it was a dry run/);
  t.strictSame(shares(), [0, 0]);
});

t.test('impossible options are reported', async (t) => {
  const wrong: [string[], RegExp][] = [
    [[], /there is no Envoy to read: give --envoy, or ISTHMUS_ENVOY/],
    [
      world.envoys('sh-b-ingress', 'sh-a-egress') as string[],
      /no sidecar or ingress gateway of sh-a is read/,
    ],
    [['--envoy', '127.0.0.1:1'], /the Envoy at 127.0.0.1:1 does not answer/],
    [[...all, '--abort-on', 'p99>1s or p95>1s'], /column 11: 'p95' is not a measure/],
    [[...all, '--abort-on', 'p99>1s', '--hold', '5s'], /5 s of --hold or --baseline are too short for p99/],
    [[...all, '--hold', '5s,6s'], /--hold has 2 times for 3 steps/],
    [[...all, '--hold', '5'], /'5' is not a time to hold a step/],
    [[...all, '--record-dir', '/dev/null/x'], /the record cannot be written.*choose another folder/],
  ];
  for (const [args, words] of wrong) {
    const { child, ended, said } = world.isthmus(['drill', 'live', 'evacuate', 'sh-a', ...args]);
    t.equal(await ended, 2, args.join(' '));
    t.match(said(), words);
    child.kill();
  }
  t.strictSame(shares(), [0, 0]);
});

t.test('too few requests are reported, and end the run', async (t) => {
  const args = [...all, '--steps', '50', '--hold', '2s', '--baseline', '1s'];
  const { code, said, record } = await run(t, args);
  t.equal(code, 1);
  t.match(
    said(),
    /refused, and nothing was done: too few requests to judge: 0 of the 20 requests that errors/,
  );
  t.match(record().end, { how: 'refused', isUndone: true });
  t.equal((await run(t, [...args, '--force'])).code, 0);
  await isHome(t);
});

t.test('under load', async (t) => {
  const stop = world.load();
  t.teardown(stop);

  await t.test('it runs to the end, step by step, and all requests return', async (t) => {
    const seen = new Set<string>();
    const looks = setInterval(() => seen.add(shares().join()), 50);
    const args = ['--steps', '10,50', '--hold', '3s,5s', '--baseline', '3s', '--reason', 'a test', ...all];
    const { code, said, record, report, phase } = await run(t, args);
    clearInterval(looks);
    t.equal(code, 0);
    for (const share of ['0,0', '10,10', '50,50']) t.ok(seen.has(share), share);
    t.match(
      said(),
      /10 %: every proxy has confirmed after \d+ ms\n(?:.*\n)*.*50 %: every proxy has confirmed/,
    );
    t.match(said(), /ended: every proxy has confirmed(?:.*\n)*.*run through; all requests have returned\n/);
    await isHome(t);
    t.match(record(), {
      ...{ idc: 'sh-a', steps: [10, 50], holdSeconds: [3, 5], reason: 'a test', who: /@/ },
      end: { how: 'done', why: '', isUndone: true },
    });
    t.strictSame(
      record().phases.map(({ name }) => name),
      ['baseline', '10 %', '50 %', 'home again'],
    );
    const away = (name: string) => phase(name)?.idcs['sh-a']?.away ?? Number.NaN;
    t.equal(away('baseline'), 0);
    t.ok(away('50 %') > 0.35 && away('50 %') < 0.65, `${away('50 %')} away`);
    t.ok(away('home again') < 0.05, `${away('home again')} away`);
    t.match(phase('50 %')?.idcs['sh-a'], { errors: 0, tries: 1 });
    t.match(report(), /outcome +RAN THROUGH, and undone\n/);
    t.match(report(), /\n50 % +5\.\d +\d+ ms +sh-a +\d+ +0 \(0 %\)/);
  });

  await t.test('one Group alone', async (t) => {
    const args = ['--group', 'web.test', '--steps', '100', '--hold', '120s', '--baseline', '2s', ...all];
    const one = world.live(args);
    await until('it is confirmed', () => /100 %: every proxy/.test(one.said()));
    t.strictSame(await world.where(40, 'other'), { 'sh-a': 40 });
    t.strictSame(await world.where(40), { 'sh-b': 40 });
    one.child.kill('SIGINT');
    t.equal(await one.ended, 130);
    await isHome(t);
  });
});
