import { connect } from 'node:http2';
import t from 'tap';
import { openHttp2 } from '../support/attacks/call.ts';
import { connectRaw, endHeaders, frameTypes, headerField } from '../support/attacks/raw.ts';
import { connectXds, type XdsClient } from '../support/clients/xds-client.ts';
import { get, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { startServe } from '../support/planes/served.ts';

// What others have reported of other control planes, made again in small at a real process.

const served = await startServe({ files: { 'web.yaml': groupYaml('web'), 'instance.yaml': instance(1) } });
t.teardown(() => served.close());
await served.ready();
const at = `${served.xds.address}:${served.xds.port}`;
const outbound = { address: '127.0.0.1', port: 15_001 };
const metadata = { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } };

function instance(port: number): string {
  return `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: w, namespace: shop}
spec:
  address: 10.0.0.1
  ports: {http: ${port}}
  labels: {app: web}
  locality: sh-a
`;
}

const level = async (of: string) =>
  Number(
    new RegExp(`isthmus_xds_level\\{[^}]*of="${of}"[^}]*\\} (\\S+)`).exec(await served.page('/metrics'))?.[1],
  );

/** Follows the endpoints of a Delta client; `has` waits for an instance at a port. */
function follow(id: string) {
  const client: XdsClient = connectXds(at, 'delta', { id, metadata });
  const seen = new Set<string>();
  const names = new Set<string>();
  const loop = async () => {
    for (;;) {
      const response = await client.next();
      client.ack(response);
      const wanted = (response.resources ?? []) as { name: string; resource: { type?: string } }[];
      for (const { name, resource } of wanted) if (resource.type === 'EDS') names.add(name);
      if (/Cluster$/.test(response.type_url)) client.send('EDS', { resource_names_subscribe: [...names] });
      for (const [, port] of JSON.stringify(response.resources ?? []).matchAll(/"port_value":(\d+)/g))
        seen.add(port as string);
    }
  };
  client.send('CDS', { resource_names_subscribe: ['*'] });
  loop().catch(() => {});
  return {
    client,
    has: (port: number) => until(`${id} has port ${port}`, () => seen.has(`${port}`), 20_000),
  };
}

t.test('two proxies of one node id: both go on, also when one leaves (go-control-plane 590)', async (t) => {
  const [one, two] = [follow('same'), follow('same')];
  t.teardown(() => two.client.close());
  await Promise.all([one.has(1), two.has(1)]);
  served.save('instance.yaml', instance(2));
  await Promise.all([one.has(2), two.has(2)]);
  one.client.close();
  served.save('instance.yaml', instance(3));
  await two.has(3);
});

t.test(
  'a reconnecting client gets the current state, though it was the last of its class (envoyproxy/gateway 6618)',
  async () => {
    const before = follow('last');
    await before.has(3);
    before.client.close();
    await until('nobody is there', async () => (await level('streams')) === 0);
    served.save('instance.yaml', instance(4));
    const after = follow('last');
    await after.has(4);
    after.client.close();
  },
);

t.test('a client that stops without cancelling leaves no state (go-control-plane 570)', async (t) => {
  const clients = Array.from({ length: 20 }, (_, i) => {
    const client = connectXds(at, i % 2 === 0 ? 'delta' : 'sotw', { id: `half-${i}`, metadata });
    client.send('CDS', i % 2 === 0 ? { resource_names_subscribe: ['*', `none-${i}`] } : {});
    return client;
  });
  await Promise.all(clients.map((client) => client.next()));
  for (const client of clients) client.end();
  for (const end of await Promise.all(clients.map(({ ended }) => ended))) t.equal(end.code, 0);
  for (const what of ['streams', 'saidBytes', 'unansweredBytes'])
    await until(`no ${what} are left`, async () => (await level(what)) === 0, 30_000);
  for (const client of clients) client.close();
});

t.test('pings of a client, each 20 ms, end nothing (java-control-plane 239, kuma 14912)', async (t) => {
  const { session, call, close } = openHttp2(served.xds);
  t.teardown(close);
  const watch = call('/grpc.health.v1.Health/Watch');
  await watch.send(Buffer.alloc(0));
  for (let i = 0; i < 150; i++)
    await new Promise((resolve) => setTimeout(() => session.ping(() => resolve(i)), 20));
  t.notOk(session.destroyed || watch.hasEnded());
});

t.test('a call without :authority and Host ends alone (CVE-2026-84445)', async (t) => {
  const raw = await connectRaw(served.xds);
  t.teardown(() => void raw.socket.destroy());
  const fields = { ':method': 'POST', ':scheme': 'http', ':path': '/grpc.health.v1.Health/Check' };
  const block = Object.entries({ ...fields, 'content-type': 'application/grpc', te: 'trailers' });
  const headers = Buffer.concat(block.map(([name, value]) => headerField(name, value)));
  raw.frame(frameTypes.headers, endHeaders, 1, headers);
  raw.frame(frameTypes.data, 1, 1, Buffer.alloc(5));
  await until('it has ended', () => raw.answer() !== undefined, 10_000);
  t.equal(raw.answer(), 'RST_STREAM 1', 'PROTOCOL_ERROR');
  raw.open(3, '/grpc.health.v1.Health/Check', false);
  raw.frame(frameTypes.data, 1, 3, Buffer.alloc(5));
  await new Promise((resolve) => raw.socket.once('data', resolve));
  t.equal((await get(served.admin, '/readyz')).status, 200);
});

t.test(
  'a client that does not read loses a refused stream, and what it still sends is not parsed',
  async (t) => {
    const session = connect(`http://${at}`, { settings: { initialWindowSize: 0 } });
    t.teardown(() => session.destroy());
    session.on('error', () => {});
    const headers = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
    const call = session.request({ ...headers, ':path': '/grpc.health.v1.Health/Watch' });
    call.on('error', () => {});
    const ended = new Promise((resolve) => call.once('close', resolve));
    const requests = Buffer.alloc(5 * 1_000);
    const more = setInterval(() => void call.write(requests), 10);
    t.teardown(() => clearInterval(more));
    await ended;
    t.equal(call.rstCode, 11, 'ENHANCE_YOUR_CALM');
    await until('it is gone', async () => (await level('streams')) === 0);
  },
);
