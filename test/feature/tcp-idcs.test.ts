import t from 'tap';
import { talk, tcpInstance, who } from '../support/apps/tcp.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, until } from '../support/mesh.ts';

// Three IDCs, the caller in the first; no instance in the second, though its gateways live.
const [last, all] = [await tcpInstance('last bj-c'), await tcpInstance('all sh-b')];
for (const one of [last, all]) {
  await one.start();
  t.teardown(() => one.kill());
}
const ports = { last: (await freeAddress()).port, all: (await freeAddress()).port };
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b', 'bj-c'],
  hopLimit: 2,
  groups: [
    { name: 'last', tcpPort: ports.last, instances: [{ idc: 'bj-c', at: last }] },
    { name: 'all', tcpPort: ports.all, instances: [{ idc: 'sh-b', at: all }] },
  ],
});
t.teardown(() => world.close());
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

const to = (port: number) => ({ address: world.outbound.address, port });
/** Tunnels that ingress gateways have logged, as `proxy trail status`. */
const tunnels = (name: string) =>
  world
    .accessLines()
    .filter(({ listener, authority }) => listener === 'peer' && authority.startsWith(`${name}.test:`))
    .map(({ proxy, trail, status }) => `${proxy} ${trail} ${status}`);

t.test('the egress asks one IDC after another until one has an instance', async (t) => {
  await until('it is served', async () => (await who(to(ports.last))) === 'last bj-c');
  for (let i = 0; i < 5; i += 1) t.equal(await who(to(ports.last)), 'last bj-c', 'every time');
  await until('it is in the logs', () => tunnels('last').filter((line) => line.endsWith(' 200')).length > 5);
  t.strictSame([...new Set(tunnels('last'))].sort(), [
    'bj-c-ingress sh-a,bj-c 200',
    'sh-b-ingress sh-a,sh-b 503',
  ]);
});

t.test('a mebibyte goes that way unchanged', async (t) => {
  const bytes = '0123456789abcdef'.repeat(65_536);
  t.ok((await talk(to(ports.last), bytes)) === `last bj-c\n${bytes}`);
});

t.test(
  'no instance in any IDC: each IDC is asked, none twice in one trail, and nothing comes back',
  async (t) => {
    await until('it is served', async () => (await who(to(ports.all))) === 'all sh-b');
    await all.kill();
    t.equal(await talk(to(ports.all), 'x'), '');
    await until('both were asked', () => {
      const refused = tunnels('all').filter((line) => line.endsWith(' 503'));
      return (
        refused.some((line) => line.startsWith('sh-b')) && refused.some((line) => line.startsWith('bj-c'))
      );
    });
    for (const line of tunnels('all')) t.match(line, /^(sh-b-ingress sh-a,sh-b|bj-c-ingress sh-a,bj-c) /);
  },
);
