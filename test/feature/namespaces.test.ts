import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';

const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml });
t.teardown(() => mesh.close());

/** A ServiceEntry in a namespace, whose only instance answers with that namespace. */
async function declare(namespace: string, host: string, exportTo: string): Promise<string> {
  const app = await mesh.app((_, response) => response.end(namespace));
  const text = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${host}, namespace: ${namespace}}
spec:
  hosts: [${host}]
  exportTo: ${exportTo}
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, targetPort: ${app.port}, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1}]
`;
  mesh.save(`${namespace}-${host}.yaml`, text);
  return text;
}

await declare('platform', 'api.test', '["*"]');
await declare('shop', 'api.test', '["."]');
await declare('pay', 'secret.test', '[".", partner]');
await declare('pay', 'nobody.test', '["~"]');

const hosts = ['api.test', 'secret.test', 'nobody.test'];
const sidecars = new Map<string, ListenAddress>();
for (const namespace of ['shop', 'pay', 'partner', 'guest']) sidecars.set(namespace, await freeAddress());
const [edge, peer, wide] = [await freeAddress(), await freeAddress(), await freeAddress()];
await Promise.all([
  ...[...sidecars].map(([namespace, outbound]) =>
    mesh.envoy(namespace, { role: 'sidecar', idc: 'sh-a', namespace, dependsOn: hosts, outbound }),
  ),
  mesh.envoy('wide', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound: wide }),
  mesh.envoy('ingress', { role: 'ingress', idc: 'sh-a', edge, peer }),
]);

/**
 * What callers of each namespace get of a host, and clients at the edge: whose instance it was, or the
 * status.
 */
async function seen(host: string): Promise<Record<string, string | number>> {
  const found: Record<string, string | number> = {};
  for (const [name, to] of [...sidecars, ['edge', edge] as const]) {
    const { status, body } = await get(to, '/', { host });
    found[name] = status === 200 ? body : status;
  }
  return found;
}

t.test('a caller gets its own namespace’s host, otherwise an exported one', async (t) => {
  t.strictSame(await seen('api.test'), {
    shop: 'shop',
    pay: 'platform',
    partner: 'platform',
    guest: 'platform',
    edge: 'platform',
  });
  const { body } = await get(wide, '/', { host: 'api.test' });
  t.equal(body, 'shop', 'also where it did not say what it depends on');
});

t.test('exportTo lists who sees a host; the edge is not a namespace', async (t) => {
  t.strictSame(await seen('secret.test'), { shop: 404, pay: 'pay', partner: 'pay', guest: 404, edge: 404 });
  t.strictSame(await seen('nobody.test'), { shop: 404, pay: 404, partner: 404, guest: 404, edge: 404 });
});

t.test('visibility changes while requests continue', async (t) => {
  await declare('shop', 'api.test', '["guest"]');
  await until('shop takes the other one', async () => (await seen('api.test')).shop === 'platform');
  t.equal((await seen('api.test')).guest, 'platform', 'what all may see comes first');
  await declare('platform', 'api.test', '["."]');
  await until('the guest takes what is left to it', async () => (await seen('api.test')).guest === 'shop');
  t.strictSame(await seen('api.test'), { shop: 404, pay: 404, partner: 404, guest: 'shop', edge: 404 });
  await declare('pay', 'secret.test', '["*"]');
  // Each proxy hears of it by itself: none waits for the others.
  await until('all see it', async () =>
    Object.values(await seen('secret.test')).every((whose) => whose === 'pay'),
  );
});
