import { request } from 'node:http';
import { createServer, get as httpsGet } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { startDns } from '../../src/drill/world/dns-server.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { createAuthority } from '../support/certificates.ts';
import { freeAddress, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { freePort } from '../support/port.ts';

const authority = createAuthority();
t.teardown(() => authority.close());
const dns = await startDns();
t.teardown(() => dns.close());
const port = await freePort('127.0.1.1');

/** An HTTPS server that only has a certificate for `host`. */
async function serve(address: string, host: string): Promise<void> {
  const server = createServer(authority.issue(host), (_, response) => response.end(host));
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  dns.say(host, { addresses: [address] });
}
await serve('127.0.1.1', 'one.example.com');
await serve('127.0.1.2', 'two.example.com');
await serve('127.0.1.3', 'deep.wild.example.com');

const entry = (name: string, hosts: string, more = '') => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${hosts}]
  resolution: DNS
  ports: [{number: ${port}, name: tls, protocol: TLS}]
  ${more}
`;
const mesh = await startMesh('sh-a', {
  'idc.yaml': idcYaml,
  'one.yaml': entry('one', 'one.example.com'),
  'wild.yaml': entry('wild', '"*.wild.example.com"', 'endpoints: [{address: deep.wild.example.com}]'),
});
t.teardown(() => mesh.close());
const outbound = await freeAddress();
await mesh.envoy('caller', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound }, { dns: [dns] });

/**
 * What an HTTPS client gets that was told a host's address is the sidecar's; its own TLS checks the
 * certificate.
 */
function ask(host: string, socket?: Socket): Promise<string> {
  const to = { host: '127.0.0.1', port, servername: host, ca: authority.cert };
  return new Promise((resolve) => {
    const createConnection = () => connectTls(socket === undefined ? to : { ...to, socket });
    const sent = httpsGet({ ...to, headers: { host }, agent: false, createConnection }, (response) => {
      response.setEncoding('utf8').on('data', resolve);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

/** A tunnel by way of the sidecar as an HTTP proxy, or the status that it answered with. */
function tunnel(proxy: ListenAddress, to: string): Promise<Socket | number> {
  return new Promise((resolve, reject) => {
    request({ host: proxy.address, port: proxy.port, method: 'CONNECT', path: to, agent: false })
      .on('connect', (response, socket) =>
        resolve(response.statusCode === 200 ? (socket as Socket) : (response.statusCode ?? 0)),
      )
      .on('error', reject)
      .end();
  });
}

t.test('several hosts share a port: the name in TLS tells them apart', async (t) => {
  await until('served', async () => (await ask('one.example.com')) === 'one.example.com');
  t.equal(await ask('deep.wild.example.com'), 'deep.wild.example.com', 'a wildcard host too');
  t.equal(await ask('two.example.com'), 'ECONNRESET', 'nobody declared it');

  // A connection that is open stays when another host joins the port.
  const open = connectTls({ host: '127.0.0.1', port, servername: 'one.example.com', ca: authority.cert });
  let ended = false;
  open.on('close', () => {
    ended = true;
  });
  mesh.save('two.yaml', entry('two', 'two.example.com'));
  await until('the other host', async () => (await ask('two.example.com')) === 'two.example.com');
  t.equal(await ask('one.example.com'), 'one.example.com');
  const answer = new Promise<string>((resolve) => open.once('data', (chunk) => resolve(chunk.toString())));
  open.write('GET / HTTP/1.1\r\nhost: one.example.com\r\n\r\n');
  t.match(await answer, /200 OK/);
  t.notOk(ended);
  open.destroy();
});

t.test('a workload that uses its sidecar as an HTTP proxy: CONNECT', async (t) => {
  for (const host of ['one.example.com', 'two.example.com', 'deep.wild.example.com']) {
    const socket = await tunnel(outbound, `${host}:${port}`);
    t.equal(typeof socket === 'number' ? socket : await ask(host, socket), host);
  }
  t.equal(await tunnel(outbound, `nobody.example.com:${port}`), 404, 'only to what is declared');
  t.equal(await tunnel(outbound, `127.0.1.1:${port}`), 404);
  t.equal(await tunnel(outbound, 'one.example.com:22'), 404, 'nor to another port');
});

t.test('without TLS a connection does not name its host', async (t) => {
  const told = new Promise<string>((resolve) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk;
    });
    socket.on('error', () => {}).on('close', () => resolve(got));
  });
  t.equal(await told, '', 'refused, as several share the port');
});
