import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { CallShape } from '../../../src/drill/call/call.ts';
import { runLoad } from '../../../src/drill/load/load.ts';
import { type Sample, succeeded } from '../../../src/drill/load/sample.ts';
import { machineClock } from '../../../src/drill/time.ts';
import { startUpstream } from '../../../src/drill/upstream/upstream.ts';
import { parseUpstreamLog } from '../../../src/drill/upstream/upstream-log.ts';

// The HTTP/2 client of the drills, against an instance behind a server that hands requests on, and now and
// then does harm.

const dir = t.testdir();
const [socketPath, logFile] = [join(dir, 'app.sock'), join(dir, 'app.log')];
const app = await startUpstream({ instance: 'sh-a/checkout-1', idc: 'sh-a', socketPath, logFile });
t.teardown(() => {
  app.close();
  app.closeAllConnections();
});
const executed = (stream: string) =>
  parseUpstreamLog(readFileSync(logFile, 'utf8')).filter(({ id }) => id.startsWith(`${stream}:`));

/** What is done with the n-th request, instead of handing it on as it is. */
type Harm = (n: number, stream: ServerHttp2Stream) => 'cut' | 'change' | undefined;

async function front(harm: Harm = () => undefined) {
  let [sessions, n] = [0, 0];
  const server = createServer();
  server.on('session', () => {
    sessions += 1;
  });
  server.on('stream', (stream, { ':method': method = 'GET', ':path': path, ...fields }) => {
    const what = harm(n++, stream);
    stream.on('error', () => {});
    if (stream.destroyed || stream.session?.destroyed) return;
    const headers = Object.fromEntries(Object.entries(fields).filter(([name]) => !name.startsWith(':')));
    const inner = request({ socketPath, method, path: String(path), headers }, (answer) => {
      if (stream.destroyed) return;
      const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...rest } = answer.headers;
      stream.respond({ ':status': answer.statusCode ?? 0, ...rest });
      if (what === 'cut') {
        answer.once('data', (piece) => stream.write(piece, () => stream.close(2)));
      } else if (what === 'change') {
        answer.on('data', (piece: Buffer) => stream.write(Buffer.alloc(piece.length)));
        answer.on('end', () => stream.end());
      } else answer.pipe(stream);
    });
    inner.on('error', () => {});
    stream.pipe(inner);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const at = { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
  return { at, sessions: () => sessions };
}

const shape: CallShape = {
  name: 'PUT, HTTP/2',
  kind: 'http2',
  weight: 1,
  method: 'PUT',
  workMs: [0, 50],
  bodyBytes: [0, 200_000],
  answerBytes: [1000, 200_000],
};

async function run(stream: string, tiers: readonly (readonly { address: string; port: number }[])[]) {
  const samples: Sample[] = [];
  const times = { startAtMs: machineClock.now(), durationMs: 600, timeoutMs: 5_000, connectTimeoutMs: 1_000 };
  const what = { ratePerSecond: 40, seed: 5, hosts: ['checkout.shop'], path: '/', mix: [shape] };
  await runLoad({ stream, ...times, ...what, tiers }, machineClock, (sample) => samples.push(sample));
  return samples;
}

t.test('each request is made once, on one connection, and its bytes are looked at both ways', async (t) => {
  const server = await front();
  const samples = await run('good', [[server.at]]);
  t.ok(samples.length > 10);
  t.strictSame(
    samples.filter((sample) => !succeeded(sample)).map(({ error }) => error),
    [],
  );
  t.ok(samples.every(({ instance, connectedAt }) => instance === 'sh-a/checkout-1' && connectedAt > 0));
  t.equal(server.sessions(), 1);
  t.strictSame(
    executed('good')
      .map(({ id }) => id)
      .sort(),
    samples.map(({ id }) => id).sort(),
  );
});

t.test('an answer that is cut, or another, is a failure', async (t) => {
  const server = await front((n) => (n % 3 === 0 ? 'cut' : n % 3 === 1 ? 'change' : undefined));
  const samples = await run('bad', [[server.at]]);
  const errors = samples.filter((sample) => !succeeded(sample)).map(({ error }) => error);
  t.ok(errors.some((error) => /^the answer is \d+:/.test(error)));
  t.ok(errors.some((error) => /cut|NGHTTP2/.test(error)));
  t.ok(errors.length >= samples.length / 3 && errors.length < samples.length, `${errors.length} failed`);
});

t.test('a connection that breaks takes what is under way with it, and nothing is sent twice', async (t) => {
  const server = await front((n, stream) => {
    if (n === 5) stream.session?.destroy();
    return undefined;
  });
  const samples = await run('broken', [[server.at]]);
  const failed = samples.filter((sample) => !succeeded(sample));
  t.ok(failed.length >= 1 && failed.length < samples.length / 2, `${failed.length} failed`);
  t.ok(failed.every(({ connectedAt }) => connectedAt > 0));
  t.equal(server.sessions(), 2);
  const ids = executed('broken').map(({ id }) => id);
  t.equal(new Set(ids).size, ids.length);
});

t.test('another address is tried while there is no connection', async (t) => {
  const gone = createTcpServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const closed = { address: '127.0.0.1', port: (gone.address() as AddressInfo).port };
  await new Promise((resolve) => gone.close(resolve));
  const server = await front();
  const samples = await run('second', [[closed], [server.at]]);
  t.ok(samples.every(succeeded));
  const none = await run('none', [[closed]]);
  t.ok(none.length > 0 && none.every(({ status, connectedAt }) => status === 0 && connectedAt === 0));
});
