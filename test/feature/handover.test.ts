import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { clusterType } from '../../src/xds/resource-types.ts';
import { handOverSpacingMs } from '../../src/xds/transport/handover.ts';
import { connectRaw } from '../support/clients/grpc-call.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { get, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import {
  linesOf,
  type Replacement,
  type Served,
  startServe,
  takeAway,
  without,
} from '../support/planes/served.ts';

const metadata = {
  isthmus: {
    ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
    outbound: { address: '127.0.0.1', port: 15001 },
  },
};
const count = 60;

/** Clients that have all, each on a connection of its own, and the times at which their streams end. */
async function connectAll(t: Test, served: Served) {
  const ends: { at: number; code: number; details: string }[] = [];
  const clients = Array.from({ length: count }, (_, i) => {
    const client = connectXds(`127.0.0.1:${served.xds.port}`, 'delta', { id: `c-${i}`, metadata });
    void client.ended.then(({ code, details }) => ends.push({ at: clock.now(), code, details }));
    return client;
  });
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  for (const client of clients) client.send(clusterType, { resource_names_subscribe: ['*'] });
  for (const client of clients) client.ack(await client.next());
  return { clients, ends };
}

function connects({ xds }: Served): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(xds.port, xds.address);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** So that what happens before the streams end has time on a busy machine, too. */
const notice = { file: 'cli/serve.ts', from: 'noticeMs = 1_000', to: 'noticeMs = 6_000' };

async function start(t: Test, ...off: Replacement[]) {
  const served = await startServe({
    files: { 'echo.yaml': groupYaml('echo') },
    node: ['--import', without],
    env: takeAway(notice, ...off),
  });
  t.teardown(() => served.close());
  await served.ready();
  return { served, ...(await connectAll(t, served)) };
}

t.test('SIGTERM: first /readyz is 503, then streams end one after another', async (t) => {
  const { served, clients, ends } = await start(t);
  served.kill('SIGTERM');
  await until('it is not ready', async () => (await get(served.admin, '/readyz')).status === 503);
  t.match((await get(served.admin, '/readyz')).body, /^not ready\nthis control plane stops/);
  t.equal(ends.length, 0, 'all streams are there');
  t.ok(await connects(served), 'and a connection is taken, until load balancers know');
  served.save('more.yaml', groupYaml('more'));
  t.match(await clients[0]?.next(), { resources: [{}] }, 'a change is pushed meanwhile');
  await until('the first ends', () => ends.length > 0);
  t.notOk(await connects(served), 'no connection is taken any more');
  t.match(await served.exit, { code: 0, signal: null });
  await until('all have ended', () => ends.length === count);
  t.match(ends[0], { code: 14, details: 'this server is shutting down: connect again' });
  t.same([...new Set(ends.map(({ details }) => details))], [ends[0]?.details], 'none was cut');
  const overMs = (ends.at(-1)?.at ?? 0) - (ends[0]?.at ?? 0);
  t.ok(overMs >= (count - 1) * handOverSpacingMs * 0.5, `over ${overMs} ms`);
  t.ok(linesOf(served.log()).some(({ msg, signal }) => /^stopping/.test(msg) && signal === 'SIGTERM'));
});

const health = '/grpc.health.v1.Health';
// HealthCheckResponse: SERVING, NOT_SERVING.
const [serving, notServing] = [Buffer.from([8, 1]), Buffer.from([8, 2])];

t.test('SIGTERM: grpc.health.v1 is NOT_SERVING with /readyz, before any stream ends', async (t) => {
  const { served, ends } = await start(t);
  const client = connectRaw(`127.0.0.1:${served.xds.port}`);
  t.teardown(() => client.close());
  const watch = client.stream(`${health}/Watch`);
  t.same(await watch.next(), serving);
  served.kill('SIGTERM');
  t.same(await watch.next(), notServing);
  t.equal(ends.length, 0, 'all streams are there');
  t.same(await client.unary(`${health}/Check`), notServing);
  t.equal((await get(served.admin, '/readyz')).status, 503);
  t.match(await served.exit, { code: 0 });
});

t.test('the control: without that it says SERVING while /readyz is 503', async (t) => {
  const off = { file: 'plane/connect.ts', from: 'xds.welcome(isWelcome)', to: 'undefined' };
  const { served, ends } = await start(t, off);
  const client = connectRaw(`127.0.0.1:${served.xds.port}`);
  t.teardown(() => client.close());
  t.same(await client.unary(`${health}/Check`), serving);
  served.kill('SIGTERM');
  await until('it is not ready', async () => (await get(served.admin, '/readyz')).status === 503);
  t.same(await client.unary(`${health}/Check`), serving);
  t.equal(ends.length, 0);
});

t.test('a second signal ends it at once', async (t) => {
  const { served } = await start(t);
  served.kill('SIGTERM');
  await until('it stops', () => served.log().includes('stopping'));
  served.kill('SIGINT');
  t.match(await served.exit, { code: 130, signal: null });
  t.match(linesOf(served.log()).at(-1), { msg: 'a second signal: ending at once' });
});

t.test('without proxies it ends without waiting', async (t) => {
  const served = await startServe();
  t.teardown(() => served.close());
  await served.ready();
  const at = clock.now();
  served.kill('SIGTERM');
  const exit = await served.exit;
  t.match(exit, { code: 0 });
  t.comment(`after ${Math.round(exit.at - at)} ms`);
});
