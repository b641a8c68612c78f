import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { rawExchange } from '../support/clients/raw-http.ts';
import { startEdge } from '../support/envoys/edge.ts';

// Who a client of the edge is, behind load balancers and without.
const app = createServer((request, response) => response.end(JSON.stringify(request.headers)));
await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
t.teardown(() => app.close());
const at: ListenAddress = { address: '127.0.0.1', port: (app.address() as AddressInfo).port };

const claims = [
  'X-Forwarded-For: 203.0.113.9',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: shop.example',
  'X-Forwarded-Port: 443',
  'X-Forwarded-Prefix: /p',
  'Forwarded: for=203.0.113.9;proto=https',
  'X-Real-IP: 203.0.113.9',
];

/**
 * What the application gets of a request with these header lines; undefined when the edge ended the
 * connection.
 */
async function seen(
  to: ListenAddress,
  headers: readonly string[],
  before = '',
): Promise<Record<string, string> | undefined> {
  const lines = ['GET / HTTP/1.1', 'Host: one.test', ...headers, 'Connection: close', '', ''];
  const answer = await rawExchange(to, before + lines.join('\r\n'));
  return answer.status === 200 ? JSON.parse(answer.rest) : undefined;
}

const v1 = 'PROXY TCP4 198.51.100.7 192.0.2.1 4711 80\r\n';
/** The same as v1, binary. */
const v2 = `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c${String.fromCharCode(198, 51, 100, 7, 192, 0, 2, 1, 0x12, 0x67, 0, 80)}`;

/** A client on loopback: Envoy names the machine's own address for it. */
const own = '(?!203\\.)[0-9a-f.:]+';
const justOwn = new RegExp(`^${own}$`);
const claimedThenOwn = new RegExp(`^203\\.0\\.113\\.9,${own}$`);

t.test('no proxy is trusted', async (t) => {
  const { edge, logged } = await startEdge(t, at, '{}');
  const direct = await seen(edge, claims);
  t.match(direct, { 'x-forwarded-for': justOwn, 'x-forwarded-proto': 'http' });
  for (const name of ['host', 'port', 'prefix']) t.notOk(direct?.[`x-forwarded-${name}`], name);
  t.notOk(direct?.forwarded);
  t.notOk(direct?.['x-real-ip']);
  t.strictSame(await logged(1), ['127.0.0.1']);
  t.equal((await rawExchange(edge, `${v1}GET / HTTP/1.1\r\nHost: one.test\r\n\r\n`)).status, 400, 'no PROXY');
});

t.test('the control: without the protection, headers of direct clients arrive', async (t) => {
  const { edge } = await startEdge(t, at, '{}', (message) => {
    for (const chain of message.filter_chains ?? []) {
      delete chain.filters[0].typed_config.early_header_mutation_extensions;
    }
  });
  t.match(await seen(edge, claims), {
    'x-forwarded-host': 'shop.example',
    'x-forwarded-for': claimedThenOwn,
    forwarded: /203/,
  });
});

t.test('one load balancer in front', async (t) => {
  const { edge, logged } = await startEdge(t, at, '{trustedProxies: {hops: 1}}');
  const behind = await seen(edge, claims);
  t.match(behind, {
    'x-forwarded-for': claimedThenOwn,
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example',
    'x-forwarded-port': '443',
    forwarded: 'for=203.0.113.9;proto=https',
    'x-real-ip': '203.0.113.9',
    'x-envoy-external-address': '203.0.113.9',
  });
  t.match(await seen(edge, []), { 'x-forwarded-proto': 'http' }, 'without headers: how it connected');
  t.match(
    await seen(edge, ['X-Forwarded-For: 6.6.6.6, 203.0.113.9']),
    { 'x-envoy-external-address': '203.0.113.9' },
    'what the client wrote before it does not count',
  );
  t.strictSame(await logged(3), ['203.0.113.9', '127.0.0.1', '203.0.113.9']);
  t.match(
    await seen(edge, ['X-Forwarded-For: 203.0.113.9:4711', 'X-Forwarded-Proto: https']),
    {
      'x-forwarded-for': new RegExp(`^203\\.0\\.113\\.9:4711,${own}$`),
      'x-forwarded-proto': 'https',
      'x-envoy-external-address': '127.0.0.1',
    },
    'a port beside the address: passed on, but no address to Envoy',
  );
});

t.test('two in a row', async (t) => {
  const { edge } = await startEdge(t, at, '{trustedProxies: {hops: 2}}');
  const headers = ['X-Forwarded-For: 6.6.6.6, 203.0.113.9, 198.51.100.1'];
  t.match(await seen(edge, headers), { 'x-envoy-external-address': '203.0.113.9' });
});

t.test('only from where they are', async (t) => {
  const away = await startEdge(t, at, '{trustedProxies: {hops: 1, from: [10.0.0.0/8, "fd00::/8"]}}');
  const spoofed = await seen(away.edge, claims);
  t.match(spoofed, { 'x-forwarded-for': justOwn, 'x-forwarded-proto': 'http' });
  t.notOk(spoofed?.['x-forwarded-host']);
  const here = await startEdge(t, at, '{trustedProxies: {hops: 1, from: [127.0.0.1]}}');
  t.match(await seen(here.edge, claims), {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example',
  });
});

t.test('PROXY protocol', async (t) => {
  const required = await startEdge(t, at, '{proxyProtocol: required}');
  for (const [name, header] of [
    ['v1', v1],
    ['v2', v2],
  ] as const) {
    const got = await seen(required.edge, claims, header);
    t.match(got, { 'x-forwarded-for': '198.51.100.7', 'x-forwarded-proto': 'http' }, name);
    t.notOk(got?.['x-forwarded-host'], 'it says nothing of HTTP');
  }
  t.strictSame(await required.logged(2), ['198.51.100.7', '198.51.100.7']);
  t.equal(await seen(required.edge, []), undefined, 'without it the connection ends');

  const optional = await startEdge(t, at, '{proxyProtocol: optional}');
  t.match(await seen(optional.edge, [], v2), { 'x-forwarded-for': '198.51.100.7' });
  t.match(await seen(optional.edge, []), { 'x-forwarded-for': justOwn });

  const both = await startEdge(
    t,
    at,
    '{proxyProtocol: required, trustedProxies: {hops: 1, from: [127.0.0.1]}}',
  );
  t.match(
    await seen(both.edge, claims, v1),
    { 'x-forwarded-for': '203.0.113.9,198.51.100.7', 'x-forwarded-proto': 'https' },
    'and HTTP proxies before it',
  );
  const none = await startEdge(
    t,
    at,
    '{proxyProtocol: required, trustedProxies: {hops: 0, from: [127.0.0.1]}}',
  );
  t.match(await seen(none.edge, claims, v1), {
    'x-forwarded-for': '198.51.100.7',
    'x-forwarded-proto': 'http',
  });
});

t.test('with PROXY protocol nothing else is accepted', async (t) => {
  const { edge, envoy } = await startEdge(
    t,
    at,
    '{proxyProtocol: optional, trustedProxies: {hops: 0, from: [10.0.0.0/8]}}',
  );
  for (const before of [v1, v2, '']) t.equal(await seen(edge, [], before), undefined);
  t.match(await envoy.admin('/stats?filter=no_filter_chain_match'), /no_filter_chain_match: 3/);
});
