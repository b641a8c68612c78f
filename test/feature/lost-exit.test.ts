import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';
import { runCli } from '../support/planes/run-cli.ts';

// An IDC without instances loses its egress gateways, one after the other. Envoys keep the last one in use,
// dead or alive: what is said is what requests get.

const own = await startInstance(t, (_, response) => response.end('sh-a'));
const away = await startInstance(t, (_, response) => response.end('sh-b'));
const world = await startIdcs({
  ...{ idcs: ['sh-a', 'sh-b'], hopLimit: 1, gateways: 2 },
  groups: [
    {
      ...{ name: 'one', health: '/', entries: true },
      instances: [
        { idc: 'sh-a', at: own.at },
        { idc: 'sh-b', at: away.at },
      ],
    },
  ],
});
t.teardown(() => world.close());
const a = world.meshes.get('sh-a') as Mesh;
const admin = await freeAddress();
const server = await serveAdmin(a.plane, admin, undefined);
t.teardown(() => server.close());

const signal = (name: string, what: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL') =>
  process.kill(world.pids.get(name) as number, what);
const at = ['--admin', showAddress(admin)];
const who = () => runCli('who', 'one.test', '--for', '0s', ...at);
const explain = (from: string) => runCli('explain', '--from', from, '--host', 'one.test', ...at);
const status = () => runCli('status', ...at);

/** A request of the caller; '': no answer within a second. */
async function requested(): Promise<string> {
  const found = await Promise.race([
    get(world.outbound, '/', { host: 'one.test' }),
    new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 1_000).unref()),
  ]).catch(() => undefined);
  return found === undefined ? '' : `${found.status} ${found.body}`;
}

/** The same commands, once all of them say so: what status says may be 5 s old. */
async function allSay(words: RegExp, code: number) {
  const asked = [who, () => explain('sh-a/caller'), () => explain('sh-a/sh-a-ingress')];
  for (const ask of asked) {
    let last = await ask();
    await until(`${words}: ${last.out}${last.err}`, async () => {
      last = await ask();
      return words.test(last.out) && last.code === code;
    });
  }
}

const served = /served by sh-b|sh-b serves it, after 1 crossing/;
const nobody = /NOBODY serves it/;

/** Health of the egress gateways as the caller's Envoy has it. */
async function exitsAtCaller(): Promise<string[]> {
  const { body } = await get(world.admins.get('caller') as ListenAddress, '/clusters');
  return body
    .split('\n')
    .flatMap((line) => (/^egress::.*::health_flags::/.test(line) ? [line.split('::').at(-1) ?? ''] : []));
}

t.test('the instance is dead: sh-b serves', async (t) => {
  own.down();
  await until('requests leave', async () => (await requested()) === '200 sh-b');
  await allSay(served, 1);
  t.notMatch((await explain('sh-a/caller')).out, /not connected/);
});

t.test('one of two egress gateways is dead: it is marked, the other one is used', async (t) => {
  signal('sh-a-egress-2', 'SIGKILL');
  const marked =
    /(served by sh-b|sh-b serves it)[\s\S]*sh-a\/egress-2.*not connected since \S+Z, accepts no conn/;
  await allSay(marked, 1);
  await until('requests go by the other one', async () => (await requested()) === '200 sh-b');
  t.match((await who()).out, /^! sh-a\/egress-2 at \S+ takes no request: not connected since/m);
});

t.test('the last one is stopped: nobody serves it, until it goes on', async (t) => {
  signal('sh-a-egress', 'SIGSTOP');
  await allSay(/NOBODY serves it[\s\S]*sh-a\/egress-1.*accepts connections and never answers/, 3);
  t.not(await requested(), '200 sh-b');
  signal('sh-a-egress', 'SIGCONT');
  await until('requests leave again', async () => (await requested()) === '200 sh-b');
  // Until it has found its control plane again, it cannot be read, and answers.
  await until('explain says so', async () => served.test((await explain('sh-a/caller')).out));
  await until('who takes it back', async () => !nobody.test((await who()).out));
});

t.test('the last one is dead: nobody serves it, by all commands', async (t) => {
  signal('sh-a-egress', 'SIGKILL');
  await allSay(nobody, 3);
  await until('requests fail', async () => (await requested()).startsWith('503'));
  t.ok((await exitsAtCaller()).includes('healthy'), 'what the Envoy says alone would not tell');
  const told = await explain('sh-a/caller');
  t.match(told.out, /no egress gateway of sh-a can be used \(sh-a\/egress-1: not connected since /, told.out);
  const said = await who();
  t.match(
    said.out,
    /NOBODY serves it, 0 of 1 instances here can serve, and no egress gateway of sh-a answers/,
  );
  let last = await status();
  const line =
    /^! one\.test:80: NOBODY serves it, 0 of 1 instances of sh-a can serve, and no egress gateway of sh-a answers \(sh-a\/egress-1: not connected since .*; sh-a\/egress-2: not connected since .*\)\.$/m;
  await until(`status says so: ${last.out}`, async () => {
    last = await status();
    return line.test(last.out);
  });
  t.equal(last.code, 1);
});

t.test('the instance serves again, though nothing could leave', async (t) => {
  await own.up();
  await until('requests stay', async () => (await requested()) === '200 sh-a');
  await allSay(/served by sh-a|sh-a serves it, where it begins/, 0);
  t.match((await who()).out, /Next: nobody else can serve it\./);
  const { hosts } = await a.plane.drains.without({ namespace: 'test', name: 'one-1' });
  t.match(hosts, [{ isLast: true, elsewhere: [] }], 'a drain would leave nobody');
});
