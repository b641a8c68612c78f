import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { createRawApp } from '../support/apps/raw-app.ts';
import { rawExchange } from '../support/clients/raw-http.ts';
import { startEdge } from '../support/envoys/edge.ts';

// Each switch of `spec.edge` against a real edge: what it does, and beside it the default.
const app = createRawApp(({ line, headers }, socket) => {
  const body = JSON.stringify({
    path: line.split(' ')[1],
    names: headers.map((header) => header.split(':')[0]),
  });
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
});
await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
t.teardown(() => app.close());
const at: ListenAddress = { address: '127.0.0.1', port: (app.address() as AddressInfo).port };

/** A GET: the path that the application saw, else the status. */
async function ask(to: ListenAddress, path: string, headers: readonly string[] = [], version = '1.1') {
  const lines = [`GET ${path} HTTP/${version}`, 'Host: one.test', ...headers, 'Connection: close', '', ''];
  const answer = await rawExchange(to, lines.join('\r\n'));
  return answer.status === 200 ? JSON.parse(answer.rest) : answer;
}

/** The path that the application saw, else the status and where to. */
async function pathOf(to: ListenAddress, path: string): Promise<string | number> {
  const seen = await ask(to, path);
  if (seen.path !== undefined) return seen.path;
  const location = seen.head.find((line: string) => line.startsWith('location: '));
  return location === undefined ? seen.status : `${seen.status} ${location.slice(10)}`;
}

const lines = (count: number) => Array.from({ length: count }, (_, i) => `x-${i}: v`);

t.test('by default', async (t) => {
  const { edge } = await startEdge(t, at, '{}');
  for (const path of ['/a%2Fb%5Cc', '/a//b', '/a/../%41|%00']) t.equal(await pathOf(edge, path), path);
  t.match((await ask(edge, '/', ['user_id: 7'])).names, ['host', 'user_id']);
  const { names } = await ask(edge, '/', ['x-isthmus-app: http1', 'x-envoy-max-retries: 9']);
  t.notMatch(names.join(), /x-isthmus-app|x-envoy-max-retries/, 'what a proxy would be told');
  t.equal(await pathOf(edge, '/'), '/');
  t.equal((await ask(edge, '/', [], '1.0')).path, '/');
  t.equal((await ask(edge, '/', lines(150))).path, '/');
  t.equal((await ask(edge, '/', lines(201))).status, 431);
  t.equal((await ask(edge, '/', [`x: ${'v'.repeat(59_000)}`])).path, '/');
  t.equal((await ask(edge, '/', [`x: ${'v'.repeat(62_000)}`])).status, 431);
});

for (const [action, expected] of [
  ['reject', 400],
  ['unescape', '/a/b\\c'],
  ['redirect', '307 /a/b\\c'],
] as const) {
  t.test(`escapedSlashes: ${action}`, async (t) => {
    const { edge } = await startEdge(t, at, `{escapedSlashes: ${action}}`);
    t.equal(await pathOf(edge, '/a%2Fb%5Cc'), expected);
    t.equal(await pathOf(edge, '/a//b/../c'), '/a//b/../c', 'and nothing else');
  });
}

t.test('mergeSlashes and normalizePath', async (t) => {
  const merge = await startEdge(t, at, '{mergeSlashes: true}');
  t.equal(await pathOf(merge.edge, '/a//b///c%2F/../d'), '/a/b/c%2F/../d');
  const normalize = await startEdge(t, at, '{normalizePath: true}');
  t.equal(await pathOf(normalize.edge, '/a//b/../%41%2F'), '/a//A%2F');
});

t.test('underscores', async (t) => {
  const reject = await startEdge(t, at, '{underscores: reject}');
  t.equal((await ask(reject.edge, '/', ['user_id: 7'])).status, 400);
  const session = connect(`http://${reject.edge.address}:${reject.edge.port}`);
  t.teardown(async () => session.destroy());
  const over2 = (headers: Record<string, string>) =>
    new Promise((resolve) => {
      const stream = session.request({ ':path': '/', ':authority': 'one.test', ...headers });
      stream.on('response', (answer) => resolve(answer[':status']));
      stream.on('error', () => resolve('reset'));
      stream.resume();
    });
  t.equal(await over2({ user_id: '7' }), 'reset');
  t.equal(await over2({}), 200, 'and the connection goes on');
  const drop = await startEdge(t, at, '{underscores: drop}');
  const { names } = await ask(drop.edge, '/', ['user_id: 7', 'user-id: 8']);
  t.notOk(names.includes('user_id'));
  t.ok(names.includes('user-id'));
});

t.test('http10, maxHeadersKiB, maxHeaders', async (t) => {
  const { edge } = await startEdge(t, at, '{http10: false, maxHeadersKiB: 256, maxHeaders: 50}');
  t.equal((await ask(edge, '/', [], '1.0')).status, 426);
  t.equal((await ask(edge, '/', lines(40))).path, '/');
  t.equal((await ask(edge, '/', lines(60))).status, 431);
  t.equal((await ask(edge, '/', [`x: ${'v'.repeat(200_000)}`])).path, '/');
  t.equal((await ask(edge, '/', [`x: ${'v'.repeat(270_000)}`])).status, 431);
});

t.test("with Envoy's own defaults what is legal is refused", async (t) => {
  const { edge } = await startEdge(t, at, '{}', (message) => {
    for (const chain of message.filter_chains ?? []) {
      const manager = chain.filters[0].typed_config;
      manager.http_protocol_options = {};
      delete manager.early_header_mutation_extensions;
      delete manager.common_http_protocol_options.max_headers_count;
    }
  });
  t.match((await ask(edge, '/', ['x-isthmus-app: http1'])).names.join(), /x-isthmus-app/);
  const custom = await rawExchange(edge, 'FOO / HTTP/1.1\r\nHost: one.test\r\n\r\n');
  t.equal(custom.status, 400);
  t.equal((await ask(edge, '/', ['Connection: Upgrade', 'Upgrade: TLS/1.2'])).status, 403);
  t.equal((await ask(edge, '/', lines(150))).status, 431);
  t.equal((await ask(edge, '/', [], '1.0')).status, 426);
});
