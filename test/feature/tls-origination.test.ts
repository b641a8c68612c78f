import { createSecureServer } from 'node:http2';
import { createServer, type ServerOptions } from 'node:https';
import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createServer as createTlsServer } from 'node:tls';
import t from 'tap';
import { createAuthority } from '../support/certificates.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { freePort } from '../support/port.ts';

const authority = createAuthority();
const stranger = createAuthority();
t.teardown(() => authority.close());
t.teardown(() => stranger.close());
const client = authority.issue('caller');
const ca = `caCertificates: ${authority.certFile}`;

/**
 * What a server saw of a connection: the name it was asked for, the protocol, the certificate of the client.
 */
const seen = (socket: TLSSocket) =>
  [socket.servername, socket.alpnProtocol, socket.getPeerCertificate()?.subject?.CN ?? '-'].join(' ');

async function listening(server: { listen(port: number, done: () => void): unknown; close(): unknown }) {
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, resolve));
  t.teardown(() => server.close());
  return port;
}

/** Names by which servers were asked for their health. */
const checks = new Set<unknown>();

async function https(options: ServerOptions): Promise<number> {
  const server = createServer(options, (request, response) => {
    if (request.url === '/healthz') checks.add((request.socket as TLSSocket).servername);
    response.end(`${request.url} ${seen(request.socket as TLSSocket)}`);
  });
  t.teardown(() => server.closeAllConnections());
  return listening(server);
}

const named = await https(authority.issue('api.example.com'));
const other = await https(authority.issue('other.example.com'));
const untrusted = await https(stranger.issue('api.example.com'));
const pattern = await https(authority.issue('*.wild.example.com'));
const mutual = await https({
  ...authority.issue('mutual.example.com'),
  ca: authority.cert,
  requestCert: true,
  rejectUnauthorized: true,
});
const h2 = await listening(
  createSecureServer(authority.issue('grpc.example.com'), (request, response) =>
    response.end(seen(request.stream.session?.socket as TLSSocket)),
  ),
);
const raw = await listening(
  createTlsServer(authority.issue('db.example.com'), (socket) => {
    socket.on('error', () => {}).write(`${seen(socket)}\n`);
    socket.pipe(socket);
  }),
);

/** Where the sidecar listens for its only TCP Group. */
const tcpPort = await freePort();

interface Host {
  readonly host: string;
  readonly port: number;
  readonly tls: string;
  readonly protocol?: string;
  readonly more?: string;
  readonly annotations?: string;
}

/** What comes back until it ends in what was sent. */
function echoed(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      got += chunk;
      if (got.endsWith(text)) socket.destroy();
    });
    socket.on('error', () => {}).on('close', () => resolve(got));
  });
}

let count = 0;
const objects = ({ host, port, tls, protocol = 'HTTP', more = '', annotations = '{}' }: Host) => {
  count += 1;
  return `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: s-${count}, namespace: shop, annotations: ${annotations}}
spec:
  hosts: ["${host}"]
  resolution: DNS
  ports: [{number: ${protocol === 'TCP' ? tcpPort : 80}, targetPort: ${port}, name: main, protocol: ${protocol}}]
  endpoints: [{address: 127.0.0.1}]
  ${more}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: s-${count}, namespace: shop}
spec:
  host: "${host}"
  trafficPolicy: {portLevelSettings: [{port: {number: ${protocol === 'TCP' ? tcpPort : 80}}, tls: ${tls}}]}
`;
};

const files = `clientCertificate: ${client.certFile}, privateKey: ${client.keyFile}`;
const sans = 'subjectAltNames: [other.example.com]';
const mesh = await startMesh('sh-a', {
  'idc.yaml': idcYaml,
  'hosts.yaml': [
    objects({ host: 'api.example.com', port: named, tls: `{mode: SIMPLE, ${ca}}` }),
    objects({
      host: 'checked.example.com',
      port: named,
      tls: `{mode: SIMPLE, ${ca}, sni: api.example.com, subjectAltNames: [api.example.com]}`,
      annotations: '{isthmus.dev/health-path: /healthz, isthmus.dev/health-interval: 1s}',
    }),
    objects({ host: 'roots.example.com', port: untrusted, tls: '{mode: SIMPLE, sni: api.example.com}' }),
    objects({
      host: 'untrusted.example.com',
      port: untrusted,
      tls: `{mode: SIMPLE, ${ca}, subjectAltNames: [api.example.com]}`,
    }),
    objects({
      host: 'skipped.example.com',
      port: untrusted,
      tls: '{mode: SIMPLE, insecureSkipVerify: true}',
    }),
    objects({ host: 'misnamed.example.com', port: other, tls: `{mode: SIMPLE, ${ca}}` }),
    objects({ host: 'entry.example.com', port: other, tls: `{mode: SIMPLE, ${ca}}`, more: sans }),
    objects({
      host: 'rule.example.com',
      port: named,
      tls: `{mode: SIMPLE, ${ca}, subjectAltNames: [api.example.com]}`,
      more: sans,
    }),
    objects({ host: '*.wild.example.com', port: pattern, tls: `{mode: SIMPLE, ${ca}}` }),
    objects({ host: '*.example.org', port: pattern, tls: `{mode: SIMPLE, ${ca}}` }),
    objects({ host: 'mutual.example.com', port: mutual, tls: `{mode: MUTUAL, ${ca}, ${files}}` }),
    objects({
      host: 'nobody.example.com',
      port: mutual,
      tls: `{mode: SIMPLE, ${ca}, subjectAltNames: [mutual.example.com]}`,
    }),
    objects({ host: 'grpc.example.com', port: h2, tls: `{mode: SIMPLE, ${ca}}`, protocol: 'GRPC' }),
    objects({ host: 'db.example.com', port: raw, tls: `{mode: SIMPLE, ${ca}}`, protocol: 'TCP' }),
    objects({ host: 'plain.example.com', port: named, tls: '{mode: DISABLE}' }),
  ].join(''),
});
t.teardown(() => mesh.close());
const outbound = await freeAddress();
await mesh.envoy('caller', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound });

/** What a host's server saw, or the status. */
async function ask(host: string): Promise<string | number> {
  const { status, body } = await get(outbound, '/', { host });
  return status === 200 ? body : status;
}

t.test('SIMPLE: the server must be the host', async (t) => {
  await until('served', async () => typeof (await ask('api.example.com')) === 'string');
  t.equal(
    await ask('api.example.com'),
    '/ api.example.com http/1.1 -',
    'it is asked for by the name of the host',
  );
  t.equal(await ask('misnamed.example.com'), 503, 'a certificate for another name');
  t.equal(await ask('untrusted.example.com'), 503, 'of an authority that is not the one given');
  t.equal(await ask('roots.example.com'), 503, 'none given: those of the system');
  t.equal(await ask('skipped.example.com'), '/ skipped.example.com http/1.1 -', 'not verified');
  t.equal(await ask('plain.example.com'), 503, 'the control: without TLS this server is not to be talked to');
});

t.test('names of certificates: of the DestinationRule, otherwise of the ServiceEntry', async (t) => {
  t.equal(await ask('entry.example.com'), '/ entry.example.com http/1.1 -');
  t.equal(await ask('rule.example.com'), '/ rule.example.com http/1.1 -');
});

t.test('a pattern of hosts: the host of each request', async (t) => {
  for (const host of ['a.wild.example.com', 'b.wild.example.com'])
    t.equal(await ask(host), `/ ${host} http/1.1 -`);
  t.equal(await ask('a.example.org'), 503, 'which the certificate must have');
});

t.test('MUTUAL: the proxy shows a certificate', async (t) => {
  t.equal(await ask('mutual.example.com'), '/ mutual.example.com http/1.1 caller');
  t.equal(await ask('nobody.example.com'), 503, 'the control: SIMPLE shows none');
});

t.test('HTTP/2 is agreed on, TCP has no protocol', async (t) => {
  t.equal(await ask('grpc.example.com'), 'grpc.example.com h2 -');
  const got = await echoed(tcpPort, 'hello');
  t.equal(got, 'db.example.com false -\nhello');
});

t.test('health checks speak TLS too', async (t) => {
  await until('healthy', async () => typeof (await ask('checked.example.com')) === 'string');
  t.ok(checks.has('api.example.com'), 'and ask for the name');
});
