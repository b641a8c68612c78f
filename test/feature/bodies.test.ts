import { createServer } from 'node:net';
import t from 'tap';
import { outcomeHeader } from '../../src/model/trail.ts';
import { type Sent, startSink, upload, uploadHttp2 } from '../support/apps/bodies.ts';
import { type PlacedGroup, startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// A body that reached nobody is sent again, whatever its size: at each hop one of its next stops is not
// there.
const mebibyte = 2 ** 20;
const big = 20 * mebibyte;
const [web, rpc, dead, deadWeb, cut] = [
  await freeAddress(),
  await freeAddress(),
  await freeAddress(),
  await freeAddress(),
  await freeAddress(),
];
const instances = (far: typeof web) => [
  { idc: 'sh-a', at: dead },
  // The peer's next stop: one of two instances is not there.
  { idc: 'sh-b', at: far },
  { idc: 'sh-b', at: deadWeb },
];
const groups: PlacedGroup[] = [
  { name: 'web', instances: instances(web) },
  { name: 'rpc', instances: instances(rpc), protocol: 'GRPC' },
  { name: 'near', instances: [{ idc: 'sh-a', at: web }] },
  { name: 'cut', instances: [{ idc: 'sh-a', at: cut }] },
  { name: 'far-cut', instances: [{ idc: 'sh-b', at: cut }] },
  // The control: what is kept is no more than a connection's buffer holds.
  { name: 'bare', instances: instances(web), traffic: { retryBodyLimit: '32Ki' } },
];
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups,
  deadGateways: true,
  exposeOutcome: true,
});
const keepAlive = setInterval(() => {}, 1000);
// Takes two thirds of what it gets, and breaks the connection.
const cutter = createServer((socket) => {
  let bytes = 0;
  socket.on('error', () => {});
  socket.on('data', (data) => {
    bytes += data.length;
    if (bytes > (big * 2) / 3) socket.resetAndDestroy();
  });
});
await new Promise<void>((resolve) => cutter.listen(cut.port, cut.address, resolve));
const servers = [await startSink(web), await startSink(rpc, 'http2'), cutter];
t.teardown(async () => {
  clearInterval(keepAlive);
  for (const server of servers) server.close();
  await world.close();
});
// Nobody is ejected: each request meets the dead, as the first ones after a death do.
const rules = groups
  .map(
    ({ name }) => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: test}
spec: {host: ${name}.test, trafficPolicy: {outlierDetection: {consecutiveGatewayErrors: 0}}}
`,
  )
  .join('---\n');
for (const mesh of world.meshes.values()) mesh.save('rules.yaml', rules);
const edge = (world.gateways.get('sh-a') as { edge: typeof web }).edge;
const sides = { sidecar: world.outbound, edge };
for (const to of Object.values(sides)) {
  await until('the path is open', async () => (await get(to, '/', { host: 'web.test' })).status === 200);
}

for (const [side, to] of Object.entries(sides)) {
  t.test(`${side}: HTTP/1.1`, { timeout: 120_000 }, async (t) => {
    for (const method of ['POST', 'PUT']) {
      for (const bytes of [1_000, 40_000, 200_000, 2 * mebibyte, 4 * mebibyte]) {
        const { status, body } = await upload(to, { host: 'web.test', method, bytes });
        t.strictSame([status, body], [200, String(bytes)], `${method} ${bytes}`);
      }
    }
    const chunked = await upload(to, { host: 'web.test', bytes: 2 * mebibyte, chunked: true });
    t.strictSame([chunked.status, chunked.body], [200, String(2 * mebibyte)], 'chunked');
  });

  t.test(`${side}: HTTP/2 and gRPC`, { timeout: 120_000 }, async (t) => {
    for (const bytes of [1_000, 100_000, 2 * mebibyte]) {
      const { status, body } = await uploadHttp2(to, { host: 'web.test', bytes });
      t.strictSame([status, body], [200, String(bytes)], `HTTP/2 ${bytes}`);
      const unary = await uploadHttp2(to, { host: 'rpc.test', bytes }, true);
      t.strictSame([unary.grpcStatus, unary.body], ['0', String(bytes)], `gRPC ${bytes}`);
    }
  });

  t.test(`${side}: one of two egress gateways is not there: 30 POSTs of 1 MB`, async (t) => {
    const statuses = new Set<number>();
    for (let i = 0; i < 30; i += 1) statuses.add((await upload(to, { host: 'web.test', bytes: 1e6 })).status);
    t.strictSame([...statuses], [200]);
  });

  t.test(`${side}, the control: with 32Ki the same requests are lost`, async (t) => {
    const lost = { small: 0, big: 0 };
    for (let i = 0; i < 10; i += 1) {
      if ((await upload(to, { host: 'bare.test', bytes: 1_000 })).status !== 200) lost.small += 1;
      if ((await upload(to, { host: 'bare.test', bytes: 1e6 })).status !== 200) lost.big += 1;
    }
    t.equal(lost.small, 0);
    t.ok(lost.big > 3, `${lost.big} of 10`);
  });

  t.test(`${side}: a body larger than what is kept`, { timeout: 120_000 }, async (t) => {
    // Its length is known: the second try begins before too much of it has come. Not each third one does.
    let passed = 0;
    for (let i = 0; i < 10; i += 1) {
      const { status, body } = await upload(to, { host: 'web.test', bytes: big });
      if (status === 200 && body === String(big)) passed += 1;
    }
    t.ok(passed >= 8, `${passed} of 10`);
    // The control: of a chunked one nobody knows, the pause is as for all others, and it outgrows what is
    // kept.
    let lost = 0;
    await until('chunked ones are lost, and told so', async () => {
      const { status, headers } = await upload(to, { host: 'web.test', bytes: big, chunked: true });
      t.ok(status === 200 || status === 503, String(status));
      if (status !== 503) return false;
      lost += 1;
      t.equal(headers[outcomeHeader], 'body-too-large');
      return lost === 3;
    });
  });

  t.test(`${side}: 100 MB pass`, { timeout: 120_000 }, async (t) => {
    for (const chunked of [false, true]) {
      const { status, body } = await upload(to, { host: 'near.test', bytes: 1e8, chunked });
      t.strictSame([status, body], [200, '100000000']);
    }
  });

  t.test(`${side}: a try that breaks in the middle of a large body`, { timeout: 120_000 }, async (t) => {
    for (const [host, of] of [
      ['cut.test', 'here'],
      ['far-cut.test', 'in the other IDC'],
    ] as const) {
      // On its way to the other IDC it may meet a gateway that is not there, and outgrow what is kept.
      const outcomes = of === 'here' ? ['interrupted'] : ['interrupted', 'body-too-large'];
      const isTold = ({ status, headers }: Sent) =>
        status === 503 && outcomes.includes(String(headers[outcomeHeader]));
      for (const method of ['POST', 'PUT'])
        t.ok(isTold(await upload(to, { host, method, bytes: big })), `${method} ${of}`);
      t.ok(isTold(await uploadHttp2(to, { host, bytes: big })), `HTTP/2 ${of}`);
    }
  });
}
