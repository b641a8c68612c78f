import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { adminToken, evacuationSources, serveAdmins } from '../support/planes/evacuating.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const clock = systemClock;
const dir = t.testdir({ token: adminToken });
const alive = setInterval(() => {}, 1_000);
const idcs = ['sh-a', 'sh-b'] as const;

const instances = await Promise.all(
  idcs.map(async (idc) => {
    const at = await freeAddress();
    const server = createServer((request, response) => {
      const waitMs = Number(request.headers['x-wait'] ?? 0);
      setTimeout(() => response.end(idc), waitMs);
    });
    await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return { idc, at };
  }),
);
const sources = evacuationSources(dir);
const world = await startIdcs({
  ...{ idcs, hopLimit: 1 },
  groups: ['web', 'other'].map((name) => ({ name, instances, health: '/' })),
  sources: (idc) => [sources.open(idc)],
});
const admins = await serveAdmins(world, sources.all);
t.teardown(async () => {
  await Promise.all(admins.map((admin) => admin.close()));
  await world.close();
  clearInterval(alive);
});

const registry = world.registry.get('sh-a') as string;

/** `isthmus evacuate` against these control planes; by default all. */
function isthmus(args: readonly string[], planes = admins) {
  const where = planes.flatMap(({ port }) => ['--admin', `127.0.0.1:${port}`]);
  const { NODE_OPTIONS: _, ...env } = process.env;
  const command = [main, 'evacuate', ...args, ...where, '--token-file', join(dir, 'token')];
  const child = spawn(process.execPath, command, { env });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said += chunk;
    });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, ended, said: () => said };
}

async function run(t: Test, args: readonly string[], planes = admins) {
  const { ended, said } = isthmus(args, planes);
  const code = await ended;
  t.comment(`${args.join(' ')} → ${code}\n${said()}`);
  return { code, said: said() };
}

const plane = (idc: string) => (world.meshes.get(idc) as Mesh).plane;
const shareNow = () => idcs.map((idc) => plane(idc).evacuations.list().items[0]?.percentNow ?? 0);
async function where(count = 40, name = 'web'): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const { status, body } = await get(world.outbound, '/', { host: `${name}.test` });
    const place = status === 200 ? body : String(status);
    counts[place] = (counts[place] ?? 0) + 1;
  }
  return counts;
}
const isHome = async () => (await where())['sh-a'] === 40;
const caller = world.admins.get('caller') as ListenAddress;
const watching = ['--envoy', `${caller.address}:${caller.port}`];

t.before(() => until('served at home', isHome));

t.test('a dry run prints the effect, and does nothing', async (t) => {
  const { code, said } = await run(t, ['sh-a', '--dry-run', '--for', '1h']);
  t.equal(code, 0);
  t.match(said, /\(sh-a\): 2 Groups leave, first for sh-b/);
  t.match(said, /can take it is unknown, as no capacity is declared, for other.test, web.test/);
  t.strictSame(shareNow(), [0, 0]);
});

t.test('requests that the other IDCs do not accept do not leave, unless forced', async (t) => {
  const capacity = '{concurrentPerInstance: 10, idcs: {sh-b: {concurrentPerInstance: 4}}}';
  for (const mesh of world.meshes.values())
    mesh.save('all.yaml', registry.replaceAll('  idcs:', `  capacity: ${capacity}\n  idcs:`));
  await until('it is read', async () => (await run(t, ['sh-a', '--dry-run'])).code === 1);
  const { said } = await run(t, ['sh-a', '--dry-run']);
  t.match(said, /too little capacity: web.test: up to 10 requests at once leave sh-a, the others take 4\n/);
  t.equal((await run(t, ['sh-a', '--dry-run', '--percent', '40'])).code, 0, 'less may');
  t.equal((await run(t, ['sh-a', '--dry-run', '--force'])).code, 0);
  for (const mesh of world.meshes.values()) mesh.save('all.yaml', registry);
  await until('it is gone', async () => /is unknown/.test((await run(t, ['sh-a', '--dry-run'])).said));
});

t.test('step by step, each confirmed by every proxy; at the last one all have left', async (t) => {
  const args = ['sh-a', '--steps', '10,100', '--step-wait', '1s', '--for', '10m', '--reason', 'a test'];
  const { code, said } = await run(t, [...args, ...watching]);
  t.equal(code, 0);
  t.match(said, /10 %: every proxy has confirmed after \d+ ms\n(?:.|\n)*100 %: every proxy has confirmed/);
  t.match(said, /127.0.0.1:\d+: (nothing is in flight|in flight to instances of sh-a, until it ends:\n)/);
  t.match(said, /100 % leave sh-a, for (10|9) min from now on \(until .*Z by this machine's clock\); end it/);
  t.strictSame(await where(200), { 'sh-b': 200 }, 'the first request after it as well');
  t.strictSame(shareNow(), [100, 100]);
  const { stdout } = await status();
  t.match(stdout, /Evacuation sh-a: 100 % of all Groups leave sh-a; ends in (10|9) min \(a test\)\./);
});

/** `isthmus status` of sh-a. */
async function status(): Promise<{ readonly stdout: string }> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, [main, 'status', '--admin', `127.0.0.1:${admins[0]?.port}`], { env });
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  await new Promise((resolve) => child.once('exit', resolve));
  return { stdout };
}

t.test('the last IDC is not evacuated', async (t) => {
  const { code, said } = await run(t, ['sh-b', '--for', '1m']);
  t.equal(code, 1);
  t.match(said, /other.test, web.test sh-b is the last IDC left/);
});

t.test('undone, all requests have returned once it says so', async (t) => {
  const { code, said } = await run(t, ['sh-a', '--undo']);
  t.equal(code, 0);
  t.match(said, /ended: every proxy has confirmed after/);
  t.strictSame(await where(200), { 'sh-a': 200 });
  t.strictSame(shareNow(), [0, 0]);
});

t.test('one Group alone, a half', async (t) => {
  t.equal((await run(t, ['sh-a', '--group', 'web.test', '--percent', '50', '--for', '1m'])).code, 0);
  const { 'sh-a': stay = 0, 'sh-b': left = 0 } = await where(200);
  t.ok(stay + left === 200 && stay > 60 && left > 60, `${left} left`);
  t.strictSame(await where(40, 'other'), { 'sh-a': 40 });
  const other = await run(t, ['sh-a', '--undo']);
  t.equal(other.code, 1);
  t.match(
    other.said,
    /no evacuation of sh-a is named sh-a\nthere is (sh-a-[0-9a-f]{8}): end one with --undo --name \1/,
  );
  const dry = await run(t, ['sh-a', '--group', 'web.test', '--undo', '--dry-run']);
  t.equal(dry.code, 0);
  t.match(dry.said, /evacuation sh-a-[0-9a-f]{8} would end, and all requests return to sh-a/);
  t.strictSame(shareNow(), [50, 50], 'neither has ended it');
  t.equal((await run(t, ['sh-a', '--group', 'web.test', '--undo'])).code, 0);
  t.strictSame(shareNow(), [0, 0]);
  const again = await run(t, ['sh-a', '--group', 'web.test', '--undo']);
  t.equal(again.code, 0);
  t.match(again.said, /nothing to end: no evacuation of sh-a is named/);
  t.strictSame(await where(), { 'sh-a': 40 });
});

/** Sends requests until it is told to stop; whatever became of them. */
function load(headers: Record<string, string>): () => Promise<void> {
  let goes = true;
  const one = async () => {
    while (goes) {
      await get(world.outbound, '/', { host: 'web.test', headers }).catch(() => {});
      await sleep(clock, 10);
    }
  };
  const all = Promise.all(Array.from({ length: 4 }, one));
  return async () => {
    goes = false;
    await all;
  };
}

t.test('counters of its Envoys undo it', async (t) => {
  const stop = load({ 'x-wait': '60' });
  const args = ['sh-a', '--steps', '10,100', '--step-wait', '20s', '--for', '1m', ...watching];
  const { code, said } = await run(t, [...args, '--abort-on', 'p99>20ms']);
  t.equal(code, 1);
  t.match(
    said,
    /p99 is up to \d+ ms, more than 20 ms; all requests return\nended: every proxy has confirmed/,
  );
  t.notMatch(said, /100 %/);
  const calm = await run(t, ['sh-a', '--steps', '10,20', '--step-wait', '3s', '--for', '1m', ...watching]);
  t.equal(calm.code, 0, 'which is not so under other conditions');
  await stop();
  t.equal((await run(t, ['sh-a', '--undo'])).code, 0);
});

t.test('a proxy that does not confirm undoes it', async (t) => {
  const pid = world.pids.get('sh-a-ingress') as number;
  process.kill(pid, 'SIGSTOP');
  const { code, said } = await run(t, ['sh-a', '--for', '1m', '--ack-timeout', '5s']);
  process.kill(pid, 'SIGCONT');
  t.equal(code, 1);
  t.match(said, / {2}100 %: \d of \d proxies are in sync after \d s; waiting for .*sh-a-ingress \(sh-a\)/);
  t.match(said, /100 % is not confirmed within 5 s by sh-a-ingress \(sh-a\); all requests return/);
  t.strictSame(shareNow(), [0, 0]);
  await until('at home', isHome);
});

t.test('Ctrl-C undoes it', async (t) => {
  const { child, ended, said } = isthmus(['sh-a', '--steps', '50,100', '--step-wait', '60s', '--for', '2m']);
  await until('the first step', () => /50 %: every proxy/.test(said()));
  t.strictSame(shareNow(), [50, 50]);
  child.kill('SIGINT');
  t.equal(await ended, 130);
  t.match(said(), /interrupted by SIGINT; all requests return\nended: every proxy has confirmed/);
  t.strictSame(shareNow(), [0, 0]);
  t.strictSame(await where(), { 'sh-a': 40 });
});

t.test('a closed terminal does too', async (t) => {
  const { child, ended, said } = isthmus(['sh-a', '--steps', '50,100', '--step-wait', '60s', '--for', '2m']);
  await until('the first step', () => /50 %: every proxy/.test(said()));
  child.kill('SIGHUP');
  t.equal(await ended, 130);
  t.match(said(), /interrupted by SIGHUP; all requests return/);
  t.strictSame(shareNow(), [0, 0]);
});

t.test('an evacuation ended between two steps does not start again', async (t) => {
  const { ended, said } = isthmus(['sh-a', '--steps', '50,100', '--step-wait', '8s', '--for', '2m']);
  await until('the first step', () => /50 %: every proxy/.test(said()));
  t.equal((await run(t, ['sh-a', '--undo'])).code, 0);
  t.equal(await ended, 1);
  t.match(said(), /evacuation sh-a is not in force: it has ended, or was ended .*; all requests return/);
  t.strictSame(shareNow(), [0, 0]);
});

t.test('when the operator’s machine dies, its time ends it', async (t) => {
  const { child, ended, said } = isthmus([
    'sh-a',
    '--percent',
    '50',
    '--step-wait',
    '60s',
    '--for',
    '4s',
    ...watching,
  ]);
  await until('the first step', () => /50 %: every proxy/.test(said()));
  child.kill('SIGKILL');
  await ended;
  t.strictSame(shareNow(), [50, 50], 'it goes on for now');
  await until('it is over', () => shareNow().every((share) => share === 0), 20_000);
  await until('everybody is home', isHome, 20_000);
});

t.test('no request returns to an IDC without instances', async (t) => {
  t.equal((await run(t, ['sh-a', '--for', '1m'])).code, 0);
  const home = world.meshes.get('sh-a') as Mesh;
  home.save('all.yaml', registry.replaceAll('locality: sh-a', 'locality: sh-b'));
  const all = { idc: 'sh-a', groups: [], percent: 100, expiresAt: 0, steps: [], stepMs: 1 };
  const any = {
    kind: 'Evacuation',
    spec: all,
    meta: { ...{ namespace: '', name: '' }, labels: {}, annotations: {}, origin: '' },
  } as const;
  await until('it is read', () =>
    plane('sh-a')
      .evacuations.effect(any)
      .room.every(({ instances }) => instances === 0),
  );
  const { code, said } = await run(t, ['sh-a', '--undo']);
  t.equal(code, 1);
  t.match(said, /sh-a cannot take back the requests of other.test \(no instance\), web.test \(no instance\)/);
  t.strictSame(shareNow(), [100, 100]);
  t.equal((await run(t, ['sh-a', '--undo', '--force'])).code, 0);
  home.save('all.yaml', registry);
  await until('at home', isHome);
});

t.test('its end is by the clocks of the control planes', async (t) => {
  t.equal((await run(t, ['sh-a', '--for', '10m'])).code, 0);
  for (const idc of idcs) {
    const { endsInMs = 0 } = plane(idc).evacuations.list().items[0] ?? {};
    t.ok(endsInMs > 500_000 && endsInMs <= 600_000, `${idc}: ${endsInMs} ms`);
  }
  t.equal((await run(t, ['sh-a', '--undo'])).code, 0);
});

t.test('it is there after a restart, before any proxy is answered', async (t) => {
  t.equal((await run(t, ['sh-a', '--for', '1m'])).code, 0);
  const source = sources.open('sh-a');
  await (world.meshes.get('sh-a') as Mesh).restart({ sources: [source] });
  const seen: Record<string, number>[] = [];
  await until('the proxies are back', async () => {
    seen.push(await where(10));
    return plane('sh-a').status().proxies.length >= 3;
  });
  seen.push(await where(40));
  t.ok(
    seen.every((counts) => Object.keys(counts).join() === 'sh-b'),
    'nobody came home meanwhile',
  );
  t.strictSame(shareNow(), [100, 100]);
});

t.test('impossible options are reported', async (t) => {
  const nobody = await run(t, ['sh-a', '--for', '1m'], admins.slice(1));
  t.equal(nobody.code, 1);
  t.match(nobody.said, /only control planes of sh-b were named: give --admin of one of sh-a as well/);
  const unknown = await run(t, ['sh-q', '--for', '1m']);
  t.equal(unknown.code, 1);
  t.match(unknown.said, /no Idc is named sh-q: there are sh-a, sh-b\. Did you mean 'sh-a'\?/);
  const wrong = await run(t, ['sh-a', '--abort-on', 'p99>half']);
  t.equal(wrong.code, 2);
  t.match(wrong.said, /'p99>half', column 5: 'half' is not a limit of p99: write a time with its unit/);
  const falling = await run(t, ['sh-a', '--steps', '50,10']);
  t.equal(falling.code, 2);
  t.match(falling.said, /does not rise/);
  const long = await run(t, ['sh-a', '--steps', '10,50,100', '--step-wait', '2h', '--for', '4h']);
  t.equal(long.code, 2);
  t.match(long.said, /the last of --steps would begin after 14400 s, and --for ends it after 14400 s: give/);
  const days = await run(t, ['sh-a', '--for', '4d']);
  t.equal(days.code, 2);
  t.match(days.said, /'4d' is not a duration: write it as 500ms, 15s, 10m, 4h or 1h30m/);
  const both = await run(t, ['sh-a', '--undo', '--percent', '25']);
  t.equal(both.code, 2);
  t.match(both.said, /--undo brings everybody home: leave out --steps and --percent, or --undo/);
  const host = await run(t, ['sh-a', '--group', 'wep.test', '--group', 'web.test', '--dry-run']);
  t.match(host.said, /1 Group leaves.*\n {2}wep\.test: no ServiceEntry has such a host/);
  t.notMatch(host.said, / {2}web\.test/);
});
