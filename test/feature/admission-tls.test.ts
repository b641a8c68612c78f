import { connect as connectTcp } from 'node:net';
import { credentials } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import type { AdmissionLimits } from '../../src/xds/admission/admission-limits.ts';
import { createXdsServer, type ResourceJson, type TurnedAway } from '../../src/xds/xds.ts';
import { createAuthority } from '../support/certificates.ts';
import { connectXds, typeUrl, type XdsClient } from '../support/clients/xds-client.ts';
import { until } from '../support/mesh.ts';

/** A server that only clients with a certificate reach. */
async function serve(t: Test, admission: Partial<AdmissionLimits>) {
  const authority = createAuthority();
  const own = authority.issue('xds');
  const away: TurnedAway[] = [];
  const server = createXdsServer({
    classOf: () => 'k',
    limits: { admission },
    onTurnedAway: (one) => void away.push(one),
  });
  server.upsert('k', [{ '@type': typeUrl('CDS'), name: 'a' } as ResourceJson]);
  const port = await server.listen('127.0.0.1:0', {
    ...{ certificate: own.cert, privateKey: own.key, clientCa: authority.cert },
  });
  const clients: XdsClient[] = [];
  t.teardown(async () => {
    for (const client of clients) client.close();
    await server.close();
    authority.close();
  });
  const { cert, key } = authority.issue('client');
  const pem = (text: string) => Buffer.from(text);
  const secure = credentials.createSsl(pem(authority.cert), pem(key), pem(cert), {
    checkServerIdentity: () => undefined,
  });
  return {
    ...{ port, away, server },
    level: () => server.levels()[0],
    connect(id: string) {
      const client = connectXds(`127.0.0.1:${port}`, 'delta', { id }, secure);
      clients.push(client);
      client.send(typeUrl('CDS'), { resource_names_subscribe: ['*'] });
      return client;
    },
  };
}

t.test('with TLS connections and streams are counted, and refused with a reason', async (t) => {
  const { level, connect, away } = await serve(t, { streamsMax: 2 });
  const [one, two] = [connect('one'), connect('two')];
  t.match(await one.next(), { resources: [{ name: 'a' }] });
  await two.next();
  t.match(level(), { connections: 2, streams: 2, streamless: 0 });
  t.match(await connect('three').ended, { code: 8, details: /^all 2 streams are in use/ });
  t.match(away, [{ limit: 'streams', error: { code: 'exhausted' } }]);
  one.close();
  await until('there is a place', async () => level()?.streams === 1);
  t.match(await connect('four').next(), { resources: [{ name: 'a' }] });
});

t.test('with TLS a connection over the limit is closed, existing ones stay', async (t) => {
  const { level, connect, away } = await serve(t, { connectionsMax: 1 });
  const one = connect('one');
  await one.next();
  t.match(await connect('two').ended, { code: 14 });
  t.match(away[0], { limit: 'connections' });
  t.match(level(), { connections: 1, streams: 1 });
  one.send(typeUrl('EDS'), { resource_names_subscribe: ['x'] });
  t.equal((await one.next()).type_url, typeUrl('EDS'));
});

t.test('with TLS a handshake that never comes ends', async (t) => {
  const { port, away, level } = await serve(t, { helloMsMax: 500 });
  const socket = connectTcp({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await until('it is in', async () => level()?.connections === 1);
  await closed;
  t.match(away, [{ limit: 'hello', error: { code: 'late' } }]);
  t.equal(level()?.connections, 0);
});

t.test('the control: with enough room nobody is refused', async (t) => {
  const { level, connect, away } = await serve(t, {});
  const clients = Array.from({ length: 10 }, (_, i) => connect(`client-${i}`));
  for (const client of clients) t.match(await client.next(), { resources: [{ name: 'a' }] });
  t.match(level(), { connections: 10, streams: 10 });
  t.same(away, []);
});
