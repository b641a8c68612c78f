import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';

const idcs = ['sh-a', 'sh-b'].map(
  (name, i) => `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: ${name}}
spec:
  ingress: [{address: 127.0.0.1, edgePort: ${10 * i + 1}, peerPort: ${10 * i + 2}}]
  egress: [{address: 127.0.0.1, sidecarPort: ${10 * i + 3}, ingressPort: ${10 * i + 4}}]
`,
);
const dr = `
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: all}
spec: {hosts: [slow.test, quick.test], idcs: [{name: sh-a}, {name: sh-b}]}
`;
const windowMs = 15_000;

t.test('a new instance gets its share gradually, also behind an egress', async (t) => {
  const mesh = await startMesh('sh-a', { 'world.yaml': [...idcs, dr].join('---') });
  t.teardown(() => mesh.close());
  const old = await mesh.app((_, response) => response.end('old'));
  const fresh = await mesh.app((_, response) => response.end('new'));
  const save = (...ports: number[]) =>
    mesh.save(
      'hosts.yaml',
      ['slow', 'quick']
        .map(
          (name) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${name}.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [${ports.map((port) => `{address: 127.0.0.1, ports: {http: ${port}}, locality: sh-a}`).join()}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: shop}
spec:
  host: ${name}.test
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN${name === 'slow' ? `, warmup: {duration: ${windowMs}ms, minimumPercent: 5}` : ''}}
`,
        )
        .join('---'),
    );
  save(old.port);
  const outbound = await freeAddress();
  await mesh.envoy('caller', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound });
  /** The part of 100 requests that the new instance answered. */
  const share = async (name: string) => {
    let count = 0;
    for (let i = 0; i < 100; i += 1)
      if ((await get(outbound, '/', { host: `${name}.test` })).body === 'new') count += 1;
    return count / 100;
  };
  await until('served', async () => (await get(outbound, '/', { host: 'slow.test' })).status === 200);
  // The old instance is new to this Envoy as well: let its own time pass.
  await sleep(systemClock, windowMs);
  save(old.port, fresh.port);
  await until('it is there', async () => (await share('quick')) > 0.4);
  const early = await share('slow');
  t.ok(early < 0.35, `at first ${early}, where the control has half`);
  await sleep(systemClock, windowMs);
  // Envoy plans the next turn of an instance by the weight that it has when it is picked: up to 20 turns in
  // each worker are still of the window.
  await share('slow');
  const late = await share('slow');
  t.ok(late > 0.4, `then ${late}`);
});
