// The whole control plane: registry events in, from memory, and out to sidecars of one namespace. Of the kind
// `shared`, Groups may leave the IDC.
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { type Change, type MeshObject, refKey, refOf } from '../../src/model/object.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { noFacets, type Sink } from '../../src/registry/source.ts';
import { drGroup, idc, serviceEntry, workloadEntry } from '../../test/index/fixture.ts';
import { addressOf, hostOf, serveControl, serverFlags } from './control.ts';

const { port, http, groups, endpoints, kind } = serverFlags();
let sink: Sink | undefined;
const held = new Map<string, MeshObject>();
const source = {
  name: 'memory',
  async start(to: Sink) {
    sink = to;
    const shared = [idc('sh-b', '10.9.0.2'), drGroup('all', ['*.mesh.example'])];
    put([
      idc('sh-a'),
      ...(kind === 'shared' ? shared : []),
      ...Array.from({ length: groups }, (_, i) => group(i)).flat(),
    ]);
    to.changes([{ type: 'synced', source: 'memory', at: systemClock.now() }]);
  },
  objects: () => held.values(),
  repair: (batch: readonly Change[]) => sink?.changes(batch),
  facets: noFacets,
};
const plane = await startControlPlane({
  idc: 'sh-a',
  sources: [source],
  xds: { address: '127.0.0.1', port },
  hopLimit: 1,
  clock: systemClock,
  logger: silentLogger,
});
while (!plane.status().ready) await new Promise((resolve) => setTimeout(resolve, 20));
serveControl(
  http,
  (i, address) => put([workload(i, 0, address)]),
  () => ({ eventToAck: plane.status().eventToAck }),
  (i) => put(group(i)),
);

function put(objects: readonly MeshObject[]): void {
  const at = systemClock.now();
  for (const object of objects) held.set(refKey(refOf(object)), object);
  sink?.changes(objects.map((object) => ({ type: 'upsert', object, at })));
}

function group(i: number): MeshObject[] {
  const entry = serviceEntry(`mesh/svc-${i}`, [hostOf(i)], { workloadSelector: { app: `app-${i}` } });
  return [entry, ...Array.from({ length: endpoints }, (_, e) => workload(i, e, addressOf(i, e)))];
}

function workload(i: number, e: number, address: string): MeshObject {
  const spec = { address, locality: `sh-a/zone-${e % 3}` };
  return workloadEntry(`mesh/svc-${i}-${e}`, { app: `app-${i}` }, spec);
}
