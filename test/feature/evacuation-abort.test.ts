import t, { type Test } from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { MeshError } from '../../src/base/error.ts';
import { type EvacuateEnd, evacuate } from '../../src/cli/evacuate/evacuate.ts';
import { parseAbortOn } from '../../src/cli/options/abort-on.ts';
import { outcomeHeader } from '../../src/model/trail.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { get, type Mesh, until } from '../support/mesh.ts';
import { evacuationSources, startInstance, startPlanes } from '../support/planes/evacuating.ts';

// An evacuation is taken back half-way. Groups with `failback` come home by the ramp, and the others, the
// control, at once; where the stand-in has died, everybody is served at home at once, whatever the ramp says.

const clock = systemClock;
const dir = t.testdir({});

/** What every instance takes for an answer, milliseconds. */
let workMs = 0;

const instance = (name: string) =>
  startInstance(t, (_, response) => {
    clock.after(workMs, () => response.end(name));
  });

const [home, away] = [[await instance('home'), await instance('home')], await instance('away')];
const instances = [...home.map(({ at }) => ({ idc: 'sh-a', at })), { idc: 'sh-b', at: away.at }];
const rampMs = 8_000;
// An answer may take 0.8 s: on a busy machine checks are late.
const traffic = { health: { path: '/', interval: '1s' } };
const sources = evacuationSources(dir);
const world = await startIdcs({
  ...{ idcs: ['sh-a', 'sh-b'], hopLimit: 1 },
  groups: [
    { name: 'slowly', instances, drGroup: { traffic, failback: { ramp: `${rampMs}ms`, hold: '1s' } } },
    { name: 'at-once', instances, drGroup: { traffic } },
  ],
  sources: (idc) => [sources.open(idc)],
});
t.teardown(() => world.close());
const planes = await startPlanes(t, world, sources.all);
const { plane } = world.meshes.get('sh-a') as Mesh;
// The egress counts who found nobody.
const envoys = ['caller', 'sh-a-egress'].map((name) => world.admins.get(name) as ListenAddress);

const held = (group = 'slowly') => plane.evacuations.limitedShares().get(`test/${group}.test:80`);
const isInForce = () => plane.evacuations.list().items.some(({ percentNow }) => percentNow > 0);

const failed: string[] = [];

/** Where 60 requests, half of them POSTs, are served, percent at home. */
async function shareOf(group: string): Promise<number> {
  const answers = Array.from({ length: 60 }, async (_, i) => {
    await sleep(clock, 5 * i);
    const method = i % 2 === 0 ? 'GET' : 'POST';
    const { status, body, headers } = await get(world.outbound, '/', { host: `${group}.test`, method });
    if (status !== 200) failed.push(`${method} of ${group}: ${status} ${headers[outcomeHeader]} ${body}`);
    return body === 'home';
  });
  return Math.round((100 * (await Promise.all(answers)).filter(Boolean).length) / 60);
}

/** Begins an evacuation of `percent`, which is watched until it is taken back. */
function begin(t: Test, percent: number, abortOn: string) {
  const said: string[] = [];
  const stop = new AbortController();
  const ended: Promise<EvacuateEnd> = evacuate({
    ...{ planes, idc: 'sh-a', name: 'e', groups: [], clock, steps: [percent, 100] },
    ...{ stepWaitMs: 60_000, forMs: 600_000, ackWaitMs: 20_000, dryRun: false, force: false },
    ...{ envoys, abortOn: parseAbortOn(abortOn), signal: stop.signal },
    say: (words) => void said.push(words),
  });
  t.teardown(() => stop.abort());
  return { ended, said, interrupt: () => stop.abort(new MeshError('late', 'interrupted')) };
}

async function leaves(percent: number): Promise<void> {
  for (const group of ['slowly', 'at-once'])
    await until(`${percent} % leave`, async () => Math.abs(100 - percent - (await shareOf(group))) < 25);
}

t.before(async () => {
  for (const group of ['slowly', 'at-once'])
    await until(`${group} is served at home`, async () => (await shareOf(group)) === 100);
  failed.length = 0;
});

for (const how of ['Ctrl-C', 'a condition'] as const) {
  t.test(`taken back by ${how}: by the ramp`, { timeout: 120_000 }, async (t) => {
    workMs = how === 'Ctrl-C' ? 0 : 40;
    const { ended, said, interrupt } = begin(t, 90, how === 'Ctrl-C' ? 'errors>50%' : 'p50>10ms');
    if (how === 'Ctrl-C') {
      await leaves(90);
      interrupt();
    }
    await until('it is in force, or was', () => /90 %/.test(said.join()));
    // Somebody must ask for a condition to be met.
    while (isInForce()) {
      if (how === 'Ctrl-C') await sleep(clock, 20);
      else await shareOf('at-once');
    }
    const began = clock.now();
    t.equal(held('at-once'), undefined);
    t.ok((held() ?? 100) <= 20, `held at ${held()} %: what it kept`);
    t.equal(await shareOf('at-once'), 100, 'the other Group is home at once');
    const first = held() ?? 100;
    workMs = 0;
    t.equal(await ended, how === 'Ctrl-C' ? 'interrupted' : 'aborted');
    t.match(said.join('\n'), /all requests return/);
    t.ok(first < 50, `while ${first} % are of the one with failback`);
    const shares: number[] = [];
    while (held() !== undefined) shares.push(await shareOf('slowly'));
    const tookMs = clock.now() - began;
    t.ok(tookMs > rampMs / 2, `after ${tookMs} ms`);
    t.ok(
      shares.some((share) => share > 20 && share < 80),
      shares.join(', '),
    );
    t.equal(await shareOf('slowly'), 100);
    t.strictSame(failed, [], 'every request was served');
  });
}

t.test('the stand-in dies: all are served at home at once', { timeout: 120_000 }, async (t) => {
  const { ended, said } = begin(t, 90, 'no-idc>1%');
  await leaves(90);
  away.down();
  const began = clock.now();
  // Nobody is refused from here on: what the other IDC has nobody for is served at home.
  await until('all are at home', async () => (await shareOf('slowly')) === 100);
  t.comment(`all were served at home after ${Math.round(clock.now() - began)} ms`);
  for (let asks = 0; isInForce() && asks < 60; asks += 1) await shareOf('slowly');
  t.match(said.join('\n'), /no-idc is [\d.]+ % .*; all requests return/);
  t.ok((held() ?? 100) < 50, `it is held at ${held()} %`);
  t.equal(await shareOf('slowly'), 100, 'and all of it is served at home');
  t.equal(await shareOf('at-once'), 100);
  t.equal(await ended, 'aborted');
  t.ok(clock.now() - began < 60_000);
  await until('nothing is held any more', () => held() === undefined);
  t.equal(await shareOf('slowly'), 100);
  t.strictSame(failed, [], 'every request was served');
  await away.up();
});
