import t from 'tap';
import { tcpInstance, who } from '../support/apps/tcp.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { freePort } from '../support/port.ts';

// Several ServiceEntries of one host in one namespace add up, as Istio's do.
/** A ServiceEntry of s.test in the namespace shop, with ports as flow mappings. */
const entry = (name: string, ports: readonly string[], more = '') => `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [s.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [${ports.join(', ')}]
  endpoints: [{address: 127.0.0.1}]
${more}`;

const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml });
t.teardown(() => mesh.close());
const app = async (name: string) => (await mesh.app((_, response) => response.end(name))).port;
const [a, b, c] = [await app('a'), await app('b'), await app('c')];
const db = await tcpInstance('db');
await db.start();
t.teardown(() => db.kill());
const raw = await freePort();

const http = (number: number, targetPort: number) =>
  `{number: ${number}, targetPort: ${targetPort}, name: http-${number}, protocol: HTTP}`;
const entries = {
  a: entry('a', [http(80, a)]),
  b: entry('b', [http(81, b), http(raw, b)]),
  c: entry('c', [http(80, c), http(82, c)], '  exportTo: ["."]\n'),
  // Older than b, which has that port too.
  raw: entry('aa', [`{number: ${raw}, targetPort: ${db.port}, name: tcp, protocol: TCP}`]),
};
const save = (...names: (keyof typeof entries)[]) =>
  mesh.save('mesh.yaml', names.map((name) => entries[name]).join(''));
save('a', 'b', 'c', 'raw');

const [outbound, guest, edge, peer] = [
  await freeAddress(),
  await freeAddress(),
  await freeAddress(),
  await freeAddress(),
];
const caller = (namespace: string) => ({ role: 'sidecar', idc: 'sh-a', namespace }) as const;
await Promise.all([
  mesh.envoy('caller', { ...caller('shop'), outbound }),
  mesh.envoy('guest', { ...caller('guest'), dependsOn: ['s.test'], outbound: guest }),
  mesh.envoy('ingress', { role: 'ingress', idc: 'sh-a', edge, peer }),
]);

/** Who answers in twenty requests, in order of name; a status that is not 200 stands for itself. */
async function answers(host: string, to = outbound): Promise<string> {
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const { status, body } = await get(to, '/', { host });
    seen.add(status === 200 ? body : String(status));
  }
  return [...seen].sort().join(' ');
}

t.test('each port has the instances of the ServiceEntries that have it', async (t) => {
  t.equal(await answers('s.test'), 'a c', 'the default port is the first one’s, with the instances of both');
  t.equal(await answers('s.test:80'), 'a c');
  t.equal(await answers('s.test:81'), 'b');
  t.equal(await answers('s.test:82'), 'c');
  t.equal(await who({ address: '127.0.0.1', port: raw }), 'db', 'TCP beside HTTP');
});

t.test(
  'a port that contradicts an older one is not served by HTTP, not even as the default port',
  async (t) => {
    const { status, body } = await get(outbound, '/', { host: `s.test:${raw}` });
    t.equal(status, 404);
    t.match(body, /not served by HTTP/);
    t.match(
      mesh.plane.problems().map(({ message }) => message),
      [/has protocol HTTP here and TCP in ServiceEntry shop\/aa/],
    );
  },
);

t.test('callers of other namespaces see exported hosts, and so do clients', async (t) => {
  for (const to of [guest, edge]) {
    t.equal(await answers('s.test:81', to), 'b');
    // 82 is of the namespace alone: for others a port that the host has not, and so the default one.
    t.notMatch(await answers('s.test:82', guest), 'c');
  }
  t.equal(await answers('s.test', guest), 'a');
});

t.test('deleting one leaves the others unchanged', async (t) => {
  let failed = 0;
  let done = false;
  const load = (async () => {
    while (!done) if ((await get(outbound, '/', { host: 's.test:81' })).body !== 'b') failed += 1;
  })();
  save('b', 'c', 'raw');
  await until('a is gone', async () => (await answers('s.test:80')) === 'c');
  save('a', 'b', 'c');
  await until('the other has the port', async () => (await answers(`s.test:${raw}`)) === 'b');
  save('a', 'b', 'c', 'raw');
  await until('the older one has it again', async () => (await answers(`s.test:${raw}`)) === '404');
  done = true;
  await load;
  t.equal(failed, 0);
});
