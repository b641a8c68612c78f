import type { Duplex } from 'node:stream';
import t from 'tap';
import { outcomeHeader } from '../../src/model/trail.ts';
import {
  echoes,
  openGrpc,
  openWebsocket,
  startSlowGrpc,
  startSlowInstance,
} from '../support/apps/streams.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';

// Streams that are open outlast what is pushed: changed clusters, routes, listeners, and instances that were
// taken out.
const [web, rpc, other, otherRpc] = [
  await freeAddress(),
  await freeAddress(),
  await freeAddress(),
  await freeAddress(),
];
const servers = [
  await startSlowInstance(web),
  await startSlowGrpc(rpc),
  await startSlowInstance(other),
  await startSlowGrpc(otherRpc),
];
const groups = (['sh-a', 'sh-b'] as const).flatMap((idc) => [
  { name: `web-${idc}`, instances: [{ idc, at: web }] },
  { name: `rpc-${idc}`, instances: [{ idc, at: rpc }], protocol: 'GRPC' } as const,
]);
const nobody = { name: 'nobody', instances: [] };
const world = await startIdcs({ idcs: ['sh-a', 'sh-b'], hopLimit: 1, groups: [...groups, nobody] });
const keepAlive = setInterval(() => {}, 1000);
t.teardown(async () => {
  clearInterval(keepAlive);
  for (const server of servers) server.close();
  await world.close();
});
const edge = (world.gateways.get('sh-a') as { edge: typeof web }).edge;
const sides = Object.entries({ sidecar: world.outbound, edge });
for (const [, to] of sides)
  for (const idc of ['sh-a', 'sh-b'])
    await until(
      'the path is open',
      async () => (await get(to, '/poll', { host: `web-${idc}.test` })).status === 200,
    );

t.test(
  'streams outlast changes of clusters, routes, listeners and instances',
  { timeout: 120_000 },
  async (t) => {
    const open: { readonly what: string; readonly stream: Duplex }[] = [];
    for (const [side, to] of sides)
      for (const idc of ['sh-a', 'sh-b']) {
        const socket = await openWebsocket(to, `web-${idc}.test`);
        if (socket === undefined) throw new Error('no upgrade');
        open.push({ what: `${side}, websocket to ${idc}`, stream: socket });
        const { stream, session } = openGrpc(to, `rpc-${idc}.test`);
        t.teardown(() => session.destroy());
        open.push({ what: `${side}, gRPC to ${idc}`, stream });
      }
    const isAlive = async (words: string) => {
      for (const { what, stream } of open) t.equal(await echoes(stream), true, `${what} ${words}`);
    };
    await isAlive('before');

    for (const [idc, mesh] of world.meshes) {
      const text = (world.registry.get(idc) as string)
        // Listeners: the filters of the edge. Routes: the limits of a Group. Endpoints: another instance in
        // place of the one.
        .replaceAll('exposeOutcome: false', 'exposeOutcome: true')
        .replaceAll('traffic: {}', 'traffic: {timeout: 5s, retries: 1}')
        .replaceAll(`main: ${web.port}`, `main: ${other.port}`)
        .replaceAll(`main: ${rpc.port}`, `main: ${otherRpc.port}`);
      // Clusters.
      const rules = groups.map(
        ({ name }) => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: test}
spec: {host: ${name}.test, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 1s}}}}
`,
      );
      (mesh as Mesh).save('rules.yaml', rules.join('---\n'));
      (mesh as Mesh).save('all.yaml', text);
    }
    await until('the edge has its new listener', async () => {
      return (await get(edge, '/', { host: 'nobody.test' })).headers[outcomeHeader] === 'no-idc';
    });
    for (const [, to] of sides)
      for (const idc of ['sh-a', 'sh-b'])
        await until('the other instance serves', async () => {
          let seen = false;
          servers[2]?.once('request', () => {
            seen = true;
          });
          await get(to, '/poll', { host: `web-${idc}.test` });
          return seen;
        });
    await isAlive('after');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await isAlive('two seconds later');
  },
);
