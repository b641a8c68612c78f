import t from 'tap';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';

const mesh = await startMesh('sh-a', {
  'idc.yaml': `${idcYaml}---
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-b}
spec:
  ingress: [{address: 127.0.0.1, edgePort: 5, peerPort: 6}]
  egress: [{address: 127.0.0.1, sidecarPort: 7, ingressPort: 8}]
`,
});
t.teardown(() => mesh.close());
const apps = await Promise.all(
  ['a', 'b', 'c', 'd'].map((name) => mesh.app((_, response) => response.end(name))),
);

const keys: Record<string, string> = {
  header: '{httpHeaderName: x-user}',
  maglev: '{httpHeaderName: x-user, maglev: {tableSize: 1021}}',
  query: '{httpQueryParameterName: user, minimumRingSize: 4096}',
  cookie: '{httpCookie: {name: user, path: /, ttl: 60s}}',
  source: '{useSourceIp: true}',
};
const text = Object.entries({ ...keys, none: undefined }).map(
  ([name, hash]) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop, labels: {dr: 'yes'}}
spec:
  hosts: [${name}.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [${apps.map(({ port }) => `{address: 127.0.0.1, ports: {http: ${port}}, locality: sh-a}`).join()}]
${
  hash === undefined
    ? ''
    : `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: shop}
spec: {host: ${name}.test, trafficPolicy: {loadBalancer: {consistentHash: ${hash}}}}
`
}`,
);
// Where the IDC may be left an aggregate stands before the instances: requests stick all the same.
const dr = `
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: all}
spec: {hosts: [], selector: {matchLabels: {dr: 'yes'}}, idcs: [{name: sh-a}, {name: sh-b}]}
`;
mesh.save('all.yaml', [...text, dr].join('---\n'));
const outbound = await freeAddress();
await mesh.envoy('caller', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound });
await until('served', async () => (await get(outbound, '/', { host: 'none.test' })).status === 200);

type Ask = (user: string) => ReturnType<typeof get>;
const asks: Record<string, Ask> = {
  header: (user) => get(outbound, '/', { host: 'header.test', headers: { 'x-user': user } }),
  maglev: (user) => get(outbound, '/', { host: 'maglev.test', headers: { 'x-user': user } }),
  query: (user) => get(outbound, `/?user=${user}`, { host: 'query.test' }),
  cookie: (user) => get(outbound, '/', { host: 'cookie.test', headers: { cookie: `user=${user}` } }),
};

/** The instances that answered a user's ten requests. */
async function instancesOf(ask: Ask, user: string): Promise<string[]> {
  const found = new Set<string>();
  for (let i = 0; i < 10; i += 1) found.add((await ask(user)).body);
  return [...found];
}

for (const [name, ask] of Object.entries(asks)) {
  t.test(`${name}: a user stays with one instance, and users spread`, async (t) => {
    const all = new Set<string>();
    for (let user = 0; user < 12; user += 1) {
      const found = await instancesOf(ask, `user-${user}`);
      t.equal(found.length, 1, `user ${user}`);
      all.add(found[0] as string);
    }
    t.ok(all.size > 1, `${[...all]}`);
  });
}

t.test('the control: without a rule requests go anywhere', async (t) => {
  const found = await instancesOf(() => get(outbound, '/', { host: 'none.test' }), '');
  t.ok(found.length > 1);
});

t.test('a cookie is set where the client has none, and leads back', async (t) => {
  const first = await get(outbound, '/', { host: 'cookie.test' });
  const [cookie = ''] = first.headers['set-cookie'] ?? [];
  t.match(cookie, /^user=.*; Max-Age=60; Path=\/; HttpOnly/);
  const headers = { cookie: cookie.split(';')[0] as string };
  t.strictSame(await instancesOf(() => get(outbound, '/', { host: 'cookie.test', headers }), ''), [
    first.body,
  ]);
});

t.test('the address of the client', async (t) => {
  t.equal((await instancesOf(() => get(outbound, '/', { host: 'source.test' }), '')).length, 1);
});
