import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { identifyProxy, readProxy } from '../../src/cli/envoys/proxy-reader.ts';
import { callHttp } from '../../src/client/answers/http-call.ts';
import { createApiClient } from '../../src/client/api-client.ts';

t.test('an endless response is given up, and not buffered', async (t) => {
  let sent = 0;
  const server = createServer((_, response) => {
    const part = 'x'.repeat(2 ** 20);
    const go = () => {
      do sent += part.length;
      while (!response.destroyed && response.write(part));
    };
    response.on('drain', go);
    go();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = createApiClient({ admin: { address: '127.0.0.1', port }, token: undefined });
  await t.rejects(client.call('replicate', { timeoutMs: 10_000 }), {
    code: 'unavailable',
    message: /does not answer/,
  });
  t.ok(sent > 64 * 2 ** 20 && sent < 80 * 2 ** 20, `${sent / 2 ** 20} MiB were sent`);
  await client.close();
  server.closeAllConnections();
  server.close();
});

t.test('a response that trickles in is given up', async (t) => {
  const server = createServer((_, response) => {
    const timer = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const admin = { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const fault = { code: 'unavailable', message: /does not answer: its answer is incomplete after 0.9 s/ };
  await t.rejects(identifyProxy(admin, 300), fault);
  await t.rejects(readProxy(admin, 300), fault);
  await t.rejects(callHttp({ at: admin, path: '/', silenceMsMax: 300 }), /incomplete after 0.9 s/);
  const client = createApiClient({ admin, token: undefined });
  t.teardown(() => client.close());
  await t.rejects(client.call('listEvacuations', { timeoutMs: 300 }), fault);
  const short = { ...fault, message: /its answer is incomplete after 0.3 s/ };
  await t.rejects(
    client.call('renewEvacuation', { path: { name: 'e' }, query: { for: '1s' }, timeoutMs: 300 }),
    short,
  );
  // The control: with time enough for it, that is what it is waited for.
  const begun = performance.now();
  await t.rejects(callHttp({ at: admin, path: '/', silenceMsMax: 300, wholeMsMax: 2_000 }), /after 2 s/);
  t.ok(performance.now() - begun > 1_900, 'no silence of 0.3 s ended it');
});

t.test('an address that is not an Envoy is reported as such', async (t) => {
  const server = createServer((_, response) => response.end('null'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const admin = { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const fault = { code: 'unavailable', message: /its answer is not a JSON object/ };
  await t.rejects(identifyProxy(admin, 1_000), fault);
  await t.rejects(readProxy(admin, 1_000), fault);
});
