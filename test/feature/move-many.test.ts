import t from 'tap';
import { createXdsServer, type StreamInfo } from '../../src/xds/xds.ts';
import { startAdsFleet } from '../support/clients/ads-fleet.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { watchLoopTurns } from '../support/loop-turns.ts';

// A thousand real streams change their class at once, and back.
t.setTimeout(600_000);
const groups = 100;
const [delta, sotw] = [500, 500];
const streams = delta + sotw;

const ads = { ads: {}, resource_api_version: 'V3' };
const cluster = (name: string) => ({
  '@type': typeUrl('CDS'),
  name,
  type: 'EDS',
  eds_cluster_config: { eds_config: ads },
});
const endpoints = (name: string, address: string) => ({
  '@type': typeUrl('EDS'),
  cluster_name: name,
  endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value: 80 } } } }] }],
});
const group = (name: string, address: string) => [cluster(name), endpoints(name, address)];

t.test('1,000 streams are moved at once', async (t) => {
  const opened: StreamInfo[] = [];
  const server = createXdsServer({ classOf: () => 'stable', onStreamOpen: (one) => void opened.push(one) });
  const same = Array.from({ length: groups }, (_, i) => group(`g${i}`, `10.1.0.${i}`)).flat();
  server.upsert('stable', [...same, ...group('old', '10.2.0.1'), ...group('both', '10.2.0.2')]);
  server.upsert('next', [...same, ...group('new', '10.3.0.1'), ...group('both', '10.3.0.2')]);
  const port = await server.listen('127.0.0.1:0');
  const fleet = startAdsFleet({
    ...{ address: `127.0.0.1:${port}`, name: 'light', delta, sotw, metadata: {} },
    endpointsMin: groups + 2,
  });
  t.teardown(async () => {
    fleet.stop();
    await server.close();
  });
  await fleet.until('all have all', ({ complete }) => complete === streams);
  const ids = opened.map(({ id }) => id);

  for (const [nodeClass, wanted, unwanted] of [
    ['next', ['10.3.0.1', '10.3.0.2'], ['10.2.0.1', '10.2.0.2']],
    ['stable', ['10.2.0.1', '10.2.0.2'], ['10.3.0.1', '10.3.0.2']],
  ] as const) {
    const before = { ...server.stats };
    const { acks, nacks } = before;
    const turns = watchLoopTurns();
    const cpu = process.threadCpuUsage();
    const { revision, streams: moved } = server.move(ids, nodeClass);
    const callUs = process.threadCpuUsage(cpu).user + process.threadCpuUsage(cpu).system;
    t.equal(moved, streams);
    t.notOk(server.isConfirmed(revision), 'none has confirmed what it was not sent');
    const { violations, addresses } = await fleet.until(
      `all are of ${nodeClass}`,
      (report) =>
        server.isConfirmed(revision) &&
        wanted.every((address) => report.addresses[`${address}:80`] === streams) &&
        unwanted.every((address) => (report.addresses[`${address}:80`] ?? 0) === 0),
    );
    const used = process.threadCpuUsage(cpu);
    const longestMs = turns.stop();
    const { responsesBuilt, pushes, bytes } = server.stats;
    t.equal(violations, 0, 'nobody ever had less than one class has');
    t.equal(addresses['10.1.0.1:80'], streams);
    t.equal(
      server.stats.acks + server.stats.nacks - acks - nacks,
      pushes - before.pushes,
      'each is answered once',
    );
    const built = responsesBuilt - before.responsesBuilt;
    t.ok(built <= 40, `${built} responses were built for ${pushes - before.pushes} sent`);
    t.equal(server.stats.outOfTurn, 0);
    // 20 to 47 were seen; 30 are what a push to many streams takes before others have their turn.
    t.ok(longestMs < 300, `the longest turn took ${longestMs} ms`);
    t.comment(
      `${nodeClass}: the call ${callUs} µs, ${((used.user + used.system) / streams).toFixed(0)} µs of CPU and`,
      `${Math.round((bytes - before.bytes) / streams)} bytes a stream, ${built} built of ${pushes - before.pushes},`,
      `longest turn ${longestMs} ms`,
    );
  }
  t.same([...new Set(server.status().map(({ nodeClass }) => nodeClass))], ['stable']);
  t.equal(server.stats.streamsMoved, 2 * streams);
  server.dropClass('next');
});
