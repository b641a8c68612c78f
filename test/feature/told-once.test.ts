import t from 'tap';
import type { NodeScope } from '../../src/model/node.ts';
import { showAddress } from '../../src/model/values/listen-address.ts';
import { idc, service, toYaml, workload } from '../registry/objects.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { until } from '../support/mesh.ts';
import { runCli } from '../support/planes/run-cli.ts';
import { startServe } from '../support/planes/served.ts';

// What two have, and one should: a node id, an address of a gateway, of two Idcs, or of two instances. Each
// is told once, by `isthmus status` and by /problems.

const own = idc('sh-a');
const {
  ingress: [door],
} = own.spec as { ingress: [{ address: string; edgePort: number; peerPort: number }] };
const apart = { ...idc('sh-b') };
const files = (b: object, second: string) => ({
  'idc.yaml': toYaml(own, b),
  'shop.yaml': toYaml(
    service('cart', 'cart.shop', { workloadSelector: { labels: { app: 'cart' } } }),
    workload('cart-1', { labels: { app: 'cart' }, address: '10.1.0.7', locality: 'sh-a' }),
    workload('cart-2', { labels: { app: 'cart' }, address: second, locality: 'sh-a' }),
  ),
});
const served = await startServe({ files: files(apart, '10.1.0.8') });
t.teardown(() => served.close());
await served.ready();

const ingress = (port = door.edgePort): NodeScope => ({
  ...{ role: 'ingress', idc: 'sh-a' },
  edge: { address: door.address, port },
  peer: { address: door.address, port: door.peerPort },
});
const sidecar: NodeScope = {
  ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
  outbound: { address: '127.0.0.1', port: 15_001 },
};

/** Connects a proxy that has asked and not answered yet; `answer` does. */
async function connect(id: string, isthmus: NodeScope) {
  const client = connectXds(showAddress(served.xds), 'delta', { id, metadata: { isthmus } });
  t.teardown(() => client.close());
  client.send('CDS', { resource_names_subscribe: ['*'] });
  const first = await client.next();
  return { answer: () => client.ack(first), close: () => client.close() };
}

/** How often a code is told, by the command and by the page. */
async function counted(code: string) {
  const { out, code: exit } = await runCli('status', '--admin', showAddress(served.admin));
  const problems = JSON.parse(await served.page('/problems')) as { code: string }[];
  return {
    ...{ status: out.split(`[${code}]`).length - 1, exit },
    problems: problems.filter((one) => one.code === code).length,
  };
}

const once = { status: 1, problems: 1 };
const never = { status: 0, problems: 0 };

t.test('two proxies with one node id at the same time', async (t) => {
  const first = await connect('caller', sidecar);
  const other = await connect('caller-2', sidecar);
  other.answer();
  t.match(await counted('DuplicateNodeId'), never, 'the control: each has its own');
  const second = await connect('caller', sidecar);
  t.match(await counted('DuplicateNodeId'), never, 'the older one may be dead');
  first.answer();
  second.answer();
  await until('both are known to live', async () => (await counted('DuplicateNodeId')).status > 0);
  t.match(await counted('DuplicateNodeId'), { ...once, exit: 1 });
  second.close();
  await until('it is over', async () => (await counted('DuplicateNodeId')).status === 0);
});

t.test('two gateways that are connected, at one address', async (t) => {
  const first = await connect('ingress-1', ingress());
  const elsewhere = await connect('ingress-3', ingress(door.edgePort + 1));
  elsewhere.answer();
  t.match(await counted('SharedListener'), never, 'the control: another port');
  const second = await connect('ingress-2', ingress());
  first.answer();
  second.answer();
  await until('both are known to live', async () => (await counted('SharedListener')).status > 0);
  t.match(await counted('SharedListener'), { ...once, exit: 1 });
  const { out } = await runCli('status', '--admin', showAddress(served.admin));
  t.match(
    out,
    /ingress-1, ingress-2 listen at the address of one ingress gateway, .*: a request reaches either/,
  );
});

t.test('one address for two gateways of Idcs, or for two WorkloadEntries', async (t) => {
  t.match(await counted('SharedAddress'), never, 'the control');
  for (const [file, text] of Object.entries(files(apart, '10.1.0.7'))) served.save(file, text);
  await until('it is told', async () => (await counted('SharedAddress')).problems > 0);
  t.match(await counted('SharedAddress'), once, 'two WorkloadEntries');
  const copied = { ...own, metadata: { name: 'sh-b' } };
  for (const [file, text] of Object.entries(files(copied, '10.1.0.8'))) served.save(file, text);
  await until('it is told', async () =>
    JSON.parse(await served.page('/problems')).some(({ where }: { where: string }) =>
      /idc\.yaml/.test(where),
    ),
  );
  await until('the other is mended', async () => (await counted('SharedAddress')).problems === 1);
  t.match(await counted('SharedAddress'), once, 'two gateways');
});
