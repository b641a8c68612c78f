import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import type { IssuedPair } from '../../src/trust/ca/issue.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { until } from '../support/mesh.ts';
import { egressScope, sidecarScope, startTrusting } from '../support/planes/trusting.ts';
import { identityUri } from '../support/trust.ts';

t.test('a node is who its certificate says, and anything else is refused and counted', async (t) => {
  const s = await startTrusting(t);
  const right = { id: 'caller-1', metadata: sidecarScope() };
  const one = await s.leaf(identityUri('sidecar', 'caller-1'));
  t.match(await s.connect(one, right).next(), { type_url: /Cluster$/ });
  const uri = (trustDomain: string, idc: string) => `spiffe://${trustDomain}/idc/${idc}/sidecar/caller-1`;
  const wrong: [string, IssuedPair, object, RegExp][] = [
    ['another name', one, { ...right, id: 'caller-2' }, /caller-1.*says id 'caller-2'/],
    ['a gateway’s role', one, { id: 'caller-1', metadata: egressScope }, /says role 'egress'/],
    ['a certificate of another IDC', await s.leaf(uri('sh-a.example', 'sh-b')), right, /of IDC sh-b/],
    ['another trust domain', await s.leaf(uri('sh-b.example', 'sh-a')), right, /trust domain sh-b/],
    [
      'a control plane as a sidecar',
      await s.leaf(identityUri('controlplane', 'caller-1')),
      right,
      /says role/,
    ],
  ];
  for (const [index, [what, pair, node, details]] of wrong.entries()) {
    t.match(await s.connect(pair, node).ended, { code: 7, details }, what);
    t.equal(await s.refused(), index + 1, `${what}: counted`);
  }
  const elsewhere = { ...right, metadata: sidecarScope('sh-b') };
  t.match(await s.connect(one, elsewhere).ended, { code: 3, details: /in IDC 'sh-b'/ }, 'another IDC’s node');
  t.equal(await s.told('refused'), 5);
  t.equal(await s.turnedAway(), 0);
});

t.test(
  'a certificate that is not in force, or of somebody else, ends the handshake, and is counted',
  async (t) => {
    const s = await startTrusting(t);
    const uri = identityUri('sidecar', 'caller-1');
    const node = { id: 'caller-1', metadata: sidecarScope() };
    const foreign = await s.trust.root();
    const wrong: [string, IssuedPair | undefined][] = [
      ['none', undefined],
      ['expired', await s.leaf(uri, { fromMs: -7_200_000, untilMs: -3_600_000 })],
      ['not valid yet', await s.leaf(uri, { fromMs: 3_600_000, untilMs: 7_200_000 })],
      ['of another authority', await s.leaf(uri, {}, foreign)],
    ];
    for (const [index, [what, pair]] of wrong.entries()) {
      const client = s.connect(pair, node);
      t.match(await client.ended, { code: 14 }, what);
      client.close();
      await until(`${what}: counted`, async () => (await s.turnedAway()) > index);
    }
    t.equal(await s.refused(), 0);
    t.equal(s.mesh.plane.status().proxies.length, 0);
    t.match(await s.connect(await s.leaf(uri), node).next(), { type_url: /Cluster$/ }, 'the control');
  },
);

t.test('TLS 1.2, plaintext and resumed sessions are not served', async (t) => {
  const s = await startTrusting(t);
  const pair = await s.leaf(identityUri('sidecar', 'caller-1'));
  const plain = connectXds(`127.0.0.1:${s.mesh.plane.xds.port}`, 'delta', { id: 'caller-1' });
  plain.send('CDS');
  t.match(await plain.ended, { code: 14 });
  plain.close();
  const port = s.mesh.plane.xds.port;
  const connect = (to: number, maxVersion: 'TLSv1.2' | 'TLSv1.3', session?: Buffer) =>
    new Promise<{ readonly end: string; readonly session?: Buffer }>((resolve) => {
      let ticket = session;
      const socket = connectTls({
        ...{ port: to, host: '127.0.0.1', ca: s.root.certificate, maxVersion, ALPNProtocols: ['h2'] },
        ...{ cert: pair.certificate, key: pair.key, checkServerIdentity: () => undefined },
        ...(session && { session }),
      });
      socket.on('session', (one) => {
        ticket = one;
      });
      // The server's SETTINGS: whatever it sends after its handshake has come before.
      socket.once('data', () => {
        const end = socket.isSessionReused() ? 'resumed' : 'served';
        socket.destroy();
        resolve({ end, ...(ticket && { session: ticket }) });
      });
      socket.once('error', ({ message }) => resolve({ end: message }));
    });
  t.match((await connect(port, 'TLSv1.2')).end, /protocol version/i);
  const first = await connect(port, 'TLSv1.3');
  t.equal(first.end, 'served', 'the control: TLS 1.3');
  t.equal((await connect(port, 'TLSv1.3', first.session)).end, 'served', 'not resumed');
  const own = { cert: pair.certificate, key: pair.key, ca: s.root.certificate, requestCert: true };
  const lenient = createSecureServer(own).listen(0, '127.0.0.1');
  t.teardown(() => lenient.close());
  await once(lenient, 'listening');
  const other = (lenient.address() as AddressInfo).port;
  const { session } = await connect(other, 'TLSv1.3');
  t.equal((await connect(other, 'TLSv1.3', session)).end, 'resumed', 'the control: a server with tickets');
});

t.test('the control: with the check off, a sidecar gets what is a gateway’s', async (t) => {
  const s = await startTrusting(t, { believeNodes: true });
  const one = await s.leaf(identityUri('sidecar', 'caller-1'));
  t.match(await s.connect(one, { id: 'egress-1', metadata: egressScope }).next(), { type_url: /Cluster$/ });
});

t.test('a stream ends with its certificate', async (t) => {
  const s = await startTrusting(t);
  const short = await s.leaf(identityUri('sidecar', 'caller-1'), { untilMs: 8_000 });
  const client = s.connect(short, { id: 'caller-1', metadata: sidecarScope() });
  t.match(await client.ended, { code: 7, details: /has expired/ });
  t.equal(await s.told('ended'), 1);
});

t.test('certificate and roots are replaced under streams; those of a root that has gone end', async (t) => {
  const s = await startTrusting(t);
  const node = (name: string) => ({ id: name, metadata: sidecarScope() });
  const old = s.connect(await s.leaf(identityUri('sidecar', 'old')), node('old'));
  await old.next();
  const next = await s.trust.root();
  const both = s.root.certificate + next.certificate;
  await s.trust.put(s.own, next, identityUri('controlplane', 'cp-1'), [s.root, next]);
  await until('it is in force', async () => (await s.told('updated')) === 1);
  const late = s.connect(await s.leaf(identityUri('sidecar', 'late'), {}, next), node('late'), both);
  await late.next();
  t.equal(s.mesh.plane.status().proxies.length, 2, 'both are served');
  await s.trust.put(s.own, next, identityUri('controlplane', 'cp-1'), [next]);
  t.match(await old.ended, { code: 7, details: /root .* is trusted no more/ });
  t.match(s.mesh.plane.status().proxies, [{ id: 'late' }]);
  t.equal(await s.told('updated'), 2);
});

t.test('what cannot be used is not put in force, and is told as a problem', async (t) => {
  const s = await startTrusting(t);
  const node = (name: string) => ({ id: name, metadata: sidecarScope() });
  const problems = () => s.mesh.plane.problems().filter(({ code }) => code === 'TrustKept');
  const breaks: [string, () => Promise<void>][] = [
    ['no key', async () => writeFileSync(join(s.own, 'cur', 'key.pem'), 'x')],
    ['a sidecar’s certificate', () => s.trust.put(s.own, s.root, identityUri('sidecar', 'x'))],
    ['nothing', async () => rmSync(join(s.own, 'cur'))],
  ];
  for (const [what, damage] of breaks) {
    await s.trust.put(s.own, s.root, identityUri('controlplane', 'cp-1'));
    await until('it is whole', async () => problems().length === 0);
    await damage();
    await until(`${what} is told`, async () => problems().length === 1);
    const name = `node-${what.replaceAll(/\W/g, '-')}`;
    const client = s.connect(await s.leaf(identityUri('sidecar', name)), node(name));
    t.match(await client.next(), { type_url: /Cluster$/ }, `${what}: clients are served as before`);
  }
});
