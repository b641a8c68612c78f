import t, { type Test } from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { startPosting } from '../support/clients/posting.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { createPlanes, type ServedPlane } from '../support/planes/planes.ts';
import { type RunProcess, runEcho } from '../support/planes/run-instance.ts';

// Two control planes of one IDC, killed in turn at random moments, while instances come and go under load.
// `make test-crash` kills more often.
const moments = Number(process.env.CRASH_MOMENTS ?? 6);
const seed = Number(process.env.CRASH_SEED ?? systemClock.wall() % 1_000_000);
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));
const tools = await startMesh('sh-a', {});
t.teardown(() => tools.close());

interface Play {
  readonly id: string;
  readonly peers: boolean;
  /** Which control planes an instance is told of. */
  readonly admins: (planes: readonly ServedPlane[]) => readonly number[];
}

type Numbered = RunProcess & { readonly number: number };

async function play(t: Test, { id, peers, admins }: Play) {
  const random = seededRandom(seed);
  const since = systemClock.now();
  const story: string[] = [];
  const note = (words: string) => story.push(`${Math.round(systemClock.now() - since)} ms: ${words}`);
  const { planes, close } = await createPlanes(2, { files: { 'echo.yaml': groupYaml('echo') }, peers });
  t.teardown(close);
  for (const plane of planes) plane.start();
  await Promise.all(planes.map((plane) => plane.ready()));
  // One prefers the first control plane, the other the second, where that has the instances.
  const outbounds = [await freeAddress(), await freeAddress()];
  for (const [index, outbound] of outbounds.entries()) {
    const xds = index === 0 || !peers ? planes : [...planes].reverse();
    const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } as const;
    await tools.envoy(`${id}-${index}`, scope, { xds: xds.map((plane) => plane.xds) });
  }
  const running = new Set<RunProcess>();
  t.teardown(() => {
    // The second signal is passed on at once.
    for (const { child } of running) for (const signal of ['SIGTERM', 'SIGTERM'] as const) child.kill(signal);
  });
  let turns = 0;
  let cutOff = 0;

  async function begin(): Promise<Numbered> {
    turns += 1;
    const { port } = await freeAddress();
    const run = runEcho(admins(planes), port, String(turns), { flags: ['--ttl', '6s'] });
    running.add(run);
    const number = turns;
    note(`instance ${number} starts`);
    await run.said(/every proxy .*has it/);
    note(`instance ${number} is confirmed`);
    return Object.assign(run, { number });
  }

  async function end(run: Numbered): Promise<void> {
    note(`instance ${run.number} is to end`);
    run.child.kill('SIGTERM');
    await run.ended;
    note(`instance ${run.number} has ended: ${run.err()}${run.out()}`);
    running.delete(run);
    cutOff += Number(/cut off: (\d+)/.exec(run.out())?.[1] ?? 0);
  }

  let now = await begin();
  await until('it serves', async () => {
    const answers = await Promise.all(outbounds.map((outbound) => get(outbound, '/', { host: 'echo.shop' })));
    return answers.every(({ status }) => status === 200);
  });
  const loading = startPosting(outbounds, { loops: 4, onFailure: note });
  let going = true;
  // Each instance is replaced by the next one, over and over.
  const replacing = (async () => {
    while (going) {
      const next = await begin();
      await sleep(systemClock, random() * 300);
      await end(now);
      now = next;
    }
  })();
  for (let moment = 0; moment < moments; moment += 1) {
    const victim = planes[moment % 2] as ServedPlane;
    await sleep(systemClock, 500 + random() * 2_000);
    await victim.kill('SIGKILL');
    note(`control plane ${moment % 2} is killed`);
    await sleep(systemClock, random() * 2_000);
    victim.start();
    await victim.ready();
    note(`control plane ${moment % 2} is ready again`);
  }
  going = false;
  await replacing;
  const result = await loading.stop();
  await end(now);
  return { ...result, turns, cutOff, story };
}

const name = `either is killed at random moments, ${moments} in all (CRASH_SEED=${seed})`;
const timeout = 120_000 + 30_000 * moments;

t.test(`${name}: no request is lost`, { timeout }, async (t) => {
  const admins = (planes: readonly ServedPlane[]) => planes.map(({ admin }) => admin.port);
  const { sent, failed, turns, cutOff, story } = await play(t, { id: 'kept', peers: true, admins });
  t.comment(`${sent} requests, ${turns} instances, ${cutOff} cut off`);
  t.ok(sent > 100 * moments);
  t.ok(turns > 2);
  if (failed.length > 0) t.comment(story.join('\n'));
  t.strictSame(failed, []);
});

t.test('the negative control: control planes that do not know each other', { timeout }, async (t) => {
  const admins = (planes: readonly ServedPlane[]) => planes.slice(0, 1).map(({ admin }) => admin.port);
  const { sent, failed, turns } = await play(t, { id: 'lost', peers: false, admins });
  t.comment(`${sent} requests, ${turns} instances, ${failed.length} failed`);
  t.ok(failed.length > 0);
});
