import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { replaceFileSync } from '../../src/base/files/replace-file.ts';
import { ownHeaders } from '../../src/model/trail.ts';
import { appHeader } from '../../src/translate/sidecar.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';

// A proxy whose memory is nearly full refuses new requests: who comes before it tries elsewhere, whatever the
// method. How full it is comes from a file here, with the thresholds as they are.
const dir = mkdtempSync(join(tmpdir(), 'isthmus-overloaded-'));
const pressureFile = join(dir, 'pressure');
function setPressure(value: number) {
  replaceFileSync(pressureFile, String(value));
}
setPressure(0);

const injected = {
  name: 'envoy.resource_monitors.injected_resource',
  typed_config: {
    '@type':
      'type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig',
    filename: pressureFile,
  },
};
const heap = 'envoy.resource_monitors.fixed_heap';
/** Takes the measure of the heap from the file. */
function inject(text: string): string {
  const bootstrap = JSON.parse(text);
  const manager = bootstrap.overload_manager;
  manager.resource_monitors = manager.resource_monitors.map((one: { name: string }) =>
    one.name === heap ? injected : one,
  );
  return JSON.stringify(bootstrap).replaceAll(heap, injected.name);
}
/** The same without what an answer of the overload manager's is marked with. */
const unmarked = (text: string) => inject(text).replaceAll("== 'overload'", "== 'other'");

/** A service of two instances, each behind a sidecar of its own, of which the first may be overloaded. */
async function world(patch: (text: string) => string) {
  const [first, second, outbound, full] = [
    await freeAddress(),
    await freeAddress(),
    await freeAddress(),
    await freeAddress(),
  ];
  const mesh = await startMesh('sh-a', {
    'idc.yaml': idcYaml,
    'web.yaml': `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web, namespace: test, annotations: {isthmus.dev/sidecars: 'true'}}
spec:
  hosts: [web.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
  endpoints:
  - {address: ${first.address}, ports: {main: ${first.port}}, locality: sh-a}
  - {address: ${second.address}, ports: {main: ${second.port}}, locality: sh-a}
`,
  });
  const app = await mesh.app((request, response) => {
    request.resume().on('end', () => response.end('served'));
  });
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'test' } as const;
  await Promise.all([
    mesh.envoy('first', scope, { inbound: { listen: first, app }, patch }),
    mesh.envoy('second', scope, { inbound: { listen: second, app } }),
    mesh.envoy('caller', { ...scope, outbound }),
    mesh.envoy('full', { ...scope, outbound: full }, { patch: inject }),
  ]);
  const isOpen = async (at: typeof outbound) => (await get(at, '/', { host: 'web.test' })).status === 200;
  await until('the paths are open', async () => (await isOpen(outbound)) && (await isOpen(full)));
  return { mesh, first, outbound, full };
}

/** One POST over HTTP/2, as the sidecar of a caller sends it: the status, and our headers. */
function post(to: { address: string; port: number }) {
  return new Promise<Record<string, unknown>>((resolve, reject) => {
    const session = connect(`http://${to.address}:${to.port}`).on('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/',
      ':authority': 'web.test',
      [appHeader]: 'http1',
    });
    stream.on('error', reject);
    stream.on('response', (headers) => {
      const own = ownHeaders.filter((name) => headers[name] !== undefined);
      resolve({
        status: headers[':status'],
        ...Object.fromEntries(own.map((name) => [name, headers[name]])),
      });
      session.destroy();
    });
    stream.end('body');
  });
}

t.teardown(() => rmSync(dir, { recursive: true }));

t.test('POSTs go to another instance', { timeout: 120_000 }, async (t) => {
  const { mesh, first, outbound, full } = await world(inject);
  t.teardown(() => mesh.close());
  setPressure(0.96);
  await until('it refuses', async () => (await post(first)).status === 503);
  t.strictSame(await post(first), {
    status: 503,
    'x-isthmus-outcome': 'overloaded',
    'x-isthmus-unsent': 'true',
  });
  await until('so does a caller’s own sidecar', async () => (await post(full)).status === 503);
  t.strictSame(await post(full), { status: 503, 'x-isthmus-outcome': 'overloaded' });
  for (let i = 0; i < 20; i += 1) t.equal((await post(outbound)).status, 200);
  setPressure(0);
  await until('it serves again', async () => (await post(first)).status === 200, 20_000);
});

t.test('the control: without the mark they do not', { timeout: 120_000 }, async (t) => {
  const { mesh, first, outbound } = await world(unmarked);
  t.teardown(() => mesh.close());
  setPressure(0.96);
  // From the first moment on: the caller soon leaves it out, by its health checks and outlier detection.
  const isLost = until('a POST is lost', async () => (await post(outbound)).status === 503);
  await until('it refuses', async () => (await post(first)).status === 503);
  t.strictSame(await post(first), { status: 503 });
  await isLost;
  setPressure(0);
});
