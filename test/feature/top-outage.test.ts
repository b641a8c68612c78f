import { connect } from 'node:net';
import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { TopReport } from '../../src/contract/load/top.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';
import { runCli } from '../support/planes/run-cli.ts';

// isthmus top in an outage: what fails there is what clients saw, and no health check of another IDC.

const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));

const instance = () => startInstance(t, (_, response) => response.end());
const [here, there, well] = [await instance(), await instance(), await instance()];
const at = ({ at }: { at: ListenAddress }, idc: string) => ({ idc, at });
const tcpPort = (await freeAddress()).port;
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'web', health: '/health', instances: [at(here, 'sh-a'), at(there, 'sh-b')] },
    { name: 'well', health: '/health', instances: [at(well, 'sh-a')] },
    { name: 'pipe', tcpPort, instances: [{ idc: 'sh-b', at: await freeAddress() }] },
  ],
});
t.teardown(() => world.close());
const meshOf = (idc: string) => world.meshes.get(idc) as Mesh;
const admin = await freeAddress();
const server = await serveAdmin(meshOf('sh-a').plane, admin, undefined);
t.teardown(() => server.close());

const edge = world.gateways.get('sh-a')?.edge as ListenAddress;
const entrances = [world.outbound, edge];

/** So many requests at each of these; the statuses of the answers. */
async function load(host: string, count: number, to: readonly ListenAddress[] = entrances) {
  const statuses = new Set<number>();
  for (const entrance of to)
    for (let i = 0; i < count; i += 1) statuses.add((await get(entrance, '/', { host })).status);
  return [...statuses];
}

/** What `top` says of an IDC while this is going on: it begins after the first reading. */
async function during(idc: string, work: () => Promise<unknown>, intervalMs = 6_000): Promise<TopReport> {
  const report = meshOf(idc).plane.top(intervalMs);
  await sleep(systemClock, 2_000);
  await work();
  return report;
}

/** A counter of an Envoy; 0 if it has not been used. */
async function counted(proxy: string, name: string): Promise<number> {
  const { body } = await get(world.admins.get(proxy) as ListenAddress, `/stats?filter=${name}`);
  const line = body.split('\n').find((one) => one.startsWith(`${name}: `));
  return Number(line?.slice(name.length + 2) ?? 0);
}
const checks = (stat: string) => counted('sh-a-ingress', `cluster.instances/web.test_80.upstream_rq_${stat}`);
const of = ({ hosts }: TopReport, host: string) => hosts.find((one) => one.host === host);
const served = (idc: string) =>
  until(`${idc} serves`, async () => {
    const { body } = await get(world.admins.get('caller') as ListenAddress, '/clusters?filter=instances/web');
    const isHealthy = body.includes('health_flags::healthy');
    return isHealthy === (idc === 'sh-a') && (await load('web.test', 1)).join() === '200';
  });

t.test('health checks of another IDC alone: no host is busy', async (t) => {
  await served('sh-a');
  await until('checks come', async () => (await checks('completed')) > 2);
  const before = await checks('completed');
  const report = await during('sh-a', async () => undefined);
  t.ok((await checks('completed')) > before, 'the control: they are answered meanwhile');
  t.strictSame(report.hosts, []);
  t.ok(report.idle > 0);
  t.strictSame(report.arrived, []);
  t.match(
    report.proxies.find(({ node }) => node === 'sh-a-ingress'),
    { requests: 0, failed: 0 },
  );
});

t.test('the instances of one IDC are dead, and the other serves: nothing failed', async (t) => {
  here.down();
  await served('sh-b');
  const failing = await checks('5xx');
  let statuses: readonly number[] = [];
  const [report, elsewhere] = await Promise.all([
    during('sh-a', async () => {
      statuses = await load('web.test', 20);
    }),
    during('sh-b', async () => undefined),
  ]);
  t.strictSame(statuses, [200]);
  t.ok((await checks('5xx')) > failing, 'the control: checks fail meanwhile');
  t.match(of(report, 'web.test'), {
    ...{ requests: 40, failed: 0 },
    idcs: [{ idc: 'sh-b', requests: 40 }],
  });
  t.equal(report.hosts.length, 1);
  const proxies = new Map(report.proxies.map((one) => [one.node, one]));
  for (const [node, requests] of [
    ['caller', 20],
    ['sh-a-ingress', 20],
    ['sh-a-egress', 40],
  ] as const)
    t.match(proxies.get(node), { requests, failed: 0 }, node);
  t.strictSame(elsewhere.hosts, [], 'they count where they begin');
  t.strictSame(elsewhere.arrived, [{ idc: 'sh-a', requests: 40 }]);
  t.match(
    elsewhere.proxies.find(({ node }) => node === 'sh-b-ingress'),
    { requests: 40, failed: 0 },
  );
});

t.test('all instances are dead: all requests failed, and their host comes first', async (t) => {
  there.down();
  await until('nobody serves', async () => (await load('web.test', 1)).join() === '503');
  let statuses: readonly number[] = [];
  const report = await during('sh-a', async () => {
    statuses = await load('web.test', 10);
    await load('well.test', 30);
  });
  t.strictSame(statuses, [503]);
  t.match(
    report.hosts.map(({ host, requests, failed }) => [host, requests, failed]),
    [
      ['web.test', 20, 20],
      ['well.test', 60, 0],
    ],
  );
  for (const { node, requests, failed } of report.proxies)
    t.ok(failed > 0 && failed <= requests, `${node}: ${failed} of ${requests}`);
  const [{ code, out, err }] = await Promise.all([
    runCli('top', '--admin', showAddress(admin), '--for', '4s', '-o', 'wide'),
    sleep(systemClock, 2_500).then(() => load('web.test', 5)),
  ]);
  t.equal(code, 0, err);
  t.match(out, /^web\.test:80 +[\d.]+ +100 % .* 10 +10 +-$/m);
  t.match(out, /^sh-a-ingress +ingress +[\d.]+ +100 % /m);
  t.notMatch(out, /\b(?!100 %)\d{3,}(\.\d)? %/, 'no part is more than all');
});

t.test('a TCP host that nobody serves is busy, too', async (t) => {
  const once = () =>
    new Promise<void>((resolve) => {
      const socket = connect(tcpPort, world.outbound.address);
      socket.on('error', () => undefined).on('close', () => resolve());
    });
  const report = await during('sh-a', async () => {
    for (let i = 0; i < 5; i += 1) await once();
  });
  const pipe = of(report, 'pipe.test');
  t.ok((pipe?.requests ?? 0) >= 5, JSON.stringify(report.hosts));
  t.equal(pipe?.failed, pipe?.requests);
});
