import t, { type Test } from 'tap';
import { clusterType, endpointType } from '../../src/xds/resource-types.ts';
import { connectXds, type XdsClient } from '../support/clients/xds-client.ts';
import { get, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { linesOf, type Replacement, startServe, takeAway, without } from '../support/planes/served.ts';

// New streams are refused at 85 % of the heap. What stands may grow beyond that: at 92 % the stream that
// holds most ends.
const metadata = {
  isthmus: {
    ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
    outbound: { address: '127.0.0.1', port: 15001 },
  },
};
const greedy = 8;
const step = 10_000;
// What they would hold in the end is several times the heap.
const roundsMax = 200;

/**
 * A control plane with a small heap, two proxies, and clients whose subscriptions grow, until one of these
 * has ended or the process has.
 */
async function grow(t: Test, ...off: Replacement[]) {
  const served = await startServe({
    files: { 'echo.yaml': groupYaml('echo') },
    node: ['--max-old-space-size=128', '--import', without],
    env: takeAway({ file: 'plane/memory.ts', from: 'collect: 30_000', to: 'collect: 1_000' }, ...off),
  });
  t.teardown(() => served.close());
  await served.ready();
  const connect = (id: string): XdsClient => {
    const client = connectXds(`127.0.0.1:${served.xds.port}`, 'delta', { id, metadata });
    t.teardown(() => client.close());
    client.send(clusterType, { resource_names_subscribe: ['*'] });
    return client;
  };
  const proxies = [connect('proxy-1'), connect('proxy-2')];
  for (const proxy of proxies) proxy.ack(await proxy.next());
  let [exited, round] = [false, 0];
  void served.exit.then(() => {
    exited = true;
  });
  const ends: { code: number; details: string }[] = [];
  const growing = Array.from({ length: greedy }, (_, id) => {
    const client = connect(`greedy-${id}`);
    void client.ended.then(({ code, details }) => ends.push({ code, details }));
    return client;
  });
  for (; round < roundsMax && ends.length === 0 && !exited; round += 1) {
    const names = (id: number) =>
      Array.from({ length: step }, (_, i) => `${id}-${round}-${i}-${'x'.repeat(60)}`);
    // The first of them holds most.
    for (const [id, client] of growing.entries())
      for (let times = id === 0 ? 2 : 1; times > 0; times -= 1)
        client.send(endpointType, {
          resource_names_subscribe: names(id).map((name) => `${name}-${times}`),
        });
    await Promise.race([served.exit, ...growing.map(({ ended }) => ended), pause(100)]);
  }
  return { served, proxies, growing, ends, isDead: () => exited };
}

t.setTimeout(600_000);
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

t.test('at 92 % the stream with the most names ends, and proxies stay', { timeout: 240_000 }, async (t) => {
  const { served, proxies, growing, ends, isDead } = await grow(t);
  t.match(ends[0], {
    code: 8,
    details: /^memory is nearly full: \d+ of \d+ MiB are in use, and this stream has the most names/,
  });
  t.comment(ends[0]?.details);
  const [, used, limit] = /(\d+) of (\d+) MiB/.exec(ends[0]?.details ?? '') ?? [];
  t.ok(Number(used) >= 0.91 * Number(limit));
  for (const client of growing) client.close();
  await until('there is room again', async () => (await get(served.admin, '/readyz')).status === 200);
  served.save('more.yaml', groupYaml('more'));
  for (const proxy of proxies) t.match(await proxy.next(), { resources: [{}] }, 'a proxy gets what changes');
  t.notOk(isDead());
  t.ok(linesOf(served.log()).some(({ msg }) => /memory is available again/.test(msg)));
});

t.test('the control: without that the process dies, with all proxies', { timeout: 240_000 }, async (t) => {
  const { served, proxies, ends, isDead } = await grow(t, {
    ...{ file: 'plane/memory.ts', from: 'end: 0.92' },
    to: 'end: 9',
  });
  await Promise.race([served.exit, pause(60_000)]);
  t.ok(isDead(), 'it has died');
  t.match(served.log(), /heap out of memory|heap limit/i);
  t.notOk(ends.some(({ code }) => code === 8));
  for (const proxy of proxies) t.match(await proxy.ended, { code: 14 });
});
