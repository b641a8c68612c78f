import { createServer } from 'node:http';
import { connect, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import t from 'tap';
import { echoService, startGrpcUpstream } from '../../src/drill/upstream/upstream-grpc.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { rawExchange } from '../support/clients/raw-http.ts';
import { type Loose, startPatched } from '../support/envoys/patched.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { startTwoIdcs, type TestGroup } from '../support/two-idcs.ts';

// Hosts as clients write them: with the port that they dialled, in capitals, with the root's dot.
const grpc: TestGroup = { name: 'calls', idc: 'sh-b', protocol: 'GRPC' };
const world = await startTwoIdcs([grpc]);
t.teardown(() => world.close());
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

async function listening(server: Server): Promise<ListenAddress> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** An instance that says which one it is, and what Host it saw. */
async function app(name: string): Promise<ListenAddress> {
  const server = createServer((request, response) => {
    response.end(`${name} ${request.headers.host} ${request.url}`);
  });
  server.on('upgrade', (request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    socket.on('error', () => {});
    socket.write(`${name} ${request.headers.host}.`);
  });
  return listening(server);
}

async function http2App(name: string): Promise<ListenAddress> {
  const server = createHttp2Server().on('stream', (stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end(`${name} ${headers[':authority']}${headers['x-asked'] ? ` ${headers[':scheme']}` : ''}`);
  });
  return listening(server as unknown as Server);
}

const grpcServer = await startGrpcUpstream({
  instance: 'calls',
  idc: 'sh-b',
  socketPath: world.socket(grpc),
  logFile: `${world.socket(grpc)}.log`,
});
t.teardown(() => grpcServer.forceShutdown());

function entry(host: string, idc: string, ports: Readonly<Record<number, readonly [string, ListenAddress]>>) {
  const name = host
    .toLowerCase()
    .replaceAll(/[.*]/g, '-')
    .replace(/^-+|-+$/g, '');
  const list = Object.entries(ports);
  return `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: test}
spec:
  hosts: ['${host}']
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [${list.map(([number, [protocol]]) => `{number: ${number}, name: p${number}, protocol: ${protocol}}`).join(', ')}]
  endpoints: [{address: 127.0.0.1, ports: {${list.map(([number, [, at]]) => `p${number}: ${at.port}`).join(', ')}}, locality: ${idc}}]
`;
}

const wild = await app('wild');
for (const [place, idc] of [
  ['near', 'sh-a'],
  ['far', 'sh-b'],
]) {
  const entries = [
    entry(`one.${place}`, idc as string, { 80: ['HTTP', await app('80')] }),
    entry(`two.${place}`, idc as string, {
      8081: ['HTTP', await app('8081')],
      9090: ['HTTP2', await http2App('9090')],
      9091: ['HTTP', await app('9091')],
    }),
    entry(`Rooted.${place}.`, idc as string, { 80: ['HTTP', await app('rooted')] }),
    entry(`*.wild.${place}`, idc as string, { 80: ['HTTP', wild], 8082: ['HTTP', await app('wild 8082')] }),
    entry(`a.wild.${place}`, idc as string, { 8083: ['HTTP', await app('a')] }),
  ];
  const hosts = ['one', 'two', 'rooted', '*.wild', 'a.wild'].map((name) => `, '${name}.${place}'`).join('');
  world.edit((yaml) => `${yaml.replace(/hosts: \[calls\.test/, `$&${hosts}`)}${entries.join('')}`);
}

const paths = [
  { name: 'sidecar to a local instance', to: world.outbound, place: 'near' },
  { name: 'sidecar to another IDC', to: world.outbound, place: 'far' },
  { name: 'edge to a local instance', to: world.edge, place: 'near' },
  { name: 'edge to another IDC', to: world.edge, place: 'far' },
];

for (const { name, to, place } of paths) {
  t.test(name, { timeout: 120_000 }, async (t) => {
    const ask = async (host: string, target = '/') => {
      const answer = await rawExchange(
        to,
        `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      return answer.status === 200
        ? answer.rest.replaceAll(/\r\n[0-9a-f]*(\r\n)*|^[0-9a-f]+\r\n/g, '')
        : answer.status;
    };
    await until('the path is open', async () => (await ask(`a.wild.${place}`)) !== 404);
    const dialled = to.port;
    const cases: [host: string, served: string][] = [
      [`one.${place}`, '80'],
      [`one.${place}:80`, '80'],
      [`one.${place}:${dialled}`, '80'],
      [`one.${place}:`, '80'],
      [`One.${place.toUpperCase()}:${dialled}`, '80'],
      // An object may have the dot as well as a client.
      [`rooted.${place}`, 'rooted'],
      // A port that the host has is that port; any other is the default one, whoever else has it.
      [`two.${place}`, '8081'],
      [`two.${place}:8081`, '8081'],
      [`TWO.${place}:9091`, '9091'],
      [`two.${place}:80`, '8081'],
      [`two.${place}:19090`, '8081'],
      [`two.${place}:${dialled}`, '8081'],
      [`b.wild.${place}:${dialled}`, 'wild'],
      [`b.c.wild.${place}:8082`, 'wild 8082'],
      [`b_c.wild.${place}`, 'wild'],
      [`a.wild.${place}:8082`, 'a'],
      [`a.wild.${place}:${dialled}`, 'a'],
    ];
    for (const [host, served] of cases) {
      t.equal(
        await ask(host),
        `${served} ${host} /`,
        `${host}: ${served}, and the application sees it as written`,
      );
    }
    for (const dotted of [`one.${place}.`, `one.${place}.:${dialled}`]) {
      t.equal(await ask(dotted), `80 ${dotted.replace(/\.(?=:|$)/, '')} /`, `${dotted}: without the dot`);
    }
    for (const unknown of [`no.${place}`, `xone.${place}`, '[::1]', `[2001:db8::1]:80`, `one.${place}%20`]) {
      t.equal(await ask(unknown), 404, `${unknown} is nobody's`);
    }

    t.equal(
      await ask('ignored.example', `http://one.${place}:${dialled}/x?y`),
      `80 one.${place}:${dialled} /x?y`,
      'a target in absolute form goes before Host (RFC 9112, 3.2.2)',
    );

    const session = connect(`http://${to.address}:${to.port}`);
    t.teardown(() => session.destroy());
    session.on('error', () => {});
    const ask2 = (authority: string, more = {}) =>
      new Promise<string>((resolve, reject) => {
        const stream = session.request({ ':method': 'GET', ':path': '/', ':authority': authority, ...more });
        let body = '';
        stream.setEncoding('utf8');
        stream.on('data', (part: string) => {
          body += part;
          // An upgraded connection stays open.
          if (':protocol' in more) stream.close();
        });
        stream.on('end', () => resolve(body));
        stream.on('error', reject);
      });
    t.equal(await ask2(`one.${place}:${dialled}`), `80 one.${place}:${dialled} /`, 'HTTP/2');
    t.equal(await ask2(`Two.${place}:9090`), `9090 Two.${place}:9090`, 'HTTP/2 at a port of its own');
    t.equal(
      await ask2(`two.${place}:9090`, { 'x-asked': '1', 'x-forwarded-proto': 'https' }),
      `9090 two.${place}:9090 http`,
      ':scheme is that of the hop, which has no TLS',
    );
    const websocket = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http' };
    await new Promise<void>((resolve) => session.settings({}, () => resolve()));
    t.equal(await ask2(`two.${place}:9091`, websocket), `9091 two.${place}:9091.`, 'a websocket over HTTP/2');
    t.equal(
      await ask2(`one.${place}:${dialled}`, websocket),
      `80 one.${place}:${dialled}.`,
      'a websocket over HTTP/2, at the default port',
    );
    const upgraded = await rawExchange(
      to,
      `GET / HTTP/1.1\r\nHost: one.${place}:${dialled}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      { until: /80 one/ },
    );
    t.equal(upgraded.status, 101, 'a websocket over HTTP/1.1');

    const client = new Client(`${to.address}:${to.port}`, credentials.createInsecure(), {
      'grpc.default_authority': `calls.test:${dialled}`,
    });
    t.teardown(() => client.close());
    const { path, requestSerialize, responseDeserialize } = echoService.Say;
    const said = await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        Buffer.from('hi'),
        (error, answer) => (error ? reject(error) : resolve(String(answer))),
      );
    });
    t.equal(said, 'hi', 'gRPC with the dialled port in its authority');
  });
}

t.test('without scheme_header_transformation :scheme is what X-Forwarded-Proto says', async (t) => {
  const outbound = await freeAddress();
  const { close } = await startPatched({
    scope: { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound },
    yaml: entry('two.near', 'sh-a', { 9090: ['HTTP2', await http2App('9090')] }),
    patch(message: Loose) {
      delete message.filter_chains?.[0]?.filters?.[0]?.typed_config.scheme_header_transformation;
    },
  });
  t.teardown(close);
  const headers = { 'x-asked': '1', 'x-forwarded-proto': 'https' };
  await until('it serves', async () => {
    const { body } = await get(outbound, '/', { host: 'two.near', headers });
    return body === '9090 two.near https';
  });
});

t.test('without the settings there is no route', async (t) => {
  const outbound = await freeAddress();
  const { close } = await startPatched({
    scope: { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound },
    yaml: entry('one.near', 'sh-a', { 80: ['HTTP', await app('80')] }),
    patch(message: Loose) {
      delete message.ignore_port_in_host_matching;
      const manager = message.filter_chains?.[0]?.filters?.[0]?.typed_config;
      if (!manager) return;
      delete manager.strip_trailing_host_dot;
      for (const { header_value_extractor: of } of manager.scoped_routes.scope_key_builder.fragments)
        delete of.element_separator;
    },
  });
  t.teardown(close);
  await until('it serves', async () => (await get(outbound, '/', { host: 'one.near' })).status === 200);
  for (const host of ['one.near:15001', 'one.near.']) {
    t.equal((await get(outbound, '/', { host })).status, 404, host);
  }
});
