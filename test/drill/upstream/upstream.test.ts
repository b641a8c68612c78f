import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { credentials, Metadata, makeGenericClientConstructor } from '@grpc/grpc-js';
import t from 'tap';
import { startUpstream } from '../../../src/drill/upstream/upstream.ts';
import { echoService, startGrpcUpstream } from '../../../src/drill/upstream/upstream-grpc.ts';
import { parseUpstreamLog, type UpstreamEntry } from '../../../src/drill/upstream/upstream-log.ts';

const dir = t.testdir();

function ask(socketPath: string, path: string, options: { headers?: object } = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>(
    (resolve, reject) => {
      const headers = { host: 'checkout.shop', 'x-drill-id': 'test:1', ...options.headers };
      const sent = request({ socketPath, path, headers }, (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      });
      sent.on('error', reject);
      sent.end();
    },
  );
}

function entries(file: string): UpstreamEntry[] {
  return parseUpstreamLog(readFileSync(file, 'utf8'));
}

t.test('an HTTP instance says who it is and writes down each request before it answers', async (t) => {
  const [socketPath, logFile] = [join(dir, 'a.sock'), join(dir, 'a.jsonl')];
  const server = await startUpstream({ instance: 'sh-a/checkout-1', idc: 'sh-a', socketPath, logFile });
  t.teardown(() => server.close());
  const first = await ask(socketPath, '/?x=1');
  t.match(first, { status: 200, headers: { 'x-drill-instance': 'sh-a/checkout-1', 'x-drill-idc': 'sh-a' } });
  t.same(JSON.parse(first.body), { id: 'test:1', instance: 'sh-a/checkout-1', idc: 'sh-a' });
  t.match(entries(logFile), [{ id: 'test:1', method: 'GET', path: '/', leaked: [] }]);

  await ask(socketPath, '/', { headers: { 'x-isthmus-trail': 'sh-b' } });
  t.same(entries(logFile)[1]?.leaked, ['x-isthmus-trail']);
  t.match(await ask(socketPath, '/healthz'), { status: 200 });
  t.match(await ask(socketPath, '/nowhere'), { status: 404 });
});

t.test('it starts again where a killed one left its socket', async (t) => {
  const options = {
    instance: 'i',
    idc: 'sh-a',
    socketPath: join(dir, 'b.sock'),
    logFile: join(dir, 'b.jsonl'),
  };
  const first = await startUpstream(options);
  const second = await startUpstream(options);
  t.teardown(() => [first.close(), second.close()]);
  t.match(await ask(options.socketPath, '/'), { status: 200 });
});

t.test('a gRPC instance echoes, and streams', async (t) => {
  const [socketPath, logFile] = [join(dir, 'g.sock'), join(dir, 'g.jsonl')];
  const server = await startGrpcUpstream({ instance: 'sh-a/echo-1', idc: 'sh-a', socketPath, logFile });
  t.teardown(() => server.forceShutdown());
  const Client = makeGenericClientConstructor(echoService, 'drill.Echo');
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const metadata = new Metadata();
  metadata.set('x-drill-id', 'grpc:1');
  metadata.set('x-drill-count', '2');
  const said = await new Promise((resolve, reject) => {
    client.Say?.(Buffer.from('hello'), metadata, (error: unknown, value: Buffer) =>
      error ? reject(error) : resolve(String(value)),
    );
  });
  t.equal(said, 'hello');
  const seen: string[] = [];
  await new Promise((resolve, reject) => {
    const call = client.Watch?.(Buffer.from('tick'), metadata);
    call?.on('data', (value: Buffer) => seen.push(String(value)));
    call?.on('error', reject);
    call?.on('end', resolve);
  });
  t.same(seen, ['tick', 'tick']);
  t.match(entries(logFile), [
    { id: 'grpc:1', path: '/drill.Echo/Say' },
    { id: 'grpc:1', path: '/drill.Echo/Watch' },
  ]);
});
