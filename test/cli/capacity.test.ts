import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadText } from '../../src/cli/capacity/capacity-text.ts';
import { type EnvoyReading, readLoad, summarizeLoad } from '../../src/cli/capacity/group-load.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

const asked = { role: 'sidecar', idc: 'sh-a' };

t.test('statistics of an Envoy', async (t) => {
  const text = `cluster.instances/a.shop_80.membership_total: 4
cluster.instances/a.shop_80.membership_healthy: 3
cluster.instances/a.shop_80.upstream_rq_active: 7
cluster.instances/a.shop_80.upstream_rq_total: 900
cluster.instances/b_c.shop_8080.upstream_rq_active: 0
cluster.instances/b_c.shop_8080.membership_total: 2
cluster.failover/a.shop_80.upstream_rq_active: 9
`;
  t.strictSame(readLoad(text), [
    { group: 'a.shop:80', active: 7, total: 900, instances: 4, well: 3 },
    { group: 'b_c.shop:8080', active: 0, total: 0, instances: 2, well: 0 },
  ]);
});

const look = (active: number, total: number, well = 4): EnvoyReading[] => [
  { ...asked, id: 'x', groups: [{ group: 'a.shop:80', active, total, instances: 4, well }] },
  { ...asked, id: 'y', groups: [{ group: 'a.shop:80', active: 1, total: 50, instances: 4, well }] },
  // Another IDC has instances of its own.
  {
    ...asked,
    id: 'z',
    idc: 'sh-b',
    groups: [{ group: 'a.shop:80', active: 2, total: 7, instances: 1, well: 1 }],
  },
];

t.test('readings are summed by IDC, and weak figures are marked', async (t) => {
  const [a, b] = summarizeLoad([look(7, 1000), look(3, 1200), look(0, 1300)]);
  t.match(a, {
    idc: 'sh-a',
    instances: 4,
    well: 4,
    requests: 308,
    most: 8,
    concurrentPerInstance: 2,
    doubts: [],
  });
  t.equal(a?.mean, 13 / 3);
  t.match(b, { idc: 'sh-b', most: 2, concurrentPerInstance: 2, doubts: ['few'] });
  // Those that are not well bear nothing.
  t.match(summarizeLoad([look(7, 0, 2), look(7, 500, 4)])[0], {
    ...{ well: 2, concurrentPerInstance: 4, doubts: ['sick'] },
  });
  t.match(summarizeLoad([look(2, 0), look(1, 900)])[0], { most: 3, doubts: ['idle'] });
  // One that was started anew counts from 0, and one that was not reached says nothing.
  t.equal(summarizeLoad([look(0, 1000), look(0, 120)])[0]?.requests, 121);
  t.match(summarizeLoad([[{ ...asked, id: 'x' }], look(7, 300)])[0], { most: 8 });
  t.strictSame(summarizeLoad([[{ ...asked, id: 'x' }]]), []);
  const none = { group: 'b', active: 0, total: 0, instances: 0, well: 0 };
  t.strictSame(summarizeLoad([[{ ...asked, id: 'x', groups: [none] }]]), []);
});

t.test('the value to declare, and how reliable it is', async (t) => {
  const envoys = [{ ...asked, id: 'x' }];
  const short = { seconds: 10, looks: 40, envoys, missed: new Map([['x', 2]]) };
  const long = { ...short, seconds: 600, missed: new Map() };
  const busy = summarizeLoad([look(7, 0), look(3, 900)]);
  const text = loadText(busy, long);
  t.match(text, /^sh-a {2}a\.shop:80 +4 +4 +908 +6\.0 +8 +2$/m);
  t.match(text, /Seen in 600 s, by 40 readings of one Envoy: x \(sidecar, sh-a\)\./);
  t.match(
    text,
    /# ServiceEntry of a\.shop\n {2}metadata: \{annotations: \{isthmus\.dev\/concurrent-per-instance: '2'\}\}/,
  );
  t.match(text, /spec: \{capacity: \{idcs: \{sh-a: \{concurrentPerInstance: 2\}\}\}\}/);
  t.match(text, /sh-b .* 2 {2}\(too few requests\)$/m);
  t.notMatch(text, /are short/);
  t.match(
    loadText(busy, short),
    /Not reliable:\n- 10 s are short: .*--for 10m\.\n- x did not answer 2 times/,
  );
  const idle = loadText(summarizeLoad([look(0, 0), look(0, 900)]), long);
  t.match(idle, /^Idle, with fewer concurrent requests than instances: a\.shop:80 \(sh-a\)\.$/m);
  t.match(idle, /Nothing can be declared from this/);
  t.notMatch(idle, /concurrent-per-instance/);
  t.match(loadText([], short), /None of these Envoys/);
});

t.test('requests in flight at real proxies', async (t) => {
  const apps = slowApps();
  t.teardown(() => apps.close());
  const world = await startIdcs({
    idcs: ['sh-a', 'sh-b'],
    hopLimit: 1,
    groups: [
      {
        name: 'one',
        instances: [
          { idc: 'sh-a', at: await apps.start('a') },
          { idc: 'sh-a', at: await apps.start('b') },
        ],
      },
    ],
  });
  t.teardown(() => world.close());
  const ask = (ms: number, id = '') =>
    get(world.outbound, `/?ms=${ms}`, { host: 'one.test', headers: { 'x-test-id': id } });
  await until('it answers', async () => (await ask(0)).status === 200);
  const held = Array.from({ length: 5 }, () => ask(20_000, 'held'));
  await until('five are in work', () => apps.of('held').length === 5);
  const admins = ['caller', 'sh-a-ingress'].map((id) => world.admins.get(id) as ListenAddress);
  const envoys = admins.flatMap(({ address, port }) => ['--envoy', `${address}:${port}`]);
  const seen = {
    groups: [{ idc: 'sh-a', group: 'one.test:80', instances: 2, well: 2, most: 5, concurrentPerInstance: 3 }],
  };
  const few = await isthmus('capacity', ...envoys, '--for', '1s', '-o', 'json');
  t.equal(few.code, 1, few.err);
  t.match(JSON.parse(few.out), seen);
  t.match(JSON.parse(few.out), {
    envoys: [{ id: 'caller', role: 'sidecar' }, { role: 'ingress' }],
    groups: [{ doubts: ['few'] }],
  });
  // Beside those that are held, as many quick ones as tell something.
  const stop = new AbortController();
  const quick = (async () => {
    while (!stop.signal.aborted) await ask(0);
  })();
  const enough = await isthmus('capacity', ...envoys, '--for', '3s');
  stop.abort();
  await quick;
  t.equal(enough.code, 0, enough.out);
  t.match(enough.out, /^sh-a +one\.test:80 +2 +2 +\d{3,} +[0-9.]+ +[56] +3$/m);
  t.match(enough.out, /ServiceEntry of one\.test\n.*concurrent-per-instance: '3'/);
  await Promise.all(held);
  const nobody = await freeAddress();
  const wrong = await isthmus('capacity', '--envoy', `${nobody.address}:${nobody.port}`);
  t.equal(wrong.code, 2);
  t.match(wrong.err, /the Envoy at .* does not answer/);
});

/** The command, beside this process: Envoys and instances go on meanwhile. */
function isthmus(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [main, ...args], { env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}
