import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { type Change, type MeshObject, refKey, refOf } from '../../src/model/object.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { noFacets, type Sink } from '../../src/registry/source.ts';
import { idc, serviceEntry, upserts, workloadEntry } from '../index/fixture.ts';
import { connectXds } from '../support/clients/xds-client.ts';

const groups = 1500;
const service = (i: number) =>
  serviceEntry(`mesh/s${i}`, [`s${i}.mesh`], { workloadSelector: { app: `a${i}` } });
const workload = (i: number, address: string) =>
  workloadEntry(`mesh/w${i}`, { app: `a${i}` }, { address, locality: 'sh-a/z1' });

t.test('changes during the encoding of a large class are in its first response', async (t) => {
  let sink: Sink | undefined;
  const held = new Map<string, MeshObject>();
  const upsert = (...objects: MeshObject[]) => {
    for (const object of objects) held.set(refKey(refOf(object)), object);
    return upserts(...objects);
  };
  const numbers = Array.from({ length: groups }, (_, i) => i);
  const source = {
    name: 'memory',
    async start(to: Sink) {
      sink = to;
      to.changes(
        upsert(idc('sh-a'), ...numbers.map(service), ...numbers.map((i) => workload(i, '10.0.0.1'))),
      );
      to.changes([{ type: 'synced', source: 'memory', at: systemClock.now() }]);
    },
    objects: () => held.values(),
    repair: (batch: readonly Change[]) => sink?.changes(batch),
    facets: noFacets,
  };
  const plane = await startControlPlane(
    {
      idc: 'sh-a',
      sources: [source],
      xds: { address: '127.0.0.1', port: 0 },
      hopLimit: 1,
      clock: systemClock,
      logger: silentLogger,
    },
    { answerBeforeReady: true },
  );
  t.teardown(() => plane.close());
  const at = (port: number) => ({ address: '127.0.0.1', port });
  const isthmus = { role: 'ingress', idc: 'sh-a', edge: at(8000), peer: at(8001) };
  const client = connectXds(`127.0.0.1:${plane.xds.port}`, 'delta', { id: 'gw', metadata: { isthmus } });
  t.teardown(() => client.close());
  client.send('CDS', { resource_names_subscribe: ['*'] });
  while (plane.status().proxies.length === 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(client.waiting(), 0, 'it is not answered yet');
  const changes: Change[] = [
    ...upsert(workload(7, '10.7.7.7')),
    { type: 'delete', ref: refOf(service(8)), at: systemClock.now() },
    ...upsert(service(groups), workload(groups, '10.0.0.2')),
  ];
  held.delete(refKey(refOf(service(8))));
  sink?.changes(changes);
  const clusters = await client.next();
  const names = new Set(clusters.resources?.map((one) => one.name));
  t.ok(names.has('instances/s7.mesh:80'));
  t.notOk(names.has('instances/s8.mesh:80'), 'what went meanwhile is not in it');
  t.ok(names.has(`instances/s${groups}.mesh:80`), 'what came meanwhile is');
  client.send('EDS', { resource_names_subscribe: ['instances/s7.mesh:80'] });
  t.match(JSON.stringify((await client.next()).resources), /10\.7\.7\.7/);
});
