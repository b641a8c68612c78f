import { connect } from 'node:net';
import t, { type Test } from 'tap';
import type { AdminLimits } from '../../src/api/admin-places.ts';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { type ProblemDetails, problemType } from '../../src/contract/problem.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { startMesh, until } from '../support/mesh.ts';
import { groupYaml, idcYaml } from '../support/objects-yaml.ts';
import { contractFaults, problemFaults } from '../support/planes/contract.ts';
import { startRegisteringMesh, token } from '../support/planes/registering.ts';

const one = '/v1/registrations/shop/a';
const authorization = `Bearer ${token}`;
const json = { authorization, 'content-type': 'application/json' };
const long = JSON.stringify({ address: 'x'.repeat(70_000) });

/** What is refused: the request, its status, and words that say what to do. */
const refused: [what: string, path: string, init: RequestInit, status: number, words: RegExp][] = [
  ['an unknown page', '/nope', {}, 404, /^no such page: \/nope; \/ lists them$/],
  ['a page of an object', '/constructor', {}, 404, /lists them/],
  ['an unknown page below an API', '/v1/registrations/a/b/c', {}, 404, /lists them/],
  ['an unknown page with a body', '/nope', { method: 'POST', body: long }, 404, /lists them/],
  ['another method of a page', '/livez', { method: 'POST' }, 405, /^\/livez takes GET, HEAD$/],
  ['another method of the API', one, { method: 'POST', headers: json }, 405, /takes GET, HEAD, PUT, DELETE$/],
  ['a method that few know', '/status', { method: 'PROPFIND' }, 405, /takes GET, HEAD$/],
  ['no token', one, { method: 'DELETE' }, 401, /is missing: send Authorization: Bearer TOKEN/],
  ['no token for a page', '/confirm-deletes', { method: 'POST' }, 401, /--token-file/],
  [
    'another token',
    one,
    { method: 'DELETE', headers: { authorization: 'Bearer x' } },
    401,
    /^the token is wrong: send/,
  ],
  ['an unknown parameter', `${one}?x=1`, {}, 400, /^no parameter is named 'x': there are none\.$/],
  ['a misspelt one', `${one}?generaton=1`, { method: 'DELETE', headers: json }, 400, /'generation'\?$/],
  ['one twice', '/v1/registrations?namespace=a&namespace=b', {}, 400, /more than once: give it once$/],
  [
    'a number that is none',
    `${one}/renew?generation=1e3`,
    { method: 'POST', headers: json },
    400,
    /=1e3: give a/,
  ],
  [
    'a long wait',
    `${one}?timeout=1h`,
    { method: 'DELETE', headers: json },
    400,
    /of at most 10m, such as 30s/,
  ],
  [
    'a bad escape',
    '/v1/evacuations/%e0',
    { method: 'PUT', headers: json, body: '{}' },
    400,
    /two hex digits/,
  ],
  ['malformed JSON', one, { method: 'PUT', headers: json, body: '{"a":' }, 400, /^the body is not JSON: /],
  [
    'a key twice',
    one,
    { method: 'PUT', headers: json, body: '{"address":"10.0.0.1","labels":{"a":"1","\\u0061":"2"}}' },
    400,
    /^the body has 'a' twice: give it once$/,
  ],
  ['JSON of another kind', one, { method: 'PUT', headers: json, body: '[]' }, 400, /must be a JSON object/],
  ['a field too many', one, { method: 'PUT', headers: json, body: '{"a":1}' }, 400, /unknown field/],
  ['a long body', one, { method: 'PUT', headers: json, body: long }, 413, /more than 65536 bytes: send less/],
  [
    'another content type',
    one,
    { method: 'PUT', headers: { authorization, 'content-type': 'text/yaml' }, body: 'a: b' },
    415,
    /^the body is text\/yaml: send JSON/,
  ],
  [
    'a content type that is none',
    one,
    { method: 'PUT', headers: { authorization, 'content-type': 'json' }, body: '{}' },
    415,
    /send JSON, with content-type: application\/json$/,
  ],
  ['a node that is not connected', '/status?node=x', {}, 404, /no node 'x' is connected/],
  ['what there is not', '/v1/registrations/shop/none', {}, 404, /does not exist/],
];

t.test('every refusal has one form', async (t) => {
  const mesh = await startRegisteringMesh();
  t.teardown(() => mesh.close());
  for (const [what, path, init, status, words] of refused) {
    const answer = await fetch(`http://127.0.0.1:${mesh.adminPort}${path}`, init);
    const text = await answer.text();
    t.equal(answer.status, status, what);
    const type = answer.headers.get('content-type') ?? '';
    t.strictSame(problemFaults({ status: answer.status, type, text }), [], what);
    const { detail, message } = JSON.parse(text) as ProblemDetails;
    t.match(detail, words, what);
    // Commands of version 0.1.0 show this member.
    t.equal(message, detail);
    // RFC 9110, 11.6.1; RFC 6750, 3.1.
    const challenge = /wrong/.test(detail)
      ? 'Bearer realm="isthmus", error="invalid_token"'
      : 'Bearer realm="isthmus"';
    t.equal(answer.headers.get('www-authenticate'), status === 401 ? challenge : null, what);
    t.equal(answer.headers.get('allow'), status === 405 ? detail.replace(/^.* takes /, '') : null, what);
  }
  const head = await fetch(`http://127.0.0.1:${mesh.adminPort}/nope`, { method: 'HEAD' });
  t.strictSame([head.status, await head.text()], [404, '']);
});

t.test('which bodies are accepted as JSON', async (t) => {
  const mesh = await startRegisteringMesh();
  t.teardown(() => mesh.close());
  const body = JSON.stringify({ address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'echo' } });
  const types = ['application/json; charset=utf-8', 'Application/JSON', 'application/x-www-form-urlencoded'];
  // Of a text that it is told nothing of `fetch` says text/plain.
  const unsaid = await fetch(`http://127.0.0.1:${mesh.adminPort}${one}`, {
    ...{ method: 'PUT', headers: { authorization }, body },
  });
  t.equal(unsaid.status, 201);
  for (const type of [...types, 'application/merge-patch+json']) {
    const headers = { authorization, 'content-type': type };
    const answer = await fetch(`http://127.0.0.1:${mesh.adminPort}${one}`, { method: 'PUT', headers, body });
    t.ok(answer.ok, type);
    await answer.text();
  }
  const empty = { method: 'POST', headers: json };
  t.equal((await fetch(`http://127.0.0.1:${mesh.adminPort}${one}/renew`, empty)).status, 200, 'no body');
});

/** What a server says to bytes on a connection, until it ends it. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port }, () => void socket.write(bytes));
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(text));
  });
}

const quick: AdminLimits = { connectionsMax: 50, headersMsMax: 300, requestMsMax: 600 };

/** A server of which only what comes before its handlers is asked. */
async function startQuick(t: Test, limits: AdminLimits): Promise<number> {
  const server = await serveAdmin({} as never, { address: '127.0.0.1', port: 0 }, token, {}, limits);
  t.teardown(() => server.close());
  return server.port;
}

t.test('an invalid or late request is refused in the same form', async (t) => {
  const port = await startQuick(t, quick);
  const put = `PUT /v1/evacuations/e HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\n`;
  for (const [bytes, status, words] of [
    ['\u0016\u0003\u0001\u0002', 400, /this is not an HTTP\/1\.1 request/],
    [
      `GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      /more than 16384 bytes: send less/,
    ],
    ['GET /livez HTTP/1.1\r\nhost: a\r\n', 408, /its headers within 0\.3 s/],
    [`${put}content-length: 9\r\n\r\n{`, 408, /all of it within 0\.6 s/],
    ['GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n', 400, /no Host header/],
    ['CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n', 405, /no path takes CONNECT/],
    [`${put}transfer-encoding: chunked\r\n\r\n20000\r\n${'x'.repeat(131_072)}\r\n`, 413, /65536 bytes/],
  ] as const) {
    const [head = '', text = ''] = (await exchange(port, bytes)).split('\r\n\r\n');
    t.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), head);
    t.match(head, `content-type: ${problemType}`);
    t.strictSame(problemFaults({ status, type: problemType, text }), []);
    t.match(JSON.parse(text).detail, words);
  }
});

t.test('requests that are odd and allowed', async (t) => {
  const port = await startQuick(t, quick);
  const end = 'connection: close\r\n';
  t.match(await exchange(port, `GET /livez HTTP/1.0\r\n${end}\r\n`), /^HTTP\/1\.1 200 /, 'no Host in 1.0');
  const expecting = `GET /livez HTTP/1.1\r\nhost: a\r\nexpect: magic\r\n${end}\r\n`;
  t.match(await exchange(port, expecting), /^HTTP\/1\.1 200 /, 'an unknown expectation');
  const lower = `POST /v1/evacuations/e/renew HTTP/1.1\r\nhost: a\r\nauthorization: bearer ${token}\r\n${end}\r\n`;
  t.notMatch(await exchange(port, lower), /^HTTP\/1\.1 401 /, 'a scheme of another case');
  t.match(await exchange(port, lower.replace(token, `${token}x`)), /^HTTP\/1\.1 401 /, 'another token');
});

t.test('the control: with time enough a slow request is waited for', async (t) => {
  const port = await startQuick(t, { ...quick, headersMsMax: 60_000, requestMsMax: 60_000 });
  const said = exchange(port, 'GET /livez HTTP/1.1\r\nhost: a\r\n');
  const waited = new Promise((resolve) => setTimeout(() => resolve('it waits'), 1_500));
  t.equal(await Promise.race([said, waited]), 'it waits');
});

t.test('pages are as the contract has them', async (t) => {
  const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml, 'echo.yaml': groupYaml('echo') });
  const admin = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, token);
  const outbound = { address: '127.0.0.1', port: 15_001 };
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound };
  const node = { id: 'caller', metadata: { isthmus: scope } };
  const client = connectXds(`127.0.0.1:${mesh.plane.xds.port}`, 'delta', node);
  t.teardown(async () => {
    client.close();
    await admin.close();
    await mesh.close();
  });
  await until('it is ready', () => mesh.plane.readiness().ready);
  client.send('CDS', { resource_names_subscribe: ['*'] });
  await client.next();
  client.send('LDS', { resource_names_subscribe: ['*'] });
  client.nack(await client.next(), 'no');
  mesh.save('wrong.yaml', '{apiVersion: isthmus.dev/v1alpha1, kind: Idc, metadata: {name: A_B}, spec: {}}');
  await until('a problem is told', () => mesh.plane.problems().length > 0);
  for (const path of [
    '/',
    '/livez',
    '/readyz',
    '/status',
    '/status?node=caller',
    '/problems',
    '/metrics?x=1',
  ]) {
    const answer = await fetch(`http://127.0.0.1:${admin.port}${path}`);
    const type = answer.headers.get('content-type') ?? '';
    const text = await answer.text();
    t.equal(answer.status, 200, path);
    t.strictSame(contractFaults('GET', path, { status: 200, type, text }), [], path);
  }
  const post = { method: 'POST', headers: { authorization } };
  const confirmed = await fetch(`http://127.0.0.1:${admin.port}/confirm-deletes`, post);
  t.strictSame(await confirmed.json(), { released: 0 });
});
