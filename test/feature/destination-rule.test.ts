import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';

const service = (port: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: echo, namespace: shop}
spec:
  hosts: [echo.shop]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {http: ${port}}}]
`;

const rule = (connectTimeoutMs: number) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo, namespace: shop}
spec:
  host: echo.shop
  trafficPolicy: {connectionPool: {tcp: {connectTimeout: ${connectTimeoutMs}ms}}}
`;

const changes = 20;

// A changed cluster warms until its endpoints are sent again, although they did not change. The routes go on
// with the old cluster meanwhile; what would show the trap is that the new one never comes into use.
for (const mode of ['delta', 'sotw'] as const) {
  t.test(`${mode}: a DestinationRule changes under load, its endpoints do not`, async (t) => {
    const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml, 'rule.yaml': rule(200) });
    t.teardown(() => mesh.close());
    const app = await mesh.app((_, response) => response.end('hello'));
    mesh.save('service.yaml', service(app.port));
    const outbound = await freeAddress();
    await mesh.envoy('caller', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound }, { mode });
    await until(
      'the Group is reached',
      async () => (await get(outbound, '/', { host: 'echo.shop' })).status === 200,
    );

    const statuses = new Map<number, number>();
    let going = true;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (going) {
          const { status } = await get(outbound, '/', { host: 'echo.shop' });
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }),
    );
    const typesInSync = () =>
      mesh.plane
        .status()
        .proxies.every((proxy) => Object.values(proxy.types).every((type) => type.state === 'SYNCED'));
    const acked = () => mesh.plane.status().eventToAck.count;
    const before = acked();
    for (let i = 1; i <= changes; i += 1) {
      const seen = acked();
      mesh.save('rule.yaml', rule(200 + i));
      await until('the change was ACKed', () => acked() > seen);
      await until('all types are in sync', typesInSync);
    }
    await sleep(systemClock, 100);
    going = false;
    await load;
    t.ok(acked() >= before + changes);
    t.strictSame([...statuses.keys()], [200], `no request failed: ${JSON.stringify([...statuses])}`);
    t.equal(mesh.plane.status().proxies[0]?.types.CDS?.state, 'SYNCED', 'the cluster was taken');
  });
}
