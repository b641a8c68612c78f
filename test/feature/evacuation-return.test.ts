import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { undo } from '../../src/cli/evacuate/evacuate.ts';
import { openFailbackStore } from '../../src/failback/store.ts';
import { outcomeHeader } from '../../src/model/trail.ts';
import { startIdcs } from '../support/idcs.ts';
import { get, type Mesh, until } from '../support/mesh.ts';
import { evacuationSources, startInstance, startPlanes } from '../support/planes/evacuating.ts';

// An evacuation ends: little by little where the Group asks for it, at once where it does not, which is the
// control.

const clock = systemClock;
const folder = mkdtempSync(join(tmpdir(), 'isthmus-return-'));
t.teardown(() => rmSync(folder, { recursive: true }));

async function instance(name: string) {
  let mirrored = 0;
  const started = await startInstance(t, ({ headers }, response) => {
    if (headers['x-mirrored-by'] !== undefined) mirrored += 1;
    response.end(name);
  });
  return { ...started, mirrored: () => mirrored };
}

const [home, away] = [[await instance('home'), await instance('home')], await instance('away')];
const instances = [...home.map(({ at }) => ({ idc: 'sh-a', at })), { idc: 'sh-b', at: away.at }];
const rampMs = 6_000;
// An answer may take 0.8 s: on a busy machine checks are late.
const traffic = { health: { path: '/', interval: '1s' } };
const failback = { ramp: `${rampMs}ms`, hold: '1s' };
const sources = evacuationSources(folder);
const world = await startIdcs({
  ...{ idcs: ['sh-a', 'sh-b'], hopLimit: 1 },
  groups: [
    { name: 'slowly', instances, drGroup: { traffic, failback } },
    { name: 'at-once', instances, drGroup: { traffic } },
    { name: 'warmed', instances, drGroup: { traffic, failback: { ...failback, warmup: 'mirror' } } },
  ],
  sources: (idc) => [sources.open(idc)],
});
t.teardown(() => world.close());
const mesh = world.meshes.get('sh-a') as Mesh;
const store = () => openFailbackStore(folder, silentLogger);

/** The share of 100 requests that is served at home, percent; all are served. */
async function shareOf(group: string): Promise<number> {
  const answers = Array.from({ length: 100 }, async (_, i) => {
    await sleep(clock, 3 * i);
    const { status, body, headers } = await get(world.outbound, '/', { host: `${group}.test` });
    if (status !== 200) throw new Error(`${group} answers ${status} ${headers[outcomeHeader]} ${body}`);
    return body === 'home';
  });
  return (await Promise.all(answers)).filter(Boolean).length;
}

/** What the control plane holds the Group to, percent; 200: nothing is held back. */
const held = (group = 'slowly') => mesh.plane.evacuations.limitedShares().get(`test/${group}.test:80`) ?? 200;

async function evacuate(percent: number, forMs = 600_000): Promise<void> {
  const expires = new Date(clock.wall() + forMs).toISOString();
  for (const one of sources.all.values()) await one.put('e', { idc: 'sh-a', percent, expires });
  for (const group of ['slowly', 'at-once'])
    await until(`${percent} % leave`, async () => Math.abs(100 - percent - (await shareOf(group))) < 20);
}

async function end(): Promise<void> {
  for (const one of sources.all.values()) await one.end('e');
}

/** Shares of the Group until nothing is held back any more. */
async function wayHome(group: string): Promise<number[]> {
  const shares: number[] = [];
  while (held(group) < 200) shares.push(await shareOf(group));
  return shares;
}

const isMiddle = (share: number) => share > 20 && share < 80;
const allHome = () => until('all are home', async () => (await shareOf('slowly')) === 100);

t.before(async () => {
  // With a place to write down how far it has come.
  await mesh.restart({ sources: [sources.open('sh-a')], failbackStore: store() });
  await until('it is ready', () => mesh.plane.readiness().ready);
  for (const group of ['slowly', 'at-once', 'warmed'])
    await until(`${group} is served at home`, async () => (await shareOf(group)) === 100);
});

t.test('after its end requests return gradually', { timeout: 120_000 }, async (t) => {
  await evacuate(100);
  const began = clock.now();
  await end();
  t.ok(held() <= 20, `held from the first moment on: ${held()}`);
  t.equal(held('at-once'), 200);
  const first = await shareOf('slowly');
  await until('the other Group is home', async () => (await shareOf('at-once')) === 100);
  t.ok(first <= 20, `${first} % came home first, while the other Group, which asks for nothing, is home`);
  const shares = await wayHome('slowly');
  t.ok(clock.now() - began >= rampMs, `after ${clock.now() - began} ms`);
  t.ok(shares.some(isMiddle), shares.join(', '));
  t.equal(await shareOf('slowly'), 100);
});

t.test('from the share that it kept', { timeout: 120_000 }, async (t) => {
  await evacuate(50);
  const began = clock.now();
  await end();
  t.ok(held() >= 50 && held() <= 70, String(held()));
  const shares = await wayHome('slowly');
  const tookMs = clock.now() - began;
  t.ok((shares[0] ?? 0) > 30, shares.join(', '));
  t.ok(tookMs >= rampMs / 2 && tookMs < rampMs, `half of the ramp: ${tookMs} ms`);
  t.equal(await shareOf('slowly'), 100);
});

t.test('also when its time is over', { timeout: 120_000 }, async (t) => {
  await evacuate(100, 8_000);
  const now = () => mesh.plane.evacuations.list().items[0]?.percentNow;
  await until('it is over', () => now() === 0 && held() < 200, 20_000);
  const shares = await wayHome('slowly');
  t.ok((shares[0] ?? 100) <= 20 && shares.some(isMiddle), shares.join(', '));
  t.equal(await shareOf('slowly'), 100);
});

t.test('reads are mirrored first if the Group declares it', { timeout: 120_000 }, async (t) => {
  await evacuate(100);
  const mirrored = () => home.reduce((sum, one) => sum + one.mirrored(), 0);
  t.equal(mirrored(), 0, 'not while it is evacuated');
  await end();
  const shares = await wayHome('warmed');
  // All come home at once, in the midst of the last hundred requests.
  t.ok(
    shares.slice(0, -1).every((share) => share <= 20),
    shares.join(', '),
  );
  t.ok(mirrored() > 20, `${mirrored()} were`);
  t.equal(await shareOf('warmed'), 100);
});

t.test('not to unhealthy instances, and after the hold', { timeout: 120_000 }, async (t) => {
  await evacuate(100);
  for (const one of home) one.down();
  const room = () => {
    const meta = { namespace: '', name: 'x', labels: {}, annotations: {}, origin: '' };
    const spec = { idc: 'sh-a', groups: [], percent: 100, expiresAt: 0, steps: [], stepMs: 1 };
    const { room: all } = mesh.plane.evacuations.effect({ kind: 'Evacuation', meta, spec });
    return all.find(({ host }) => host === 'slowly.test');
  };
  await until('it is seen', () => room()?.well === 0);
  t.match(room(), { instances: 2, well: 0 });
  const planes = await startPlanes(t, world, sources.all);
  const said: string[] = [];
  const say = (words: string) => void said.push(words);
  const what = { planes, idc: 'sh-a', name: 'e', groups: [], clock, say };
  t.equal(await undo(what, { ackWaitMs: 10_000, force: false }), false);
  t.match(said.join('\n'), /sh-a cannot take back .* slowly.test \(0 of 2 instances are healthy\)/);
  t.equal(await undo(what, { ackWaitMs: 10_000, force: true }), true);
  t.match(said.join('\n'), /return gradually, .*: test\/slowly.test:80, test\/warmed.test:80/);
  await sleep(clock, 1_000);
  t.equal(await shareOf('slowly'), 0);
  for (const one of home) await one.up();
  await until('its instances are seen', () => room()?.well === 2);
  t.ok(held() <= 20, `held on: ${held()}`);
  const shares = await wayHome('slowly');
  t.ok(shares.some(isMiddle), shares.join(', '));
  await allHome();
});

t.test(
  'a control plane that dies during the ramp continues where it was',
  { timeout: 120_000 },
  async (t) => {
    await evacuate(100);
    await end();
    await until('it is on its way', () => held() >= 30);
    const before = held();
    // Long enough for what was written down to lie on the disk.
    await sleep(clock, 100);
    await mesh.restart({ sources: [sources.open('sh-a')], failbackStore: store() });
    await until('it is ready', () => mesh.plane.readiness().ready);
    const after = held();
    t.ok(after >= before - 10 && after < 90, `from ${before} to ${after}`);
    await wayHome('slowly');
    await allHome();
  },
);

for (const keeps of [true, false]) {
  const what = keeps ? 'from the first share' : 'at once where nothing was written down: the control';
  t.test(`ended while no control plane ran: ${what}`, { timeout: 120_000 }, async (t) => {
    await evacuate(100);
    await sleep(clock, 100);
    // It finds no evacuation any more.
    const none = sources.open('sh-a', `none-${keeps}.json`);
    await mesh.restart({ sources: [none], ...(keeps && { failbackStore: store() }) });
    await until('it is ready', () => mesh.plane.readiness().ready);
    t.equal(held() <= 10, keeps, `held to ${held()}`);
    await end();
    const shares = await wayHome('slowly');
    t.equal(shares.some(isMiddle), keeps, shares.join(', '));
    await allHome();
  });
}
