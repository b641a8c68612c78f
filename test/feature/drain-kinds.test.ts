import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { createDrainsSource, type DrainsSource } from '../../src/registry/drains/drains-source.ts';
import { tcpInstance, who } from '../support/apps/tcp.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';

// Drained instances of hosts that proxies look up, whose endpoints are in the cluster, and of TCP.

const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));
const dir = t.testdir({});
const clock = systemClock;

async function instance(name: string) {
  const counted = { name, taken: 0 };
  const { at } = await startInstance(t, (_, response) => {
    counted.taken += 1;
    response.end(name);
  });
  return Object.assign(counted, { at });
}

const [first, second, far] = [await instance('first'), await instance('second'), await instance('far')];
const pipes = [await tcpInstance('one'), await tcpInstance('two')] as const;
for (const pipe of pipes) {
  await pipe.start();
  t.teardown(() => pipe.kill());
}
const tcpPort = (await freeAddress()).port;
const sources: DrainsSource[] = [];
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    {
      ...{ name: 'named', entries: true, resolution: 'DNS' },
      instances: [
        { idc: 'sh-a', at: first.at },
        { idc: 'sh-a', at: second.at },
        { idc: 'sh-b', at: far.at },
      ],
    },
    {
      ...{ name: 'single', entries: true, resolution: 'DNS_ROUND_ROBIN' },
      instances: [
        { idc: 'sh-a', at: first.at },
        { idc: 'sh-b', at: far.at },
      ],
    },
    { name: 'pipe', entries: true, tcpPort, instances: pipes.map((at) => ({ idc: 'sh-a', at })) },
  ],
  sources(idc) {
    const source = createDrainsSource({ file: join(dir, `${idc}.json`), clock });
    sources.push(source);
    return [source];
  },
});
t.teardown(() => world.close());
const { plane } = world.meshes.get('sh-a') as Mesh;
const drain = (name: string) => (sources[0] as DrainsSource).drain({ namespace: 'test', name }, {});
const confirmed = () =>
  until('every proxy has it', () => plane.deletions.barrier(false).waitingFor().length === 0);

/** Where so many requests are answered. */
async function where(host: string, count = 20): Promise<ReadonlySet<string>> {
  const places = new Set<string>();
  for (let i = 0; i < count; i += 1) {
    const { status, body } = await get(world.outbound, '/', { host });
    places.add(status === 200 ? body : String(status));
  }
  return places;
}

t.test('a host that is looked up, with several endpoints', async (t) => {
  await until('both serve', async () => (await where('named.test')).size === 2);
  await drain('named-1');
  await confirmed();
  await until('the new cluster is warm', async () => !(await where('named.test')).has('first'));
  const { taken } = first;
  t.strictSame(await where('named.test'), new Set(['second']));
  await drain('named-2');
  await confirmed();
  await until('it has left', async () => !(await where('named.test')).has('second'));
  t.strictSame(await where('named.test'), new Set(['far']));
  t.equal(first.taken, taken);
});

t.test('a host that is looked up, with a single endpoint', async (t) => {
  await until('it serves', async () => (await where('single.test')).has('first'));
  await drain('single-1');
  await confirmed();
  await until('it has left', async () => !(await where('single.test')).has('first'));
  t.strictSame(await where('single.test'), new Set(['far']));
});

t.test('TCP: an open connection stays, new ones go elsewhere', async (t) => {
  const to = { address: world.outbound.address, port: tcpPort };
  await until('it serves', async () => /one|two/.test((await who(to)) ?? ''));
  const socket = connect({ host: to.address, port: to.port });
  t.teardown(() => socket.destroy());
  let got = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    got += chunk;
  });
  await until('it says who it is', () => got.endsWith('\n'));
  const [drained, other] = got === 'one\n' ? (['one', 'two'] as const) : (['two', 'one'] as const);
  await drain(drained === 'one' ? 'pipe-1' : 'pipe-2');
  await confirmed();
  for (let i = 0; i < 10; i += 1) t.equal(await who(to), other);
  socket.write('still there');
  await until('the open one answers', () => got === `${drained}\nstill there`);
  t.notOk(socket.destroyed);
});

t.test('no proxy has refused anything', async (t) => {
  const states = plane
    .status()
    .proxies.flatMap(({ types }) => Object.values(types).map(({ state }) => state));
  t.strictSame(new Set(states), new Set(['SYNCED']));
});
