import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadText, readLoad, summarizeLoad } from '../../src/cli/capacity-seen.ts';
import type { ListenAddress } from '../../src/model/node.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { slowApps } from '../support/slow-app.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

t.test('statistics of an Envoy', async (t) => {
  const text = `cluster.instances/a.shop_80.membership_total: 4
cluster.instances/a.shop_80.upstream_rq_active: 7
cluster.instances/b_c.shop_8080.upstream_rq_active: 0
cluster.instances/b_c.shop_8080.membership_total: 2
cluster.failover/a.shop_80.upstream_rq_active: 9
`;
  t.strictSame(readLoad(text), [
    { group: 'a.shop:80', active: 7, instances: 4 },
    { group: 'b_c.shop:8080', active: 0, instances: 2 },
  ]);
  const look = (active: number) => [
    { group: 'a.shop:80', active, instances: 4 },
    { group: 'a.shop:80', active: 1, instances: 4 },
  ];
  t.strictSame(summarizeLoad([look(7), look(3), look(0)]), [
    { group: 'a.shop:80', instances: 4, mean: 13 / 3, most: 8, concurrentPerInstance: 2 },
  ]);
  t.strictSame(
    summarizeLoad([[{ group: 'a', active: 0, instances: 4 }]])[0]?.concurrentPerInstance,
    undefined,
  );
  t.strictSame(
    summarizeLoad([[{ group: 'a', active: 3, instances: 0 }]])[0]?.concurrentPerInstance,
    undefined,
  );
  t.match(loadText([], 1, 1), /None of these proxies/);
});

t.test('what real proxies have in work', async (t) => {
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
  const proxies = admins.flatMap(({ address, port }) => ['--proxy', `${address}:${port}`]);
  const { code, out } = await isthmus('capacity', ...proxies, '--seconds', '1', '-o', 'json');
  t.equal(code, 0);
  t.match(JSON.parse(out), [{ group: 'one.test:80', instances: 2, most: 5, concurrentPerInstance: 3 }]);
  t.match(loadText(JSON.parse(out), 1, 2), /one\.test:80 +2 +[0-9.]+ +5 +3\n/);
  await Promise.all(held);
  const nobody = await freeAddress();
  const wrong = await isthmus('capacity', '--proxy', `${nobody.address}:${nobody.port}`);
  t.equal(wrong.code, 2);
  t.match(wrong.err, /no Envoy's admin interface at/);
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
