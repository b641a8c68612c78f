import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { openFailbackStore } from '../../src/failback/store.ts';
import { startIdcs } from '../support/idcs.ts';
import { get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';

// An IDC that had nobody left comes back: little by little where the Group asks for it, at once where it does
// not.

/** A request that an instance had. */
interface Served {
  readonly method: string | undefined;
  readonly host: string | undefined;
  readonly mark: string | string[] | undefined;
}

/** An instance that answers its name, and may go and come back. */
async function instance(name: string) {
  const served: Served[] = [];
  const one = await startInstance(t, ({ method, headers, url }, response) => {
    if (url === '/read') served.push({ method, host: headers.host, mark: headers['x-mirrored-by'] });
    response.end(name);
  });
  return { ...one, served };
}

const [home, away] = [[await instance('home'), await instance('home')], await instance('away')];
const instances = [...home.map(({ at }) => ({ idc: 'sh-a', at })), { idc: 'sh-b', at: away.at }];
const rampMs = 6_000;
// An answer may take 0.8 s: on a busy machine checks are late.
const traffic = { health: { path: '/', interval: '1s' } };
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'slowly', instances, drGroup: { traffic, failback: { ramp: `${rampMs}ms`, hold: '2s' } } },
    { name: 'at-once', instances, drGroup: { traffic } },
    {
      ...{ name: 'warmed', instances },
      drGroup: { traffic, failback: { ramp: '3s', hold: '1s', warmup: 'mirror' } },
    },
  ],
});
t.teardown(() => world.close());
const mesh = world.meshes.get('sh-a') as Mesh;
const folder = mkdtempSync(join(tmpdir(), 'isthmus-failback-'));
t.teardown(() => rmSync(folder, { recursive: true }));

/** The share of 100 requests that is served at home, percent; all are served. */
async function shareOf(group: string): Promise<number> {
  const answers = Array.from({ length: 100 }, async (_, i) => {
    await sleep(systemClock, 5 * i);
    const { status, body } = await get(world.outbound, '/', { host: `${group}.test` });
    if (status !== 200) throw new Error(`${group} answers ${status}`);
    return body === 'home';
  });
  return (await Promise.all(answers)).filter(Boolean).length;
}

/** What the control plane holds the Group to, percent; 200: nothing is held back. */
async function held(group = 'slowly'): Promise<number> {
  const text = await mesh.plane.metrics.registry.metrics();
  const found = new RegExp(`failback_share_percent\\{group="test/${group}\\.test:80".*\\} (\\d+)`).exec(text);
  return found === null ? 200 : Number(found[1]);
}

async function outage(): Promise<void> {
  // A control plane that has never reached an instance sees no outage.
  await until('it is ready', async () => mesh.plane.readiness().ready);
  await sleep(systemClock, 1_500);
  for (const one of home) one.down();
  await until('it is held back', async () => (await held()) === 1);
  for (const group of ['slowly', 'at-once'])
    await until(`${group} is served away`, async () => (await shareOf(group)) === 0);
}

t.test('reads are mirrored home first, marked, and nothing else is', { timeout: 120_000 }, async (t) => {
  await until('it is home', async () => (await shareOf('warmed')) === 100);
  for (const one of home) one.down();
  await until('it is held back', async () => (await held('warmed')) === 1);
  await until('it is served away', async () => (await shareOf('warmed')) === 0);
  for (const one of home) await one.up();
  const bodies: string[] = [];
  while ((await held('warmed')) < 200) {
    for (const method of ['GET', 'POST']) {
      const { status, body } = await get(world.outbound, '/read', { host: 'warmed.test', method });
      t.equal(status, 200);
      bodies.push(body);
    }
  }
  const mirrored = home.flatMap(({ served }) => served).filter(({ mark }) => mark !== undefined);
  const away = bodies.filter((body) => body === 'away').length;
  t.ok(away > 0.9 * bodies.length, `${away} of ${bodies.length} were served away`);
  t.ok(mirrored.length > 0.1 * bodies.length, `${mirrored.length} were mirrored home`);
  t.strictSame([...new Set(mirrored.map(({ method }) => method))], ['GET']);
  t.strictSame([...new Set(mirrored.map(({ host }) => host))], ['warmed.test']);
  t.ok(mirrored.every(({ mark }) => mark === 'isthmus'));
  for (const { served } of home) served.length = 0;
  await until('all of it is home', async () => (await shareOf('warmed')) === 100);
  await get(world.outbound, '/read', { host: 'warmed.test' });
  const after = home.flatMap(({ served }) => served);
  t.strictSame([after.length, after[0]?.mark], [1, undefined], 'nothing is mirrored any more');
});

t.test('little by little', { timeout: 120_000 }, async (t) => {
  for (const group of ['slowly', 'at-once'])
    await until(`${group} is served at home`, async () => (await shareOf(group)) === 100);
  await mesh.restart({ failbackStore: openFailbackStore(folder, silentLogger) });
  await outage();
  for (const one of home) await one.up();
  await until('the other Group is home', async () => (await shareOf('at-once')) === 100);
  const first = await shareOf('slowly');
  t.ok(first <= 15, `${first} % at home while the other Group, which asks for nothing, is home at once`);
  const shares: number[] = [];
  while ((await held()) < 200) shares.push(await shareOf('slowly'));
  t.ok(
    shares.some((share) => share > 20 && share < 80),
    `${shares.join(', ')}`,
  );
  t.equal(await shareOf('slowly'), 100);
});

t.test('a control plane that dies in the middle continues where it was', { timeout: 120_000 }, async (t) => {
  await outage();
  for (const one of home) await one.up();
  await until('it is on its way', async () => (await held()) >= 30);
  const before = await held();
  // Long enough for what was written down to lie on the disk.
  await sleep(systemClock, 100);
  await mesh.restart({ failbackStore: openFailbackStore(folder, silentLogger) });
  await until('it is ready', async () => mesh.plane.readiness().ready);
  const after = await held();
  t.ok(after >= before - 10 && after < 90, `from ${before} to ${after}`);
  await until('it is home', async () => (await held()) === 200);
  t.equal(await shareOf('slowly'), 100);
});

t.test('without the stored share all requests return at once', { timeout: 120_000 }, async (t) => {
  await outage();
  for (const one of home) await one.up();
  await mesh.restart({});
  await until('it is ready', async () => mesh.plane.readiness().ready);
  t.equal(await held(), 200);
  await until('it is home', async () => (await shareOf('slowly')) === 100);
});
