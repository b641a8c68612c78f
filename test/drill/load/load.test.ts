import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import t from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { type LoadPlan, runLoad } from '../../../src/drill/load/load.ts';
import { createTargetPicker } from '../../../src/drill/load/load-target.ts';
import { latencyMs, type Sample, succeeded } from '../../../src/drill/load/sample.ts';
import { machineClock } from '../../../src/drill/time.ts';

async function listen(
  server: { listen(port: number, host: string): unknown } & NodeJS.EventEmitter & { address(): unknown },
) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { address: '127.0.0.1', port: (server.address() as { port: number }).port };
}

function instance(name: string, before: () => number = () => 0): Server {
  return createServer((request, response) => {
    const id = request.headers['x-drill-id'];
    const body = JSON.stringify({ id, instance: name });
    systemClock.after(before(), () => {
      response.writeHead(200, { 'x-drill-instance': name, 'x-drill-idc': name.split('/')[0] });
      response.end(body);
    });
  });
}

const base: Omit<LoadPlan, 'tiers' | 'startAtMs'> = {
  stream: 'test',
  durationMs: 500,
  ratePerSecond: 200,
  seed: 1,
  hosts: ['checkout.shop'],
  path: '/',
  timeoutMs: 3000,
  connectTimeoutMs: 300,
};

async function run(plan: LoadPlan): Promise<Sample[]> {
  const samples: Sample[] = [];
  await runLoad(plan, machineClock, (sample) => samples.push(sample));
  return samples.sort((a, b) => a.due - b.due);
}

t.test('each request is sent once and names who served it', async (t) => {
  const seen: string[] = [];
  const server = instance('sh-a/one');
  server.prependListener('request', (request) =>
    seen.push(String(request.headers['x-drill-id']), String(request.headers.host)),
  );
  const target = await listen(server);
  t.teardown(() => server.close());
  const samples = await run({ ...base, startAtMs: machineClock.now(), tiers: [[target]] });
  t.equal(samples.length, 100);
  t.ok(samples.every(succeeded));
  t.ok(samples.every((s) => s.idc === 'sh-a' && s.instance === 'sh-a/one' && s.connectedAt > 0));
  t.equal(new Set(samples.map((s) => s.id)).size, 100);
  t.same(seen.filter((_, i) => i % 2 === 0).sort(), samples.map((s) => s.id).sort());
  t.ok(seen.filter((_, i) => i % 2 === 1).every((host) => host === 'checkout.shop'));
});

t.test(
  'open loop: a server that stalls delays no later request, and lateness counts from when each was due',
  async (t) => {
    const startAtMs = machineClock.now();
    // Nobody is answered before all have asked. A closed loop would wait for answers first, and time out.
    const waiting: (() => void)[] = [];
    let releasedAt = 0;
    const server = createServer((request, response) => {
      const body = JSON.stringify({ id: request.headers['x-drill-id'], instance: 'sh-a/stalled' });
      waiting.push(() => {
        response.writeHead(200, { 'x-drill-instance': 'sh-a/stalled', 'x-drill-idc': 'sh-a' });
        response.end(body);
      });
      if (waiting.length < 100) return;
      releasedAt = machineClock.now();
      for (const answer of waiting) answer();
    });
    const target = await listen(server);
    t.teardown(() => server.close());
    const samples = await run({ ...base, timeoutMs: 20_000, startAtMs, tiers: [[target]] });
    t.equal(samples.filter(succeeded).length, 100, 'all were open at once');
    for (const sample of samples) {
      const fromDue = releasedAt - sample.due;
      if (latencyMs(sample) < fromDue - 2)
        t.fail(`${sample.id} took ${latencyMs(sample)}, was due ${fromDue} before`);
    }
    const first = samples[0] as Sample;
    t.ok(latencyMs(first) > 300, `the first waited for the last: ${latencyMs(first)} ms`);
  },
);

t.test('a client that cannot keep up counts its own delay too', async (t) => {
  const server = instance('sh-a/one');
  const target = await listen(server);
  t.teardown(() => server.close());
  const startAtMs = machineClock.now();
  const running = run({ ...base, startAtMs, tiers: [[target]] });
  // Blocks the client's own event loop.
  const until = machineClock.now() + 250;
  while (machineClock.now() < until);
  const samples = await running;
  const early = samples.filter((s) => s.due < startAtMs + 50);
  t.ok(early.length > 0 && early.every((s) => latencyMs(s) > 190), 'due early, sent after 250 ms');
});

t.test('a request that was written is never sent again', async (t) => {
  let seen = 0;
  const server = createServer((request) => {
    seen += 1;
    request.socket.destroy();
  });
  const target = await listen(server);
  const other = instance('sh-b/other');
  const second = await listen(other);
  t.teardown(() => [server.close(), other.close()]);
  const samples = await run({
    ...base,
    ratePerSecond: 100,
    startAtMs: machineClock.now(),
    tiers: [[target], [second]],
  });
  t.equal(samples.filter(succeeded).length, 0);
  t.equal(seen, samples.length);
});

t.test('a refused connection goes to the next tier: nothing was written', async (t) => {
  const gone = createTcpServer();
  const refused = await listen(gone);
  gone.close();
  await once(gone, 'close');
  const server = instance('sh-b/other');
  const target = await listen(server);
  t.teardown(() => server.close());
  const samples = await run({ ...base, startAtMs: machineClock.now(), tiers: [[refused], [target]] });
  t.ok(samples.every((s) => succeeded(s) && s.idc === 'sh-b' && s.target.endsWith(`:${target.port}`)));
});

t.test('no answer in time, another status and another id are failures', async (t) => {
  const answers: Record<string, (id: string) => [number, string] | undefined> = {
    silent: () => undefined,
    sick: (id) => [503, JSON.stringify({ id })],
    mixed: () => [200, JSON.stringify({ id: 'someone-else:1' })],
  };
  for (const [name, answer] of Object.entries(answers)) {
    const server = createServer((request, response) => {
      const made = answer(String(request.headers['x-drill-id']));
      if (!made) return;
      response.writeHead(made[0]).end(made[1]);
    });
    const target = await listen(server);
    t.teardown(() => server.closeAllConnections());
    t.teardown(() => server.close());
    const plan = {
      ...base,
      durationMs: 100,
      timeoutMs: 300,
      startAtMs: machineClock.now(),
      tiers: [[target]],
    };
    const samples = await run(plan);
    t.equal(samples.length, 20, name);
    t.ok(
      samples.every((s) => !succeeded(s) && s.error !== ''),
      name,
    );
  }
});

t.test('addresses go by turn inside a tier; one that refused is put last for a while', async (t) => {
  const [a1, a2, b1] = [1, 2, 3].map((port) => ({ address: 'x', port })) as [never, never, never];
  const picker = createTargetPicker([[a1, a2], [b1]], 500);
  t.same(picker.order(0), [a1, a2, b1]);
  t.same(picker.order(0), [a2, a1, b1]);
  picker.refused(a1, 0);
  t.same(picker.order(100), [a2, b1, a1]);
  t.same(picker.order(100), [a2, b1, a1]);
  t.same(picker.order(501), [a1, a2, b1]);
});
