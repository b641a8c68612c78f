import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { probeTarget } from '../../../src/delivery/reach/probe-target.ts';
import { ReachWatch, reachWatch } from '../../../src/delivery/reach/reach-watch.ts';
import { addressName, type ProbeRequest, type ProbeTarget, type Reach } from '../../../src/model/reach.ts';
import { type ListenAddress, showAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress, until } from '../../support/mesh.ts';

const http2: ProbeRequest = { kind: 'http2' };
const times = { connectMs: 500, answerMs: 500 };

/** Something that accepts connections, or does not; what it does with them. */
async function listener(t: Test, serve = (socket: Socket): void => void socket.destroy()) {
  const at = await freeAddress();
  let server: Server | undefined;
  const open = new Set<Socket>();
  const down = () =>
    new Promise<void>((resolve) => {
      for (const socket of open) socket.destroy();
      if (server?.listening) server.close(() => resolve());
      else resolve();
    });
  t.teardown(down);
  return {
    at,
    up: () =>
      new Promise<void>((resolve) => {
        server = createServer((socket) => {
          open.add(socket.on('error', () => {}));
          serve(socket);
        }).listen(at.port, at.address, resolve);
      }),
    down,
  };
}

function watch(t: Test, watched: () => readonly ProbeTarget[]): Reach[] {
  const told: Reach[] = [];
  const made = new ReachWatch({
    ...{ clock: systemClock, events: { note() {} }, targets: watched },
    onChange: (found) => told.push(found),
  });
  t.teardown(() => made.close());
  return told;
}

t.test('an endpoint that accepts no connection is reported, and when it does again', async (t) => {
  const [a, b] = [await listener(t), await listener(t)];
  await Promise.all([a.up(), b.up()]);
  let watched = [a.at, b.at];
  const told = watch(t, () => watched);
  await a.down();
  await until('its death is told', () => told.length === 1);
  t.strictSame(told, [{ unreached: new Set([addressName(a.at)]), silent: new Set() }]);
  await a.up();
  await until('its return is told', () => told.length === 2);
  t.strictSame(told.at(-1), { unreached: new Set(), silent: new Set() });
  await a.down();
  await until('its death is told again', () => told.length === 3);
  watched = [b.at];
  await until('what nobody asks for any more is not dead', () => told.length === 4);
  t.strictSame(told.at(-1)?.unreached, new Set());
});

t.test('its event names a gateway by its place', async (t) => {
  const [gateway, instance] = [await listener(t), await listener(t)];
  await Promise.all([gateway.up(), instance.up()]);
  const events: unknown[] = [];
  const made = new ReachWatch({
    ...{ clock: systemClock, events: { note: (event) => void events.push(event) } },
    ...{ targets: () => [gateway.at, instance.at], onChange() {} },
    gatewayAt: (name) => (name === addressName(gateway.at) ? 'sh-a/egress-1' : undefined),
  });
  t.teardown(() => made.close());
  // Who has never answered is not told at once.
  await sleep(2 * reachWatch.everyMs);
  await gateway.down();
  await until('it is told', () => events.length === 1, 60_000);
  const at = showAddress(gateway.at);
  t.match(events, [{ kind: 'reach', phase: 'refuse', targets: [at], gateways: { [at]: 'sh-a/egress-1' } }]);
  await instance.down();
  await until('an instance is told, too', () => events.length === 2, 60_000);
  t.notOk(Object.hasOwn(events[1] as object, 'gateways'), 'by its address alone');
});

/** A server in a process of its own, over HTTP/1.1 or HTTP/2, that can be stopped. */
async function server(
  t: Test,
  module: 'http' | 'http2',
): Promise<{ child: ChildProcess; at: ListenAddress }> {
  const code = `require('node:${module}').createServer((_, response) => response.end())
    .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [port] = await once(child.stdout, 'data');
  return { child, at: { address: '127.0.0.1', port: Number(port) } };
}

for (const [module, say] of [
  ['http2', http2],
  ['http', { kind: 'get', host: 'a.example', path: '/up' }],
] as const) {
  t.test(`a process that is stopped while its kernel accepts, ${module}`, async (t) => {
    const { child, at } = await server(t, module);
    const name = addressName(at);
    const told = watch(t, () => [{ ...at, request: say }]);
    t.equal(await probeTarget({ ...at, request: say }, times, systemClock), 'answers');
    child.kill('SIGSTOP');
    const from = systemClock.now();
    await until('it is told', () => told.length === 1);
    t.comment(`after ${Math.round(systemClock.now() - from)} ms`);
    t.strictSame(told, [{ unreached: new Set([name]), silent: new Set([name]) }]);
    t.equal(await probeTarget(at, times, systemClock), 'answers', 'negative control: where nothing is said');
    child.kill('SIGCONT');
    await until('so is that it goes on', () => told.length === 2);
    t.strictSame(told.at(-1), { unreached: new Set(), silent: new Set() });
    child.kill('SIGSTOP');
    await until('silent again', () => told.length === 3);
    child.kill('SIGKILL');
    await until('dead now', () => told.at(-1)?.silent.size === 0 && told.at(-1)?.unreached.size === 1);
  });
}

t.test('any byte is a response, and so is a close', async (t) => {
  const ways = {
    answers: [(socket: Socket) => void socket.write('SSH-2.0-x\r\n'), (socket: Socket) => void socket.end()],
    // A kernel does that for a process that has died.
    refused: [(socket: Socket) => void socket.once('data', () => socket.resetAndDestroy())],
  };
  for (const [what, serve] of Object.entries(ways).flatMap(([found, all]) =>
    all.map((one) => [found, one] as const),
  )) {
    const { at, up, down } = await listener(t, serve);
    await up();
    t.equal(await probeTarget({ ...at, request: http2 }, times, systemClock), what);
    await down();
  }
  const { at, up } = await listener(t, () => {});
  t.equal(await probeTarget({ ...at, request: http2 }, times, systemClock), 'refused');
  await up();
  t.equal(await probeTarget({ ...at, request: http2 }, times, systemClock), 'silent');
});

t.test('a suspended process does not take the peer for silent', async (t) => {
  const { at } = await server(t, 'http2');
  const asked = probeTarget({ ...at, request: http2 }, { connectMs: 500, answerMs: 200 }, systemClock);
  // The connection opens, the word is written; then this process does nothing, while the answer comes.
  await new Promise((resolve) => setTimeout(resolve, 30));
  const until = systemClock.now() + 600;
  while (systemClock.now() < until);
  t.equal(await asked, 'answers');
});

t.test('an endpoint that never answered is logged after its start time; any other at once', async (t) => {
  const [never, once] = [await listener(t), await listener(t)];
  await once.up();
  let aheadMs = 0;
  const clock = {
    ...systemClock,
    now: () => systemClock.now() + aheadMs,
    after: systemClock.after.bind(systemClock),
  };
  const logged: string[] = [];
  const note = (event: object) => void logged.push(JSON.stringify(event));
  const told: Reach[] = [];
  const made = new ReachWatch({
    ...{ clock, events: { note }, targets: () => [never.at, once.at] },
    onChange: (found) => told.push(found),
  });
  t.teardown(() => made.close());
  await until('it counts as dead', () => told.at(-1)?.unreached.has(addressName(never.at)) === true);
  t.strictSame(logged, [], 'and nobody is told');
  await once.down();
  await until('one that answered is told', () => logged.length === 1);
  t.match(logged[0], new RegExp(`"refuse".*"${showAddress(once.at)}"`));
  t.notMatch(logged[0], showAddress(never.at));
  aheadMs = reachWatch.startMs;
  await until('so is the other, after its time', () => logged.length === 2);
  t.match(logged[1], new RegExp(`"refuse".*"${showAddress(never.at)}"`));
  await Promise.all([never.up(), once.up()]);
  await until(
    'both are back',
    () => logged.join().match(/"back"/g)?.length !== undefined && told.at(-1)?.unreached.size === 0,
  );
});
