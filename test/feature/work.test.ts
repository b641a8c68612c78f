import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { codecStats } from '../../src/xds/codec/codec.ts';
import { createXdsServer } from '../../src/xds/xds.ts';
import { idc, service, workload } from '../registry/objects.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { until } from '../support/mesh.ts';
import { createRawSource } from '../support/planes/raw-source.ts';

// What a change costs must not grow with what it does not change: counted, not timed.
const clusters = 50;
const cluster = (i: number, altName = '') => ({
  '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  name: `c${i}`,
  ...(altName !== '' && { alt_stat_name: altName }),
});

t.test('a change is encoded once, and affects only its subscribers', async (t) => {
  const server = createXdsServer({ classOf: () => 'all' });
  t.teardown(() => server.close());
  const port = await server.listen('127.0.0.1:0');
  server.upsert(
    'all',
    Array.from({ length: clusters }, (_, i) => cluster(i)),
  );
  const connect = (id: string) => {
    const client = connectXds(`127.0.0.1:${port}`, 'delta', { id });
    t.teardown(() => client.close());
    return client;
  };
  // Twelve that have everything, eight that look at one cluster each.
  const all = Array.from({ length: 12 }, (_, i) => connect(`all-${i}`));
  const few = Array.from({ length: 8 }, (_, i) => connect(`few-${i}`));
  for (const client of all) client.send('CDS', { resource_names_subscribe: ['*'] });
  few.forEach((client, i) => {
    client.send('CDS', { resource_names_subscribe: [`c${i}`] });
  });
  for (const client of [...all, ...few]) client.ack(await client.next());
  await until('all have ACKed', () => server.stats.acks === 20);

  const before = { ...server.stats, encoded: codecStats.resourcesEncoded };
  server.upsert('all', [cluster(3, 'changed'), cluster(40)]);
  for (const client of [...all, few[3] as (typeof few)[number]]) {
    const response = await client.next();
    t.equal(response.resources?.length, 1, 'what did not change is not sent');
    client.ack(response);
  }
  await until('those who care have ACKed', () => server.stats.acks === 33);
  const { stats } = server;
  t.equal(
    codecStats.resourcesEncoded - before.encoded,
    2,
    'what was put, once for all, to see whether it changed',
  );
  t.equal(stats.resourcesChanged - before.resourcesChanged, 1);
  t.equal(stats.streamsTouched - before.streamsTouched, 13);
  t.equal(stats.pushes - before.pushes, 13);
  t.equal(
    stats.responsesBuilt - before.responsesBuilt,
    2,
    'one for those with everything, one for the other',
  );
});

t.test('an endpoint that moves in a mesh of 40 Groups: one resource is encoded', async (t) => {
  const groups = Array.from({ length: 40 }, (_, i) => i);
  const source = createRawSource([
    idc('sh-a'),
    ...groups.map((i) =>
      service(`s${i}`, `h${i}.example`, { workloadSelector: { labels: { app: `a${i}` } } }),
    ),
    ...groups.map((i) =>
      workload(`w${i}`, { address: '10.0.0.1', labels: { app: `a${i}` }, ports: { http: 1 } }),
    ),
  ]);
  const plane = await startControlPlane({
    ...{ idc: 'sh-a', sources: [source], xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1 },
    ...{ clock: systemClock, logger: silentLogger },
  });
  t.teardown(() => plane.close());
  const isthmus = {
    role: 'sidecar',
    idc: 'sh-a',
    namespace: 'shop',
    outbound: { address: '127.0.0.1', port: 15001 },
  };
  const client = connectXds(`127.0.0.1:${plane.xds.port}`, 'delta', { id: 'one', metadata: { isthmus } });
  t.teardown(() => client.close());
  client.send('CDS', { resource_names_subscribe: ['*'] });
  client.ack(await client.next());
  client.send('EDS', { resource_names_subscribe: groups.map((i) => `instances/h${i}.example:80`) });
  const endpoints = await client.next();
  t.equal(endpoints.resources?.length, 40);
  client.ack(endpoints);
  const before = codecStats.resourcesEncoded;
  source.put(workload('w7', { address: '10.7.7.7', labels: { app: 'a7' }, ports: { http: 1 } }));
  const changed = await client.next();
  t.match(JSON.stringify(changed.resources), /10\.7\.7\.7/);
  t.equal(changed.resources?.length, 1);
  t.equal(codecStats.resourcesEncoded - before, 1);
});
