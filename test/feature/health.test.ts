import { createServer, type Server } from 'node:http';
import { Client, credentials } from '@grpc/grpc-js';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { type GrpcServer, startGrpc } from '../support/apps/grpc-health.ts';
import { type Loose, type PatchedOptions, startPatched } from '../support/envoys/patched.ts';
import { type PlacedGroup, startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// Checks of a port in its own protocol, by the sidecar that sends requests and by the egress of another IDC.
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

/** An HTTP/1.1 instance: 204 to its health path while it is well. */
async function instance(name: string, at: ListenAddress) {
  const self = { well: true, checks: 0, status: 204, close: () => {} };
  const server: Server = createServer((request, response) => {
    if (request.url !== '/healthz') {
      response.end(name);
      return;
    }
    self.checks += 1;
    response.writeHead(self.well ? self.status : 500).end();
  });
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  self.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return self;
}

/** Calls the echo; the answer, or the code of the error. */
function say(to: ListenAddress, authority: string): Promise<string> {
  const client = new Client(`${to.address}:${to.port}`, credentials.createInsecure(), {
    'grpc.default_authority': authority,
  });
  const bytes = (value: Buffer) => value;
  return new Promise<string>((resolve) => {
    const deadline = new Date(Date.now() + 5_000);
    client.makeUnaryRequest(
      '/echo.Echo/Say',
      bytes,
      bytes,
      Buffer.from('hi'),
      { deadline },
      (error, answer) => resolve(error === null ? String(answer) : `code ${error.code}`),
    );
  }).finally(() => client.close());
}

const entry = (ports: string, endpoint: string, annotations: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one, namespace: test, annotations: {${annotations}, isthmus.dev/health-interval: 0.2s}}
spec:
  hosts: [one.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [${ports}]
  endpoints: [${endpoint}]
`;

type Tap = { teardown(end: () => unknown): void };

async function startSidecar(t: Tap, yaml: string, patch?: PatchedOptions['patch']): Promise<ListenAddress> {
  const outbound = await freeAddress();
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound } as const;
  const { close } = await startPatched({ scope, yaml, ...(patch && { patch }) });
  t.teardown(close);
  return outbound;
}

/** Alters the health checks of the instances. */
const checks = (alter: (check: Loose) => void) => (message: Loose) => {
  for (const check of message.health_checks ?? []) alter(check);
};

/**
 * What is answered once it has been the same for a second: an instance is taken when its first check has
 * passed.
 */
async function settled(ask: () => Promise<string | number>): Promise<string | number> {
  let last: string | number = '';
  let same = 0;
  await until('it settles', async () => {
    const next = await ask().catch(() => 'no listener yet');
    same = next === last ? same + 1 : 0;
    last = next;
    return same === 50;
  });
  return last;
}

t.test('an instance that answers 204 is healthy', async (t) => {
  const at = await freeAddress();
  const well = await instance('well', at);
  t.teardown(well.close);
  const yaml = (more = '') =>
    entry(
      '{number: 80, name: main, protocol: HTTP}',
      `{address: ${at.address}, ports: {main: ${at.port}}, locality: sh-a}`,
      `isthmus.dev/health-path: /healthz${more}`,
    );
  const ask = (to: ListenAddress) => async () => (await get(to, '/', { host: 'one.test' })).status;
  t.equal(await settled(ask(await startSidecar(t, yaml()))), 200);
  const envoys = await startSidecar(
    t,
    yaml(),
    checks((check) => delete check.http_health_check.expected_statuses),
  );
  t.equal(await settled(ask(envoys)), 503, "the control: with Envoy's default it is not");
  // Statuses that a Group declares, and no others.
  const given = await startSidecar(t, yaml(", isthmus.dev/health-statuses: '401-403'"));
  t.equal(await settled(ask(given)), 503);
  well.status = 401;
  await until('401 is healthy where it is declared', async () => (await ask(given)()) === 200);
});

t.test('a GRPC port is not checked by a health path', async (t) => {
  const [web, rpc] = [await freeAddress(), await freeAddress()];
  const well = await instance('well', web);
  const grpc = await startGrpc('rpc', rpc, false);
  t.teardown(() => {
    well.close();
    grpc.stop();
  });
  const yaml = entry(
    '{number: 80, name: main, protocol: HTTP}, {number: 9090, name: rpc, protocol: GRPC}',
    `{address: ${web.address}, ports: {main: ${web.port}, rpc: ${rpc.port}}, locality: sh-a}`,
    'isthmus.dev/health-path: /healthz',
  );
  const to = await startSidecar(t, yaml);
  t.equal(await settled(async () => (await get(to, '/', { host: 'one.test' })).status), 200);
  t.equal(await say(to, 'one.test:9090'), 'rpc');
  const asked = await startSidecar(t, yaml, (message: Loose) => {
    if (message.name !== 'instances/one.test:9090') return;
    const interval = { timeout: '0.1s', interval: '0.2s', no_traffic_interval: '0.2s' };
    const how = { unhealthy_threshold: 1, healthy_threshold: 1 };
    message.health_checks = [
      { ...interval, ...how, http_health_check: { path: '/healthz', codec_client_type: 'HTTP2' } },
    ];
  });
  t.equal(
    await settled(() => say(asked, 'one.test:9090')),
    'code 14',
    'the control: asked for, it has nobody',
  );
});

t.test('a GRPC port by grpc.health.v1', async (t) => {
  const at = await freeAddress();
  const grpc = await startGrpc('rpc', at);
  t.teardown(() => grpc.stop());
  const yaml = (annotation: string) =>
    entry(
      '{number: 9090, name: rpc, protocol: GRPC}',
      `{address: ${at.address}, ports: {rpc: ${at.port}}, locality: sh-a}`,
      annotation,
    );
  const whole = await startSidecar(t, yaml("isthmus.dev/health-grpc: 'true'"));
  const one = await startSidecar(t, yaml('isthmus.dev/health-grpc.rpc: shop.Pay'));
  const unchecked = await startSidecar(t, yaml('isthmus.dev/health-path: /healthz'));
  await until('the server serves', async () => (await say(whole, 'one.test:9090')) === 'rpc');
  t.equal(
    await settled(() => say(one, 'one.test:9090')),
    'code 14',
    'a service that the server does not know',
  );
  grpc.serving.set('shop.Pay', 'SERVING').set('', 'NOT_SERVING');
  await until('the service serves', async () => (await say(one, 'one.test:9090')) === 'rpc');
  await until('the server does not', async () => (await say(whole, 'one.test:9090')) === 'code 14');
  t.equal(
    await say(unchecked, 'one.test:9090'),
    'rpc',
    'the control: who is not asked is not seen to be ill',
  );
});

t.test('health at a port of its own', async (t) => {
  const [web, admin] = [await freeAddress(), await freeAddress()];
  const app = createServer((request, response) => {
    response.writeHead(request.url === '/healthz' ? 404 : 200).end();
  });
  await new Promise<void>((resolve) => app.listen(web.port, web.address, resolve));
  const health = await instance('admin', admin);
  t.teardown(() => {
    app.closeAllConnections();
    app.close();
    health.close();
  });
  const yaml = (more: string) =>
    entry(
      '{number: 80, name: main, protocol: HTTP}',
      `{address: ${web.address}, ports: {main: ${web.port}}, locality: sh-a}`,
      `isthmus.dev/health-path: /healthz${more}`,
    );
  const ask = (to: ListenAddress) => async () => (await get(to, '/', { host: 'one.test' })).status;
  const there = await startSidecar(t, yaml(`, isthmus.dev/health-port: '${admin.port}'`));
  t.equal(await settled(ask(there)), 200);
  health.well = false;
  await until('it is ill by that port', async () => (await ask(there)()) === 503);
  t.equal(
    await settled(ask(await startSidecar(t, yaml('')))),
    503,
    'the control: asked at the port of requests',
  );
});

t.test('the egress asks another IDC with the same question', { timeout: 120_000 }, async (t) => {
  const [plain, rpc, main, admin] = [
    await freeAddress(),
    await freeAddress(),
    await freeAddress(),
    await freeAddress(),
  ];
  const interval = '0.2s';
  const far = (at: ListenAddress) => [{ idc: 'sh-b', at }];
  const groups: PlacedGroup[] = [
    { name: 'plain', instances: far(plain), traffic: { health: { path: '/healthz', interval } } },
    { name: 'rpc', instances: far(rpc), protocol: 'GRPC', traffic: { health: { grpc: true, interval } } },
    {
      name: 'apart',
      instances: far(main),
      traffic: { health: { ports: { main: { path: '/healthz', interval, port: admin.port } } } },
    },
  ];
  const well = await instance('plain', plain);
  const grpc: GrpcServer = await startGrpc('rpc', rpc);
  const app = createServer((request, response) =>
    response.writeHead(request.url === '/healthz' ? 404 : 200).end('apart'),
  );
  await new Promise<void>((resolve) => app.listen(main.port, main.address, resolve));
  const health = await instance('admin', admin);
  const world = await startIdcs({ idcs: ['sh-a', 'sh-b'], hopLimit: 1, groups });
  t.teardown(async () => {
    await world.close();
    well.close();
    health.close();
    grpc.stop();
    app.closeAllConnections();
    app.close();
  });
  const ask = async (name: string) => (await get(world.outbound, '/', { host: `${name}.test` })).status;
  const call = () => say(world.outbound, 'rpc.test');
  await until('204 is healthy', async () => (await ask('plain')) === 200);
  await until('health at another port', async () => (await ask('apart')) === 200);
  await until('SERVING is healthy', async () => (await call()) === 'rpc');

  // Whether requests still reach the other IDC: they do not once the egress has seen that nobody is there.
  const crossed = (name: string) =>
    world
      .accessLines()
      .filter(
        ({ listener, authority, path }) =>
          listener === 'peer' && authority === `${name}.test` && !isCheck(path),
      ).length;
  const isCheck = (path: string) => path === '/healthz' || path.startsWith('/grpc.health');
  well.well = false;
  health.well = false;
  grpc.serving.set('', 'NOT_SERVING');
  for (const [name, send] of [
    ['plain', () => ask('plain')],
    ['apart', () => ask('apart')],
    ['rpc', call],
  ] as const) {
    await until(`${name}: nobody crosses`, async () => {
      const before = crossed(name);
      const answers = [await send(), await send(), await send()];
      await new Promise((resolve) => setTimeout(resolve, 200));
      return answers.every((answer) => answer === 503 || answer === 'code 14') && crossed(name) === before;
    });
  }
  well.well = true;
  health.well = true;
  grpc.serving.set('', 'SERVING');
  await until('all are back', async () => {
    return (await ask('plain')) === 200 && (await ask('apart')) === 200 && (await call()) === 'rpc';
  });
});
