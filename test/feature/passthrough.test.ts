import { connect } from 'node:net';
import t from 'tap';
import { startDns } from '../../src/drill/world/dns-server.ts';
import type { SidecarScope } from '../../src/model/node.ts';
import { outcomeHeader } from '../../src/model/trail.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { dnsResolver } from '../../src/translate/cluster/dns.ts';
import { startOutside } from '../support/apps/outside.ts';
import { overHttp2 } from '../support/clients/over-http2.ts';
import { rawExchange } from '../support/clients/raw-http.ts';
import { type Loose, type Patched, startPatched } from '../support/envoys/patched.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';

// Hosts that no Group has, at a sidecar that passes them through. All that is outside of a test's machine is
// here on 127.0.1.0/24, so that of loopback just 127.0.0.0/24 is refused; nothing else is altered but where a
// control takes a protection away.

const dns = await startDns();
const [near, far] = [await startOutside('127.0.1.1'), await startOutside('127.0.1.2')];
const secret = await startOutside('127.0.0.1');
t.teardown(async () => {
  for (const one of [near, far, secret]) await one.close();
  await dns.close();
});
dns.say('www.outside.test', { addresses: [near.http.address] });

const entry = (namespace: string, host: string, exportTo: string) => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${host.replace('*.', '').split('.')[0]}, namespace: ${namespace}}
spec:
  hosts: ['${host}']
  location: MESH_INTERNAL
  resolution: STATIC
  exportTo: ['${exportTo}']
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.1.1, ports: {http: ${near.http.port}}, locality: sh-a}]
`;

interface Edits {
  readonly yaml?: string;
  /** Takes a protection away: a message, as JSON without blanks. */
  readonly edit?: (message: string) => string;
}

/** A sidecar that passes unknown hosts through. */
async function startSidecar({
  yaml = idcYaml,
  edit = (message) => message,
}: Edits = {}): Promise<Patched & { readonly outbound: ListenAddress }> {
  const outbound = await freeAddress();
  const scope: SidecarScope = {
    role: 'sidecar',
    idc: 'sh-a',
    namespace: 'shop',
    outbound,
    unknownHosts: 'pass',
  };
  const patch = (message: Loose) => {
    const text = JSON.stringify(message).replace(
      '"address_prefix":"127.0.0.0","prefix_len":8',
      '"address_prefix":"127.0.0.0","prefix_len":24',
    );
    Object.assign(message, JSON.parse(edit(text)));
  };
  const patched = await startPatched({ scope, yaml, patch, bootstrap: dnsResolver([dns]) });
  return { ...patched, outbound };
}

/** What a CONNECT through a sidecar gets back for `sent`, after its own status. */
async function tunnel(to: ListenAddress, host: string, sent: string) {
  return rawExchange(to, `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, {
    next: sent,
    until: new RegExp(`${sent}$|^HTTP/1.1 [345]`),
  });
}

/** A connection that is switched to another protocol by `head`, to somebody who repeats what is said. */
function openTalk(to: ListenAddress, head: string) {
  const socket = connect(to.port, to.address, () => socket.write(head));
  let got = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    got += part;
  });
  socket.on('error', () => {});
  return {
    /** What comes back for `word`; what came so far, when the connection has ended. */
    async say(word: string): Promise<string> {
      await until('it is switched', () => got.includes('\r\n\r\n'));
      socket.write(word);
      await until('an answer', () => got.endsWith(word) || socket.destroyed);
      return got.slice(got.indexOf('\r\n\r\n') + 4).slice(-word.length);
    },
    end: () => socket.destroy(),
  };
}

t.test('requests are passed on to the host and port that they name', { timeout: 120_000 }, async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.close());
  const { outbound } = sidecar;
  const host = `www.outside.test:${near.http.port}`;
  for (const method of ['GET', 'POST', 'DELETE']) {
    const answer = await get(outbound, '/a?b', { host, method });
    t.equal(answer.status, 200, method);
    t.equal(answer.body, `127.0.1.1 ${method} ${host} /a?b`);
    t.notOk(outcomeHeader in answer.headers, 'outcomes are those of proxies');
  }
  const absolute = await rawExchange(
    outbound,
    `GET http://${host}/abs HTTP/1.1\r\nHost: ${host}\r\nconnection: close\r\n\r\n`,
  );
  t.match(absolute.text, `127.0.1.1 GET ${host} /abs`, 'as a client asks its HTTP proxy');
  const literal = `127.0.1.2:${far.http.port}`;
  t.match((await get(outbound, '/', { host: literal })).body, `127.0.1.2 GET ${literal} /`, 'an address');

  const headers = {
    'x-isthmus-trail': 'sh-a',
    'x-isthmus-visited': 'sh-a',
    'x-isthmus-app': 'http1',
    'x-isthmus-anything': '1',
    'x-envoy-max-retries': '3',
  };
  await get(outbound, '/headers', { host, headers });
  const seen = Object.keys(near.requests.at(-1)?.headers ?? {}).sort();
  t.strictSame(
    seen.filter((name) => /isthmus|envoy|trail/.test(name)),
    [],
    `nothing of ours goes out: ${seen}`,
  );

  const authority = `www.outside.test:${near.http2.port}`;
  t.equal(await overHttp2(outbound, authority), `127.0.1.1 ${authority}`, 'HTTP/2 stays HTTP/2');

  const upgrade = `GET /ws HTTP/1.1\r\nHost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`;
  const websocket = await rawExchange(outbound, upgrade, { next: 'hello', until: /hello$/ });
  t.equal(websocket.status, 101, 'a websocket');
  t.match(websocket.text, /hello$/);

  const connected = await tunnel(outbound, `www.outside.test:${near.tcp.port}`, 'bytes');
  t.equal(connected.status, 200, 'CONNECT');
  t.match(connected.text, /bytes$/);

  const before = near.requests.length;
  t.equal((await get(outbound, '/break', { host, method: 'POST' })).status, 503);
  t.equal(near.requests.length - before, 1, 'a POST is sent once');
});

/** The control: no address is refused. */
function permitAll(message: string): string {
  return message.replace(/"not_rule":\{"or_rules":\{"rules":\[.*?\]\}\}/, '"any":true');
}

const words = /^isthmus: the address of this host is/;

t.test('addresses of this machine, its link or a proxy are refused', { timeout: 300_000 }, async (t) => {
  const named: Record<string, string> = {
    'loopback.test': '127.0.0.1',
    'loopback6.test': '::1',
    'mapped.test': '::ffff:7f00:1',
    'any.test': '0.0.0.0',
    'any6.test': '::',
    'compatible.test': '::7f00:1',
    'metadata.test': '169.254.169.254',
    'metadata-mapped.test': '::ffff:a9fe:a9fe',
    'nat64.test': '64:ff9b::a9fe:a9fe',
    'link.test': 'fe80::1',
    'alibaba.test': '100.100.100.200',
    'azure.test': '168.63.129.16',
    'amazon.test': 'fd00:ec2::254',
    'multicast.test': '224.0.0.1',
    'broadcast.test': '255.255.255.255',
  };
  for (const [name, address] of Object.entries(named)) dns.say(name, { addresses: [address] });
  const literals = [
    ...['127.0.0.1', 'localhost', '127.1', '2130706433', '0x7f000001', '0', '0.0.0.0'],
    ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:7f00:1]', '[::127.0.0.1]'],
    ...['169.254.169.254', '[::ffff:169.254.169.254]', '[fe80::1]', '[fd00:ec2::254]', '100.100.100.200'],
  ];
  const hosts = [...Object.keys(named), ...literals];
  /** The hosts that are reached; of the others it is told that they are refused, or have no address. */
  const attempt = async (outbound: ListenAddress, hosts: readonly string[]) => {
    const { port } = secret.http;
    const reached: string[] = [];
    for (const host of hosts) {
      const answer = await get(outbound, '/server_info', { host: `${host}:${port}` });
      const connect = await rawExchange(
        outbound,
        `CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`,
        { until: /\r\n\r\n/ },
      );
      if (answer.status === 200 || connect.status === 200) reached.push(host);
      else if (answer.headers[outcomeHeader] === 'refused-address') {
        t.equal(answer.status, 403, host);
        t.match(answer.body, words);
        t.equal(connect.status, 403, `CONNECT ${host}`);
        t.match(connect.text, /x-isthmus-outcome: refused-address/);
      } else {
        // What DNS does not know is no address; c-ares reads some of the literals, and not all.
        t.match([answer.status, answer.headers[outcomeHeader]], [503, 'no-address'], host);
      }
    }
    return reached;
  };
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.close());
  t.strictSame(await attempt(sidecar.outbound, hosts), []);
  t.equal(secret.requests.length, 0, 'the server on loopback has had no request');
  const grpc = await get(sidecar.outbound, '/a.B/C', {
    host: `localhost:${secret.http.port}`,
    method: 'POST',
    headers: { 'content-type': 'application/grpc' },
  });
  t.equal(grpc.headers['grpc-status'], '7', 'PERMISSION_DENIED');
  t.match(decodeURIComponent(String(grpc.headers['grpc-message'])), words);
  const itself = await get(sidecar.outbound, '/', { host: `localhost:${sidecar.outbound.port}` });
  t.equal(itself.headers[outcomeHeader], 'refused-address', 'no request goes round');

  const open = await startSidecar({ edit: permitAll });
  t.teardown(() => open.close());
  const local = ['loopback.test', 'any.test', '127.0.0.1', 'localhost', '0.0.0.0'];
  t.strictSame(await attempt(open.outbound, local), local, 'the control reaches them');
});

t.test(
  'ports of gateways between proxies are refused, the port of the edge is not',
  { timeout: 120_000 },
  async (t) => {
    const yaml = (ports: string) => idcYaml.replace('{address: 127.0.0.1, edgePort: 1, peerPort: 2}', ports);
    const host = `www.outside.test:${near.http.port}`;
    const peer = `{address: 127.0.1.1, edgePort: 1, peerPort: ${near.http.port}}`;
    const edge = `{address: 127.0.1.1, edgePort: ${near.http.port}, peerPort: 2}`;
    const sidecar = await startSidecar({ yaml: yaml(peer) });
    t.teardown(() => sidecar.close());
    const answer = await get(sidecar.outbound, '/', { host });
    t.match([answer.status, answer.headers[outcomeHeader]], [403, 'refused-address']);
    await sidecar.save(yaml(edge));
    t.equal((await get(sidecar.outbound, '/', { host })).status, 200);
  },
);

t.test('each address of a name is checked', { timeout: 180_000 }, async (t) => {
  // Nobody listens at the first address: whoever takes all of an answer goes on to the second.
  const host = `several.test:${secret.http.port}`;
  dns.say('several.test', { addresses: ['127.0.1.9', '127.0.0.1'] });
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.close());
  const before = secret.requests.length;
  for (let i = 0; i < 10; i += 1) {
    const { status } = await get(sidecar.outbound, '/', { host });
    t.ok(status === 403 || status === 503, `${status}`);
  }
  t.equal(secret.requests.length, before, 'the second address has had no request');
  const open = await startSidecar({ edit: permitAll });
  t.teardown(() => open.close());
  t.equal((await get(open.outbound, '/', { host })).status, 200, 'the control reaches it');
  // Without the routes' words on addresses there are none.
  const mute = await startSidecar({
    edit: (text) => text.replace('"isthmus.addresses":{"@type"', '"isthmus.others":{"@type"'),
  });
  t.teardown(() => mute.close());
  const answer = await get(mute.outbound, '/', { host: `www.outside.test:${near.http.port}` });
  t.match([answer.status, answer.headers[outcomeHeader]], [403, 'refused-address']);
});

t.test('a name that later resolves to this machine is refused', { timeout: 120_000 }, async (t) => {
  dns.say('rebound.test', { addresses: ['127.0.1.1'] });
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.close());
  const host = `rebound.test:${near.http.port}`;
  t.equal((await get(sidecar.outbound, '/', { host })).status, 200);
  dns.say('rebound.test', { addresses: ['127.0.0.1'] });
  await until('its new address counts', async () => {
    const { status, headers } = await get(sidecar.outbound, '/', { host });
    return status === 403 && headers[outcomeHeader] === 'refused-address';
  });
  dns.say('rebound.test', { addresses: ['127.0.1.1'] });
  await until('and the next', async () => (await get(sidecar.outbound, '/', { host })).status === 200);
});

t.test('hosts of Groups are known, whoever sees them', { timeout: 120_000 }, async (t) => {
  const own = entry('shop', 'own.outside.test', '*');
  const others = `${entry('pay', 'hidden.outside.test', '.')}${entry('pay', 'uncalled.outside.test', '*')}${entry('pay', '*.wild.test', '.')}`;
  const names = ['own.outside.test', 'hidden.outside.test', 'uncalled.outside.test', 'a.wild.test'];
  for (const name of names) dns.say(name, { addresses: ['127.0.1.1'] });
  const sidecar = await startSidecar({ yaml: idcYaml + own + others });
  t.teardown(() => sidecar.close());
  const ask = (name: string) => get(sidecar.outbound, '/', { host: `${name}:${near.http.port}` });
  t.equal((await ask('own.outside.test')).status, 200, 'a Group of its own');
  for (const name of names.slice(1)) {
    const answer = await ask(name);
    t.match([answer.status, answer.headers[outcomeHeader]], [404, 'unknown-host'], name);
    t.match(answer.body, /this host belongs to a Group that this sidecar does not call/);
    t.equal((await tunnel(sidecar.outbound, `${name}:${near.tcp.port}`, 'x')).status, 404);
  }
  const written = ['HIDDEN.Outside.Test', 'hidden.outside.test.', 'hidden.outside.test..', 'A.WILD.test...'];
  // Escapes of DNS (RFC 1035, 5.1): a resolver reads them.
  for (const name of [...written, 'hi\\100den.outside.test', 'hidden\\.outside.test']) {
    const { status } = await ask(name);
    t.ok(status === 404 || status === 400, `${name}: ${status}`);
    t.notOk(await overHttp2(sidecar.outbound, `${name}:${near.http2.port}`), `HTTP/2 ${name}`);
    const { status: connect } = await tunnel(sidecar.outbound, `${name}:${near.tcp.port}`, 'x');
    t.ok(connect === 404 || connect === 400, `CONNECT ${name}: ${connect}`);
  }
  t.equal((await ask('www.outside.test')).status, 200, 'what no Group has passes');
  await sidecar.save(idcYaml + own);
  for (const name of names) t.equal((await ask(name)).status, 200, `${name}: its Group is gone`);
});

t.test('lookups are limited, and failures are reported', { timeout: 180_000 }, async (t) => {
  const sidecar = await startSidecar({
    edit: (text) =>
      text
        .replace('"max_sub_clusters":512', '"max_sub_clusters":2')
        .replace('"sub_cluster_ttl":"60s"', '"sub_cluster_ttl":"1s"'),
  });
  t.teardown(() => sidecar.close());
  const ask = async (name: string) => {
    const { status, headers, body } = await get(sidecar.outbound, '/', { host: `${name}:${near.http.port}` });
    return { status, outcome: headers[outcomeHeader], body };
  };
  dns.say('silent.test', 'silent');
  const both = await Promise.all([ask('nowhere.test'), ask('silent.test')]);
  for (const answer of both)
    t.match(answer, { status: 503, outcome: 'no-address', body: /^isthmus: no Group/ });
  await until('there is room again', async () => {
    const answers = await Promise.all(['nowhere.test', 'fails.test', 'www.outside.test'].map(ask));
    return answers.some(
      ({ outcome, body }) => outcome === 'overloaded' && /its limit of unknown hosts/.test(body),
    );
  });
  await until(
    'and what nobody asks for is forgotten',
    async () => (await ask('www.outside.test')).status === 200,
  );
});

t.test('an invalid host has no effect', { timeout: 120_000 }, async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.close());
  const hosts = [
    'x:99999',
    'x:0',
    '',
    ':',
    '[::1',
    '..',
    '-',
    'a_b',
    '[fe80::1%25lo]',
    `${'a'.repeat(300)}.test`,
  ];
  for (const host of hosts) {
    const { status } = await rawExchange(
      sidecar.outbound,
      `GET / HTTP/1.1\r\nHost: ${host}\r\nconnection: close\r\n\r\n`,
    );
    t.ok([400, 403, 404, 503].includes(status), `${host}: ${status}`);
  }
  const host = `www.outside.test:${near.http.port}`;
  t.equal((await get(sidecar.outbound, '/', { host })).status, 200);
});

t.test(
  'open connections survive when their host is forgotten, or Groups change',
  { timeout: 120_000 },
  async (t) => {
    const sidecar = await startSidecar({
      edit: (text) => text.replace('"sub_cluster_ttl":"60s"', '"sub_cluster_ttl":"1s"'),
    });
    t.teardown(() => sidecar.close());
    const at = `www.outside.test:${near.tcp.port}`;
    const ws = `www.outside.test:${near.http.port}`;
    const upgrade = `GET /ws HTTP/1.1\r\nHost: ${ws}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`;
    const talks = [`CONNECT ${at} HTTP/1.1\r\nHost: ${at}\r\n\r\n`, upgrade].map((head) =>
      openTalk(sidecar.outbound, head),
    );
    for (const talk of talks) t.equal(await talk.say('one'), 'one');
    await sidecar.save(idcYaml + entry('shop', 'own.outside.test', '*'));
    const known = async () => (await sidecar.envoy.admin('/clusters')).includes('DFPCluster:');
    await until('the host is forgotten', async () => !(await known()));
    for (const talk of talks) t.equal(await talk.say('two'), 'two');
    for (const talk of talks) talk.end();
  },
);
