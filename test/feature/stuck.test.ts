import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { idc, service, workload } from '../registry/objects.ts';
import { connectXds, type XdsClient, type XdsResponse } from '../support/clients/xds-client.ts';
import { until } from '../support/mesh.ts';
import { createRawSource } from '../support/planes/raw-source.ts';

// A proxy that is stuck costs one response of a type in flight and one pending state, however much happens.
const events = 10_000;
const newestPort = events / 2;
setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

function heapBytes(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

const metadata = {
  isthmus: {
    ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
    outbound: { address: '127.0.0.1', port: 15001 },
  },
};

/** Asks for all clusters and their endpoints; returns the first endpoints, not ACKed yet. */
async function ask(client: XdsClient): Promise<XdsResponse> {
  client.send('CDS', { resource_names_subscribe: ['*'] });
  const clusters = await client.next();
  client.ack(clusters);
  client.send('EDS', { resource_names_subscribe: ['instances/a.example:80'] });
  return client.next();
}

t.test(
  '10,000 events with proxies that never ACK, or never read: memory stays, others go on',
  { timeout: 250_000 },
  async (t) => {
    const source = createRawSource([
      idc('sh-a'),
      service('s', 'a.example'),
      workload('w', { ports: { http: 1 } }),
    ]);
    const plane = await startControlPlane({
      ...{ idc: 'sh-a', sources: [source], xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1 },
      ...{ clock: systemClock, logger: silentLogger },
    });
    const connect = (id: string) => connectXds(`127.0.0.1:${plane.xds.port}`, 'delta', { id, metadata });
    const silent = connect('silent');
    const deaf = connect('deaf');
    const healthy = connect('healthy');
    t.teardown(async () => {
      for (const client of [silent, deaf, healthy]) client.close();
      await plane.close();
    });
    await until('it is ready', () => plane.readiness().ready);
    const first = await ask(silent);
    deaf.ack(await ask(deaf));
    deaf.pause();
    healthy.ack(await ask(healthy));
    const start = performance.now();
    let taken = 0;
    let lastPort = 0;
    void (async () => {
      for (;;) {
        const response = await healthy.next();
        taken += 1;
        const found = /"port_value":(\d+)/.exec(JSON.stringify(response));
        lastPort = Number(found?.[1]);
        healthy.ack(response);
      }
    })().catch(() => {});
    // Twice the same states: what is kept by content (encoded resources, up to a limit) is there after the
    // first time.
    const run = async () => {
      lastPort = 0;
      for (let port = 1; port <= newestPort; port += 1) {
        source.put(workload('w', { ports: { http: port } }));
        if (port % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await until('the healthy one is up to date', () => lastPort === newestPort);
    };
    await run();
    const half = heapBytes();
    await run();
    const grown = heapBytes() - half;
    t.comment(
      `healthy: ${taken} responses; heap: ${Math.round(half / 1e6)} MB, grown by ${grown} B in 5,000 events`,
    );
    t.ok(grown < half / 20, `${grown} bytes more than ${half}`);
    t.ok(taken > 100, `a proxy that ACKs gets more and more: ${taken}`);
    await until('its ACK is counted', () => {
      const one = plane.status().proxies.find(({ id }) => id === 'healthy');
      return one?.types.EDS?.state === 'SYNCED';
    });
    const states = Object.fromEntries(plane.status().proxies.map(({ id, types }) => [id, types.EDS?.state]));
    t.same(states, { silent: 'STALE', deaf: 'STALE', healthy: 'SYNCED' });
    // Longer than any wait of the server's: what is not ACKed is followed by nothing.
    await until('6 s have passed', () => performance.now() - start > 6_000);
    t.equal(silent.waiting(), 0, 'one response was in flight all along');
    silent.ack(first);
    const newest = await silent.next();
    t.match(JSON.stringify(newest), `"port_value":${newestPort}`, 'the newest state, right after its ACK');
    silent.ack(newest);
    deaf.resume();
    const missed = await deaf.next();
    t.notMatch(JSON.stringify(missed), `"port_value":${newestPort}`, 'what was sent when it stopped reading');
    deaf.ack(missed);
    const last = await deaf.next();
    t.match(JSON.stringify(last), `"port_value":${newestPort}`, 'then what waited: the newest state alone');
    deaf.ack(last);
    await until('it has caught up', () => {
      const one = plane.status().proxies.find(({ id }) => id === 'deaf');
      return one?.types.EDS?.state === 'SYNCED';
    });
    t.equal(deaf.waiting() + silent.waiting(), 0);
  },
);
