import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { outcomeHeader, trailHeader } from '../../src/model/trail.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { type TcpInstance, talk, tcpInstance, who } from '../support/apps/tcp.ts';
import { freeAddress, until } from '../support/mesh.ts';
import { startTwoIdcs } from '../support/two-idcs.ts';

type IdcName = 'sh-a' | 'sh-b';

/** A Group of two instances, one in each IDC. */
interface TcpGroup {
  readonly host: string;
  readonly protocol: string;
  readonly listen: ListenAddress;
  readonly instances: Readonly<Record<IdcName, TcpInstance>>;
}

async function group(host: string, protocol: string, listen?: ListenAddress): Promise<TcpGroup> {
  const instances = { 'sh-a': await tcpInstance(`${host} sh-a`), 'sh-b': await tcpInstance(`${host} sh-b`) };
  for (const one of Object.values(instances)) {
    await one.start();
    t.teardown(() => one.kill());
  }
  return { host, protocol, listen: listen ?? (await freeAddress()), instances };
}

const shared = await group('shared.test', 'TCP');
const alone = await group('alone.test', 'TCP');
const vip = await group('vip.test', 'MYSQL', await freeAddress('127.77.0.1'));

const logs = mkdtempSync(join(tmpdir(), 'isthmus-tcp-'));
const world = await startTwoIdcs([{ name: 'web', idc: 'sh-a', protocol: 'HTTP' }], '{health: {path: /up}}', {
  accessLogs: logs,
});
t.teardown(async () => {
  await world.close();
  rmSync(logs, { recursive: true });
});
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

function entry({ host, protocol, listen, instances }: TcpGroup, addresses = ''): string {
  const endpoint = (idc: IdcName) =>
    `{address: ${instances[idc].address}, ports: {main: ${instances[idc].port}}, locality: ${idc}}`;
  return `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${host}, namespace: test}
spec:
  hosts: [${host}]
  location: MESH_INTERNAL
  resolution: STATIC
  ${addresses}
  ports: [{number: ${listen.port}, name: main, protocol: ${protocol}}]
  endpoints: [${endpoint('sh-a')}, ${endpoint('sh-b')}]
`;
}

world.edit(
  (yaml) =>
    yaml.replace('hosts: [web.test]', 'hosts: [web.test, shared.test, vip.test]') +
    entry(shared) +
    entry(alone) +
    entry(vip, `addresses: [${vip.listen.address}]`),
);
for (const { host, listen } of [shared, alone, vip]) {
  await until(`${host} is served here`, async () => (await who(listen)) === `${host} sh-a`);
}

interface LogLine {
  readonly listener: string;
  readonly [field: string]: unknown;
}

function logOf(id: string, listener: string): LogLine[] {
  const lines = readFileSync(join(logs, `${id}.log`), 'utf8').split('\n');
  // What stands after the last newline is not written yet.
  return lines
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine)
    .filter((line) => line.listener === listener);
}

const mebibyte = '0123456789abcdef'.repeat(65_536);

t.test('near: bytes in both directions, each closed on its own', async (t) => {
  const got = await talk(shared.listen, mebibyte);
  t.equal(got.length, 'shared.test sh-a\n'.length + mebibyte.length);
  t.ok(got === `shared.test sh-a\n${mebibyte}`);
  t.equal(shared.instances['sh-b'].connections(), 0, 'nothing left the IDC');
});

t.test(
  'the instance dies: its connections are cut, and the next one is served by the other IDC',
  async (t) => {
    const cut = new Promise((resolve) => {
      const socket = connect({ host: shared.listen.address, port: shared.listen.port });
      socket.once('data', () => void shared.instances['sh-a'].kill());
      socket.on('close', resolve).on('error', () => {});
    });
    await cut;
    const got = await talk(shared.listen, mebibyte);
    t.ok(got === `shared.test sh-b\n${mebibyte}`, 'the very next one, byte for byte');

    const authority = `shared.test:${shared.listen.port}`;
    const tunnels = (id: string, listener: string) =>
      logOf(id, listener).filter((line) => line.method === 'CONNECT' && line.authority === authority);
    await until('the crossing is in the logs', () => tunnels('sh-b-ingress', 'peer').length > 0);
    t.match(tunnels('sh-b-ingress', 'peer').at(-1), { trail: 'sh-a,sh-b', status: 200 });
    await until('it is in the log of the egress', () => tunnels('sh-a-egress', 'sidecar').length > 0);
    t.match(tunnels('sh-a-egress', 'sidecar').at(-1), { trail: 'sh-a', status: 200 });
    await until('the tunnel is in the logs', () => logOf('caller', 'tunnel').length > 0);
    t.match(logOf('caller', 'tunnel').at(-1), { group: authority });
  },
);

t.test('the instance is back: connections stay here again', async (t) => {
  await shared.instances['sh-a'].start();
  await until('it is near again', async () => (await who(shared.listen)) === 'shared.test sh-a');
  t.pass();
});

t.test('an address of its own', async (t) => {
  await vip.instances['sh-a'].kill();
  t.equal(await who(vip.listen), 'vip.test sh-b');
});

t.test('without a DR group a connection never leaves the IDC', async (t) => {
  await alone.instances['sh-a'].kill();
  for (let i = 0; i < 5; i += 1) t.equal(await talk(alone.listen, 'x'), '');
  t.equal(alone.instances['sh-b'].connections(), 0);
});

t.test('a DR group is added: open connections stay, and new ones fail over', async (t) => {
  await alone.instances['sh-a'].start();
  await until('it is served again', async () => (await who(alone.listen)) === 'alone.test sh-a');
  const open = connect({ host: alone.listen.address, port: alone.listen.port }).on('error', () => {});
  const hear = () => new Promise<string>((resolve) => open.once('data', (data) => resolve(String(data))));
  t.equal(await hear(), 'alone.test sh-a\n');
  const marker = await group('marker.test', 'TCP');
  world.edit((yaml) => yaml.replace('hosts: [web.test', 'hosts: [alone.test, web.test') + entry(marker));
  await until('the sidecar has it all', async () => (await who(marker.listen)) === 'marker.test sh-a');
  const echo = hear();
  open.write('still here');
  t.equal(await echo, 'still here');
  await alone.instances['sh-a'].kill();
  t.equal(await who(alone.listen), 'alone.test sh-b');
});

t.test('a dead egress and a dead ingress next to live ones lose no connection', async (t) => {
  const dead = async () => (await freeAddress()).port;
  const [egress, ingress] = [
    `{address: 127.0.0.1, sidecarPort: ${await dead()}, ingressPort: ${await dead()}}`,
    `{address: 127.0.0.1, edgePort: ${await dead()}, peerPort: ${await dead()}}`,
  ];
  const marker = await group('gateways.test', 'TCP');
  world.edit(
    (yaml) =>
      yaml
        .replaceAll('egress: [', `egress: [${egress}, `)
        .replaceAll('ingress: [', `ingress: [${ingress}, `) + entry(marker),
  );
  await until('the sidecar has it all', async () => (await who(marker.listen)) === 'gateways.test sh-a');
  for (let i = 0; i < 10; i += 1) t.equal(await who(alone.listen), 'alone.test sh-b');
});

t.test('no instance in either IDC: the connection ends, and the log says why', async (t) => {
  await shared.instances['sh-a'].kill();
  await shared.instances['sh-b'].kill();
  t.equal(await talk(shared.listen, 'x'), '');
  await until('the outcome is in the logs', () =>
    logOf('caller', 'tunnel').some(({ answer }) => JSON.stringify(answer).includes('no-idc')),
  );
  await until('it is in the log of the other IDC too', () =>
    logOf('sh-b-ingress', 'peer').some(({ trail, outcome }) => trail === 'sh-a,sh-b' && outcome === 'no-idc'),
  );
  const back = logOf('sh-a-ingress', 'peer').filter(({ method }) => method === 'CONNECT');
  t.strictSame(back, [], 'nothing came back to where it began');
});

t.test('a tunnel is under the rules of the trail', async (t) => {
  const ask = (trail?: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const session = connectHttp2(`http://${world.peer.address}:${world.peer.port}`).on('error', reject);
      session.on('connect', () => {
        const stream = session.request({
          ':method': 'CONNECT',
          ':authority': `shared.test:${shared.listen.port}`,
          ...(trail === undefined ? {} : { [trailHeader]: trail }),
        });
        stream.on('response', (headers) => {
          resolve(headers);
          session.destroy();
        });
        stream.on('error', reject);
      });
    });
  t.match(await ask('sh-a,sh-b'), { ':status': 508, [outcomeHeader]: 'loop' });
  t.match(await ask('sh-a,sh-c'), { ':status': 400, [outcomeHeader]: 'hop-limit' });
  t.match(await ask(), { ':status': 400, [outcomeHeader]: 'malformed' });
  await shared.instances['sh-b'].start();
  await until('within the rules it is let in', async () => (await ask('sh-a'))[':status'] === 200);
});
