import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { TopReport } from '../../src/contract/load/top.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';
import { runCli } from '../support/planes/run-cli.ts';

// isthmus top with a known load: what it says is what was sent, and what each Envoy's own statistics say.

const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));

/** Ends the requests for `/hang`. */
const held: (() => void)[] = [];

/** An instance; `/fail` answers 500, `/slow` after 200 ms, `/hang` when it is let go. */
const instance = () =>
  startInstance(t, ({ url }, response) => {
    if (url === '/hang') return void held.push(() => response.end());
    setTimeout(() => response.writeHead(url === '/fail' ? 500 : 200).end(), url === '/slow' ? 200 : 0);
  });
const [here, there] = [await instance(), await instance()];
const instances = [
  { idc: 'sh-a', at: here.at },
  { idc: 'sh-b', at: there.at },
];
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'web', instances },
    { name: 'quiet', instances },
    { name: 'far', instances: [{ idc: 'sh-b', at: there.at }] },
  ],
});
t.teardown(() => world.close());
const mesh = world.meshes.get('sh-a') as Mesh;
const admin = await freeAddress();
const server = await serveAdmin(mesh.plane, admin, undefined);
t.teardown(() => server.close());

const send = (host: string, path = '/') => get(world.outbound, path, { host });

/** So many requests one after the other. */
async function load(host: string, count: number, path?: string): Promise<void> {
  for (let i = 0; i < count; i += 1) await send(host, path);
}

/** What `top` says while this is going on: it begins after the first reading, and ends before the second. */
async function during(intervalMs: number, work: () => Promise<unknown>): Promise<TopReport> {
  const report = mesh.plane.top(intervalMs);
  await sleep(systemClock, 1_000);
  await work();
  return report;
}

/** The counters of an Envoy, in the text form of its page, which is not the one that is read to answer. */
async function statsAt(proxy: string): Promise<ReadonlyMap<string, number>> {
  const { body } = await get(world.admins.get(proxy) as ListenAddress, '/stats?filter=upstream_rq');
  const lines = body.split('\n').map((line) => line.split(': '));
  return new Map(lines.map(([name = '', value = '']) => [name, Number(value)]));
}

const of = (report: TopReport, host: string) => report.hosts.find((one) => one.host === host);

t.test('before: both hosts answer', async () => {
  await until('web answers', async () => (await send('web.test')).status === 200);
  await until('far answers', async () => (await send('far.test')).status === 200);
});

t.test('a known load is counted, and agrees with what Envoys say', async (t) => {
  const [caller, egress] = [await statsAt('caller'), await statsAt('sh-a-egress')];
  const report = await during(12_000, async () => {
    await Promise.all([load('web.test', 60), load('web.test', 20, '/slow')]);
    await Promise.all([load('web.test', 15, '/fail'), load('far.test', 30)]);
  });
  const [callerAfter, egressAfter] = [await statsAt('caller'), await statsAt('sh-a-egress')];
  const web = of(report, 'web.test');
  t.match(web, { port: 80, requests: 95, failed: 15, inFlight: 0, idcs: [{ idc: 'sh-a', requests: 95 }] });
  t.ok((web?.p50Ms ?? 0) < 200, 'most were fast');
  t.ok((web?.p99Ms ?? 0) >= 200, 'and some were slow');
  t.match(of(report, 'far.test'), { requests: 30, failed: 0, idcs: [{ idc: 'sh-b', requests: 30 }] });
  t.equal(of(report, 'quiet.test'), undefined, 'an idle host is left out');
  t.strictSame(report.unknownHosts, []);
  t.equal(report.hosts[0]?.host, 'web.test', 'the most first');
  const grown = (name: string, before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>) =>
    (after.get(name) ?? 0) - (before.get(name) ?? 0);
  t.equal(grown('cluster.failover/web.test_80.upstream_rq_completed', caller, callerAfter), web?.requests);
  t.equal(grown('cluster.failover/web.test_80.upstream_rq_5xx', caller, callerAfter), web?.failed);
  const shared = [...egressAfter.keys()].find((name) => /^cluster\.away\/.*\.upstream_rq_total$/.test(name));
  t.equal(grown(shared ?? '', egress, egressAfter), 30, 'all hosts leave the IDC by one cluster');
  const proxies = new Map(report.proxies.map((one) => [one.node, one]));
  t.match(proxies.get('caller'), { role: 'sidecar', requests: 125, failed: 15 });
  t.match(proxies.get('sh-a-egress'), { role: 'egress', requests: 30 });
  t.equal(proxies.size, 3);
});

t.test('requests for a host that nobody declares are counted', async (t) => {
  const [report, { out }] = await Promise.all([
    during(6_000, async () => {
      for (const host of ['wbe.test', 'wbe.test', 'web.tset']) t.equal((await send(host)).status, 404);
      await load('web.test', 5);
    }),
    runCli('top', '--admin', showAddress(admin), '--for', '6s'),
  ]);
  t.strictSame(report.unknownHosts, [{ node: 'caller', role: 'sidecar', requests: 3 }]);
  t.equal(of(report, 'web.test')?.requests, 5, 'and not with those of others');
  t.match(out, /^! 3 requests for hosts that nobody here declares, answered with 404: caller 3\. /m);
});

t.test('requests in flight are counted, and shares follow a failover', async (t) => {
  const hanging = Array.from({ length: 5 }, () => send('web.test', '/hang').catch(() => undefined));
  const report = await during(3_000, async () => sleep(systemClock, 500));
  t.equal(of(report, 'web.test')?.inFlight, 5);
  for (const end of held) end();
  await Promise.all(hanging);
  here.down();
  const away = await during(6_000, () => load('web.test', 40));
  const idcs = of(away, 'web.test')?.idcs ?? [];
  t.equal(idcs.find(({ idc }) => idc === 'sh-b')?.requests, 40, 'all were served there in the end');
  await here.up();
});

t.test('the command shows it', async (t) => {
  const at = ['--admin', showAddress(admin)];
  const [{ code, out, err }] = await Promise.all([
    runCli('top', ...at, '--for', '4s', '--sort', 'host', '-o', 'wide'),
    sleep(systemClock, 2_500).then(() => load('web.test', 10)),
  ]);
  t.equal(code, 0, err);
  t.match(out, /^sh-a, in [\d.]+ s: \d+ hosts? busy, \d+ idle; by 3 of 3 connected proxies\./);
  t.match(out, /HOST +REQ\/S +FAILED +P50 +P99 +IN FLIGHT +REQUESTS +FAILURES +SERVED BY/);
  t.match(out, /PROXY +ROLE +REQ\/S +FAILED +IN FLIGHT\n\S+/);
  const json = await runCli('top', ...at, '--for', '100ms', '-o', 'json');
  t.match(JSON.parse(json.out), [{ admin: showAddress(admin), idc: 'sh-a', proxies: [{}, {}, {}] }]);
  const all = await runCli('top', ...at, '--for', '100ms', '--all-idcs');
  t.equal(all.code, 1);
  t.match(all.out, /sh-b is not asked/);
  t.equal((await runCli('top', '--admin', '127.0.0.1:9')).code, 2);
});
