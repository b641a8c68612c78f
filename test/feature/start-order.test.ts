import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { idc, service, workload } from '../registry/objects.ts';
import { connectXds, type XdsClient } from '../support/clients/xds-client.ts';
import { until } from '../support/mesh.ts';
import { createRawSource } from '../support/planes/raw-source.ts';

const at = (port: number) => ({ address: '127.0.0.1', port });
const ingress = { role: 'ingress', idc: 'sh-a', edge: at(8000), peer: at(8001) };
const egress = { role: 'egress', idc: 'sh-a', sidecar: at(8002), ingress: at(8003) };

/** A control plane that knows these IDCs, and clients of it. */
async function start(t: Test, ...idcs: readonly string[]) {
  const objects = [...idcs.map(idc), service('s', 'a.example'), workload('w', { ports: { http: 1 } })];
  const plane = await startControlPlane({
    ...{ idc: 'sh-a', sources: [createRawSource(objects)], xds: at(0), hopLimit: 1 },
    ...{ clock: systemClock, logger: silentLogger },
  });
  t.teardown(() => plane.close());
  await until('ready', () => plane.status().ready);
  return (id: string, isthmus: object, protocol: 'delta' | 'sotw' = 'delta') => {
    const client = connectXds(`127.0.0.1:${plane.xds.port}`, protocol, { id, metadata: { isthmus } });
    t.teardown(() => client.close());
    return client;
  };
}

/** Takes everything of a type, and accepts it. */
async function take(client: XdsClient, type: string, ...names: readonly string[]): Promise<string> {
  client.send(type, { resource_names_subscribe: names });
  const response = await client.next();
  client.ack(response);
  return JSON.stringify(response.resources);
}

const within = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name ?? '');

t.test('an ingress that starts is answered when an egress listens', async (t) => {
  const connect = await start(t, 'sh-a', 'sh-b');
  const entrance = connect('ingress-1', ingress);
  let answered = false;
  const clusters = take(entrance, 'CDS', '*').then(() => {
    answered = true;
  });
  const exit = connect('egress-1', egress);
  await take(exit, 'CDS', '*');
  const listeners = await take(exit, 'LDS', '*');
  t.match(listeners, /"scoped_routes"/);
  const scopes = await take(exit, 'SRDS', '*');
  await take(exit, 'RDS', ...within(scopes, /"route_configuration_name":"([^"]+)"/g));
  t.notOk(answered, 'its listeners still lack their filters');
  await take(exit, 'ECDS', ...within(listeners, /"name":"([^"]+)","config_discovery"/g));
  await clusters;
  t.ok(answered);
  // One that comes later finds the egress there.
  await take(connect('ingress-2', { ...ingress, edge: at(9000) }), 'CDS', '*');
});

t.test('without another IDC it does not wait for an egress', async (t) => {
  const connect = await start(t, 'sh-a');
  const before = systemClock.now();
  await take(connect('ingress-1', ingress), 'CDS', '*');
  t.ok(systemClock.now() - before < 4_000, 'less than what it would wait for one');
});
