import t, { type Test } from 'tap';
import type { ResourceJson } from '../../src/xds/codec/codec.ts';
import { createXdsServer, type XdsLimits } from '../../src/xds/xds.ts';
import { connectRaw } from '../support/clients/grpc-call.ts';
import { connectXds, typeUrl, type XdsClient } from '../support/clients/xds-client.ts';
import { get } from '../support/mesh.ts';
import { startServe } from '../support/planes/served.ts';

const mib = 2 ** 20;
const namesOf = (count: number, of: string) => Array.from({ length: count }, (_, i) => `${of}-${i}`);

/**
 * A server whose clients may have it remember so much; every node is of one class, which has some
 * assignments.
 */
async function serve(t: Test, budget: XdsLimits['budget']) {
  const server = createXdsServer({ classOf: () => 'k', limits: budget === undefined ? {} : { budget } });
  server.upsert(
    'k',
    namesOf(1_000, 'there').map(
      (cluster_name) =>
        ({
          '@type': typeUrl('EDS'),
          cluster_name,
          endpoints: [{ locality: { zone: 'z'.repeat(1_000) } }],
        }) as ResourceJson,
    ),
  );
  const address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
  const clients: XdsClient[] = [];
  t.teardown(async () => {
    for (const client of clients) client.close();
    await server.close();
  });
  return {
    server,
    connect(id: string) {
      const client = connectXds(address, 'delta', { id });
      clients.push(client);
      return client;
    },
  };
}

for (const [is, budget] of [
  ['', { connectionBytesMax: mib }],
  ['the control: with more room it is served', undefined],
] as const)
  t.test(`a client of too many names is told so, and nobody else is; ${is}`, async (t) => {
    const { server, connect } = await serve(t, budget);
    const [modest, greedy] = [connect('modest'), connect('greedy')];
    modest.send(typeUrl('EDS'), { resource_names_subscribe: ['there-1'] });
    const response = await modest.next();
    t.match(response, { resources: [{ name: 'there-1' }] });
    modest.ack(response);
    greedy.send(typeUrl('EDS'), { resource_names_subscribe: namesOf(20_000, 'not') });
    if (budget === undefined) {
      t.equal((await greedy.next()).type_url, typeUrl('EDS'));
      t.ok((server.kept().saidBytes ?? 0) > 2 * mib, 'the gauge shows it');
      return;
    }
    t.match(await greedy.ended, {
      code: 8,
      details: /^this connection has more than 1 MiB of names and other data to remember: subscribe to fewer/,
    });
    modest.send(typeUrl('EDS'), { resource_names_subscribe: ['there-2'] });
    t.match(await modest.next(), { resources: [{ name: 'there-2' }] });
    t.ok((server.kept().saidBytes ?? 0) < mib, 'and what it said is forgotten');
  });

for (const [is, budget] of [
  ['', { connectionUnansweredMax: mib }],
  ['the control: with more room it is served', undefined],
] as const)
  t.test(`a client that does not answer what it alone was sent is told so; ${is}`, async (t) => {
    const { server, connect } = await serve(t, budget);
    const client = connect('silent');
    client.send(typeUrl('EDS'), { resource_names_subscribe: namesOf(1_000, 'there') });
    if (budget === undefined) {
      const response = await client.next();
      t.equal(response.resources?.length, 1_000);
      t.ok((server.kept().unansweredBytes ?? 0) > mib);
      client.ack(response);
      client.send(typeUrl('EDS'), { resource_names_subscribe: ['last'] });
      await client.next();
      t.ok((server.kept().unansweredBytes ?? 0) < 10_000, 'what is answered is not counted any more');
      return;
    }
    t.match(await client.ended, {
      code: 8,
      details: /^this connection has more than 1 MiB of unacknowledged responses: acknowledge them/,
    });
    t.equal(server.kept().unansweredBytes, 0);
  });

t.test('gauges on the control plane and its clients, and --xds-tools', async (t) => {
  const reflection = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const csds = '/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus';
  for (const tools of ['on', 'off']) {
    const served = await startServe({ flags: ['--xds-tools', tools] });
    t.teardown(() => served.close());
    await served.ready();
    const raw = connectRaw(`127.0.0.1:${served.xds.port}`);
    t.teardown(() => raw.close());
    const metadata = { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } };
    const client = connectXds(`127.0.0.1:${served.xds.port}`, 'delta', { id: 'one', metadata });
    client.send(typeUrl('EDS'), { resource_names_subscribe: namesOf(100, 'n') });
    await client.next();
    const page = (await get(served.admin, '/metrics')).body;
    for (const of of [
      'saidBytes',
      'unansweredBytes',
      'answerBytes',
      'unsettled',
      'goneNodes',
      'refusedClients',
    ])
      t.match(page, new RegExp(`isthmus_xds_level\\{[^}]*of="${of}"[^}]*\\} \\d`), of);
    const [, said] = /isthmus_xds_level\{[^}]*of="saidBytes"[^}]*\} (\d+)/.exec(page) ?? [];
    t.ok(Number(said) > 10_000, `${said} bytes said`);
    if (tools === 'on') t.ok((await raw.unary(csds, new Uint8Array())).length > 0);
    else
      for (const path of [csds, reflection])
        await t.rejects(raw.unary(path, new Uint8Array()), { code: 12 }, `${path}: UNIMPLEMENTED`);
    client.close();
  }
});
