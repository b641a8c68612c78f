import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { sleep } from '../../../src/base/clock.ts';
import { type Call, type CallShape, callMs, callOf, longestOf } from '../../../src/drill/call/call.ts';
import { digestOf, payload } from '../../../src/drill/call/payload.ts';
import { type LoadPlan, runLoad } from '../../../src/drill/load/load.ts';
import { type Sample, succeeded } from '../../../src/drill/load/sample.ts';
import { machineClock } from '../../../src/drill/time.ts';
import { startUpstream } from '../../../src/drill/upstream/upstream.ts';
import { startGrpcUpstream } from '../../../src/drill/upstream/upstream-grpc.ts';
import { parseUpstreamLog } from '../../../src/drill/upstream/upstream-log.ts';
import { startTcpUpstream } from '../../../src/drill/upstream/upstream-tcp.ts';

const dir = t.testdir();
const file = (name: string) => join(dir, name);
const log = (name: string) => parseUpstreamLog(readFileSync(file(name), 'utf8'));

/**
 * Carries connections to a unix socket, and does to their bytes what `change` says; as a proxy would that is
 * broken.
 */
async function relay(
  t: Tap,
  socketPath: string,
  change: (bytes: Buffer, socket: Socket) => Buffer = (b) => b,
) {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ path: socketPath, allowHalfOpen: true });
    client.pipe(upstream);
    upstream.on('data', (bytes: Buffer) => client.write(change(bytes, client)));
    upstream.on('end', () => client.end());
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on('error', () => {});
      socket.on('close', () => other.destroy());
    }
  });
  return listening(t, server);
}

type Tap = { teardown(fn: () => unknown): unknown };

async function listening(t: Tap, server: Server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** Waits for what must come true; the test's time limit ends it. */
async function until(check: () => boolean) {
  while (!check()) await sleep(machineClock, 10);
}

async function run(mix: readonly CallShape[], target: { address: string; port: number }, change = {}) {
  const samples: Sample[] = [];
  const plan: LoadPlan = {
    stream: 'mix',
    startAtMs: machineClock.now(),
    durationMs: 400,
    ratePerSecond: 50,
    seed: 3,
    hosts: ['checkout.shop'],
    path: '/',
    mix,
    tiers: [[target]],
    timeoutMs: 3000,
    connectTimeoutMs: 500,
    ...change,
  };
  await runLoad(plan, machineClock, (sample) => samples.push(sample));
  return samples.sort((a, b) => a.due - b.due);
}

const bodies: CallShape = {
  name: 'PUT',
  kind: 'http',
  weight: 1,
  method: 'PUT',
  workMs: [0, 20],
  bodyBytes: [0, 400_000],
  answerBytes: [0, 400_000],
};

t.test('calls are drawn by seed and number, within their ranges, and small as often as large', async (t) => {
  const mix: CallShape[] = [
    { name: 'slow', kind: 'http', weight: 3, workMs: [1, 20_000] },
    {
      name: 'sse',
      kind: 'http',
      weight: 1,
      everyMs: 100,
      lastsMs: [1000, 2000],
      paced: 'answer',
      events: true,
    },
  ];
  const calls = Array.from({ length: 4000 }, (_, n) => callOf(mix, 1, n));
  t.same(callOf(mix, 1, 7), calls[7]);
  const slow = calls.filter(({ shape }) => shape === 'slow').map(({ workMs }) => workMs);
  t.ok(slow.length > 2800 && slow.length < 3200, `${slow.length} of 4000 by weight`);
  t.ok(Math.min(...slow) < 3 && Math.max(...slow) > 18_000 && Math.max(...slow) <= 20_000);
  const below = slow.filter((ms) => ms < 141).length / slow.length;
  t.ok(below > 0.45 && below < 0.55, `${below} below the geometric mean`);
  const events = calls.find(({ shape }) => shape === 'sse') as Call;
  t.ok(events.pieces >= 11 && events.pieces <= 21);
  t.equal(callMs(events), (events.pieces - 1) * 100);
  t.ok(calls.every((call) => callMs(call) <= longestOf(mix)));
});

t.test('a payload is the same for an id, and no part of it can be lost or swapped', async (t) => {
  const whole = Buffer.concat([...payload('a', 3_000_000)]);
  t.equal(whole.length, 3_000_000);
  t.equal(digestOf(payload('a', 3_000_000)), digestOf([whole]));
  t.same(Buffer.concat([...payload('a', 3_000_000, 7)]), whole, 'however it is cut');
  t.equal([...payload('a', 3_000_000, 7)].length, 7);
  const swapped = [whole.subarray(65_536, 131_072), whole.subarray(0, 65_536), whole.subarray(131_072)];
  t.not(digestOf(swapped), digestOf([whole]));
  t.not(digestOf(payload('b', 3_000_000)), digestOf([whole]));
});

t.test(
  'bodies go both ways, are checked at both ends, and each execution has a beginning and an end',
  async (t) => {
    const [socketPath, logFile] = [file('a.sock'), file('a.jsonl')];
    const server = await startUpstream({ instance: 'sh-a/checkout-1', idc: 'sh-a', socketPath, logFile });
    t.teardown(() => [server.closeAllConnections(), server.close()]);
    const chunked = { ...bodies, name: 'chunked', chunked: true } as const;
    const samples = await run([bodies, chunked], await relay(t, socketPath));
    t.equal(samples.filter(succeeded).length, 20, String(samples.find((s) => !succeeded(s))?.error));
    const entries = log('a.jsonl');
    t.same(entries.map(({ id }) => id).sort(), samples.map(({ id }) => id).sort());
    for (const { id, method, at, ended } of entries) {
      const call = callOf([bodies, chunked], 3, Number(id.split(':')[1]));
      t.match(ended, { answered: true, received: call.bodyBytes, sent: call.answerBytes });
      t.equal(method, 'PUT');
      t.ok((ended?.at ?? 0) - at >= call.workMs - 1, 'it worked for as long as it should');
    }
  },
);

t.test('a byte that is changed on its way, or lost, is noticed', async (t) => {
  const [socketPath, logFile] = [file('b.sock'), file('b.jsonl')];
  const server = await startUpstream({ instance: 'sh-a/checkout-1', idc: 'sh-a', socketPath, logFile });
  t.teardown(() => [server.closeAllConnections(), server.close()]);
  const big: CallShape = { ...bodies, answerBytes: [200_000, 400_000] };
  const flipped = await relay(t, socketPath, (bytes) => {
    if (bytes.length < 4000) return bytes;
    const changed = Buffer.from(bytes);
    changed[bytes.length - 1] = (changed[bytes.length - 1] as number) ^ 1;
    return changed;
  });
  const changed = await run([big], flipped, { durationMs: 100 });
  t.ok(
    changed.length > 0 && changed.every((s) => /the answer is .* it should be/.test(s.error)),
    String(changed[0]?.error),
  );
  const cutting = await relay(t, socketPath, (bytes, socket) => {
    if (bytes.length < 4000) return bytes;
    setImmediate(() => socket.destroy());
    return bytes.subarray(0, 4000);
  });
  const cut = await run([big], cutting, { durationMs: 100 });
  t.ok(cut.length > 0 && cut.every((s) => !succeeded(s)));
  t.ok(
    cut.every((s) => s.status === 200),
    'that its answer had begun is told',
  );
});

t.test('a slow request lasts as long as it says, and one that takes longer fails', async (t) => {
  const [socketPath, logFile] = [file('c.sock'), file('c.jsonl')];
  const server = await startUpstream({ instance: 'sh-a/checkout-1', idc: 'sh-a', socketPath, logFile });
  t.teardown(() => [server.closeAllConnections(), server.close()]);
  const slow: CallShape = { name: 'slow', kind: 'http', weight: 1, workMs: [300, 300] };
  const target = await relay(t, socketPath);
  const samples = await run([slow], target, { durationMs: 100, timeoutMs: 1000 });
  t.ok(samples.every((s) => succeeded(s) && s.end - s.sent >= 299));
  // Time that a request asks for itself is not held against it; time beyond is.
  const stalled = await relay(t, socketPath, (_, socket) => {
    socket.pause();
    return Buffer.alloc(0);
  });
  const late = await run([slow], stalled, { durationMs: 100, timeoutMs: 200 });
  t.match(late[0], { status: 0, error: 'no answer within 500 ms' });
});

t.test('work that was begun goes on when its client has gone, and is noted as not answered', async (t) => {
  const [socketPath, logFile] = [file('d.sock'), file('d.jsonl')];
  const server = await startUpstream({ instance: 'sh-a/checkout-1', idc: 'sh-a', socketPath, logFile });
  t.teardown(() => [server.closeAllConnections(), server.close()]);
  const slow: CallShape = { name: 'slow', kind: 'http', weight: 1, workMs: [400, 400] };
  const call = JSON.stringify(callOf([slow], 1, 1));
  const client = connect({ path: socketPath });
  client.write(`GET / HTTP/1.1\r\nhost: x\r\nx-drill-id: gone:1\r\nx-drill-call: ${call}\r\n\r\n`);
  await until(() => log('d.jsonl').length === 1);
  t.equal(log('d.jsonl')[0]?.ended, undefined, 'under way: begun, not ended');
  client.destroy();
  await until(() => log('d.jsonl')[0]?.ended !== undefined);
  const [entry] = log('d.jsonl');
  t.equal(entry?.ended?.answered, false);
  t.ok((entry?.ended?.at ?? 0) - (entry?.at ?? 0) >= 399);
});

const paced = { kind: 'http', weight: 1, everyMs: 30, lastsMs: [150, 150] } as const;

t.test('events, slow downloads and slow uploads come piece by piece', async (t) => {
  const [socketPath, logFile] = [file('e.sock'), file('e.jsonl')];
  const server = await startUpstream({ instance: 'sh-a/checkout-1', idc: 'sh-a', socketPath, logFile });
  t.teardown(() => [server.closeAllConnections(), server.close()]);
  const target = await relay(t, socketPath);
  const mix: CallShape[] = [
    { ...paced, name: 'events', paced: 'answer', events: true },
    { ...paced, name: 'download', paced: 'answer', answerBytes: [1000, 100_000] },
    { ...paced, name: 'upload', method: 'POST', paced: 'body', bodyBytes: [1000, 100_000], chunked: true },
  ];
  const samples = await run(mix, target);
  t.equal(samples.filter(succeeded).length, 20, String(samples.find((s) => !succeeded(s))?.error));
  for (const { id, end, sent, gapMs } of samples) {
    t.ok(end - sent >= 148, 'it lasted');
    if (callOf(mix, 3, Number(id.split(':')[1])).paced === 'answer')
      t.ok((gapMs ?? 0) >= 20, 'its pace was measured');
  }
});

t.test('a websocket speaks with any client, and its caller with any server', async (t) => {
  const [socketPath, logFile] = [file('f.sock'), file('f.jsonl')];
  const server = await startUpstream({ instance: 'sh-a/checkout-1', idc: 'sh-a', socketPath, logFile });
  t.teardown(() => [server.closeAllConnections(), server.close()]);
  const target = await relay(t, socketPath);
  const shape: CallShape = {
    name: 'websocket',
    kind: 'websocket',
    weight: 1,
    everyMs: 40,
    lastsMs: [120, 120],
  };
  const samples = await run([shape], target);
  t.equal(samples.filter(succeeded).length, 20, String(samples.find((s) => !succeeded(s))?.error));
  t.ok(samples.every(({ instance, gapMs = 0 }) => instance === 'sh-a/checkout-1' && gapMs >= 30));
  await until(() => log('f.jsonl').every(({ ended }) => ended?.answered));

  // Node's own client, which is no part of this project, is served as well.
  const socket = new WebSocket(`ws://127.0.0.1:${target.port}/`);
  const echoed = new Promise((resolve) => socket.addEventListener('message', ({ data }) => resolve(data)));
  await once(socket, 'open');
  socket.send('x'.repeat(1000));
  t.equal(await echoed, 'x'.repeat(1000));
  const closed = once(socket, 'close') as Promise<[CloseEvent]>;
  socket.close(1000);
  t.match((await closed)[0], { code: 1000, wasClean: true });

  const cutting = await relay(t, socketPath, (bytes, to) => {
    if (bytes[0] === 0x81) setImmediate(() => to.destroy());
    return bytes;
  });
  const cut = await run([shape], cutting, { durationMs: 100 });
  t.ok(
    cut.every((s) => s.error !== '' && s.status === 101),
    'one that is cut is told, and that it had been open',
  );
});

t.test('a websocket that is refused has failed with the status', async (t) => {
  const server = createHttpServer((_, response) => response.writeHead(503).end('no'));
  server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno'));
  const target = await listening(t, server);
  const [sample] = await run(
    [{ name: 'websocket', kind: 'websocket', weight: 1, everyMs: 40, lastsMs: [80, 80] }],
    target,
    { durationMs: 40 },
  );
  t.match(sample, { status: 503, error: 'status 503: no' });
});

const tcp = {
  kind: 'tcp',
  weight: 1,
  workMs: [0, 10],
  bodyBytes: [0, 300_000],
  answerBytes: [0, 300_000],
} as const;
const tcpMix: CallShape[] = [
  { ...tcp, name: 'server first' },
  { ...tcp, name: 'client first', closes: 'client' },
  { name: 'session', kind: 'tcp-session', weight: 1, everyMs: 30, lastsMs: [90, 90] },
];

t.test('TCP: both orders of closing, and sessions, to the last byte', async (t) => {
  const logFile = file('g.jsonl');
  const options = { instance: 'sh-a/ledger-1', idc: 'sh-a', socketPath: '', logFile };
  const server = await startTcpUpstream(options);
  t.teardown(() => server.close());
  const target = { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const samples = await run(tcpMix, target);
  t.equal(samples.filter(succeeded).length, 20, String(samples.find((s) => !succeeded(s))?.error));
  t.ok(samples.every(({ instance }) => instance === 'sh-a/ledger-1'));
  await until(() => log('g.jsonl').every(({ method, ended }) => method === 'TCP' && ended?.answered));

  // A relay that loses the tail when the server closes first, with a FIN as if nothing had been.
  const losing = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ ...target, host: target.address, allowHalfOpen: true });
    client.pipe(upstream);
    upstream.on('data', (bytes: Buffer) => client.write(bytes.subarray(0, Math.max(0, bytes.length - 6))));
    upstream.on('end', () => client.end());
    for (const socket of [client, upstream]) socket.on('error', () => {});
  });
  const lost = await run(tcpMix.slice(0, 2), await listening(t, losing), { durationMs: 100 });
  t.ok(lost.length > 0 && lost.every((s) => !succeeded(s)), 'a lost tail is noticed');
});

t.test('gRPC: calls, streams and chats, by the library’s own client', async (t) => {
  const [socketPath, logFile] = [file('h.sock'), file('h.jsonl')];
  const server = await startGrpcUpstream({ instance: 'sh-a/quote-1', idc: 'sh-a', socketPath, logFile });
  t.teardown(() => server.forceShutdown());
  const target = await relay(t, socketPath);
  const mix: CallShape[] = [
    {
      name: 'gRPC',
      kind: 'grpc',
      weight: 1,
      workMs: [0, 20],
      bodyBytes: [0, 300_000],
      answerBytes: [0, 300_000],
    },
    { name: 'gRPC stream', kind: 'grpc-stream', weight: 1, everyMs: 30, lastsMs: [90, 90] },
    { name: 'gRPC chat', kind: 'grpc-chat', weight: 1, everyMs: 30, lastsMs: [90, 90] },
  ];
  const samples = await run(mix, target);
  t.equal(samples.filter(succeeded).length, 20, String(samples.find((s) => !succeeded(s))?.error));
  t.ok(samples.every(({ instance }) => instance === 'sh-a/quote-1'));
  const entries = log('h.jsonl');
  t.equal(entries.length, 20);
  t.ok(entries.every(({ ended }) => ended?.answered));
});
