import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { createDrainsSource, type DrainsSource } from '../../src/registry/drains/drains-source.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { adminToken, startInstance } from '../support/planes/evacuating.ts';
import { runCli, startCli } from '../support/planes/run-cli.ts';

// isthmus drain and undrain of instances that come from a file, with real Envoys: what is sent where, and
// what is said of it.

const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));
const dir = t.testdir({});
writeFileSync(join(dir, 'token'), adminToken);
const clock = systemClock;
const namespace = 'test';

/** Ends the requests for `/long`. */
const held: (() => void)[] = [];

/** An instance that answers its name; `/long` when it is let go. It counts what it takes. */
async function instance(name: string) {
  const taken: string[] = [];
  const one = await startInstance(t, (request, response) => {
    if (request.url === '/health') return void response.end();
    taken.push(request.url ?? '');
    if (request.url === '/long') held.push(() => response.end(name));
    else response.end(name);
  });
  return { ...one, name, taken, address: showAddress(one.at) };
}

const [first, second, far] = [await instance('first'), await instance('second'), await instance('far')];
const sources = new Map<string, DrainsSource>();
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    {
      ...{ name: 'web', entries: true, health: '/health' },
      instances: [
        { idc: 'sh-a', at: first.at },
        { idc: 'sh-a', at: second.at },
        { idc: 'sh-b', at: far.at },
      ],
    },
  ],
  sources(idc) {
    const source = createDrainsSource({ file: join(dir, `${idc}.json`), clock });
    sources.set(idc, source);
    return [source];
  },
});
t.teardown(() => world.close());
const plane = (idc: string) => (world.meshes.get(idc) as Mesh).plane;
const admins = new Map<string, ListenAddress>();
for (const [idc, source] of sources) {
  const at = await freeAddress();
  const drains = { plane: plane(idc), drains: source, clock };
  const server = await serveAdmin(plane(idc), at, adminToken, { drains });
  t.teardown(() => server.close());
  admins.set(idc, at);
}
const adminFlags = [...admins.values()].flatMap((at) => ['--admin', showAddress(at)]);
const one = ['--admin', showAddress(admins.get('sh-a') as ListenAddress)];
const withToken = ['--token-file', join(dir, 'token')];
const isthmus = (...args: readonly string[]) => runCli(...args, ...adminFlags, ...withToken);

/** Where so many requests of the caller are answered, by instance; failures by status. */
async function where(count = 40): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const { status, body } = await get(world.outbound, '/', { host: 'web.test' });
    const place = status === 200 ? body : String(status);
    counts[place] = (counts[place] ?? 0) + 1;
  }
  return counts;
}

/** What an Envoy says of a host of a cluster, in the text form of its page. */
async function hostAt(proxy: string, address: string): Promise<Readonly<Record<string, string>>> {
  const { body } = await get(world.admins.get(proxy) as ListenAddress, '/clusters');
  const lines = body.split('\n').map((line) => line.split('::'));
  const own = lines.filter(([name, at]) => name === 'instances/web.test:80' && at === address);
  return Object.fromEntries(own.map(([, , stat, value]) => [stat, value]));
}

t.test('before: both instances serve', async (t) => {
  await until('both are known to be healthy', async () => {
    const { first: a = 0, second: b = 0 } = await where(20);
    return a > 0 && b > 0 && a + b === 20;
  });
  await until('the egress knows that sh-b serves, too', async () => {
    const { body } = await get(world.admins.get('sh-a-egress') as ListenAddress, '/clusters');
    return /^idcs\/web\.test:80::[^:]+:\d+::health_flags::healthy$/m.test(body);
  });
  t.strictSame(
    (await plane('sh-a').drains.findInstances(`${namespace}/web-1`)).map(({ hosts }) => hosts),
    [['web.test']],
  );
});

t.test(
  'an instance of a file is drained: what it has is finished and counted, and nothing new comes',
  async (t) => {
    const long = Array.from({ length: 4 }, () => get(world.outbound, '/long', { host: 'web.test' }));
    await until('long requests are at the first instance', async () => first.taken.includes('/long'));
    const longs = () => first.taken.filter((url) => url === '/long').length;
    await until(
      'all are on their way',
      async () => longs() + second.taken.filter((url) => url === '/long').length === 4,
    );
    const before = longs();
    const { code, out, err } = await isthmus('drain', first.address, '--reason', 'new kernel');
    t.comment(out, err);
    t.equal(code, 0, err);
    t.match(out, /test\/web-1 is drained in sh-a: every connected proxy has confirmed; /);
    t.match(out, new RegExp(`${before} requests? (is|are) in flight there, by 2 proxies`));
    t.match(out, /web\.test:80: 1 of 1 other instance in sh-a can serve; then sh-b\./);
    const host = await hostAt('caller', first.address);
    t.match(host.health_flags, /eds_status_draining/, 'Envoy has it as draining');
    t.equal(Number(host.rq_active), before, 'and says what it still has there');
    const taken = first.taken.length;
    t.strictSame(await where(), { second: 40 }, 'nothing leaves the IDC: one that is drained does not count');
    t.equal(first.taken.length, taken, 'and the drained one gets nothing');
    for (const end of held) end();
    t.strictSame(
      (await Promise.all(long)).map(({ status }) => status),
      [200, 200, 200, 200],
    );
  },
);

t.test('who, status and events say so', async (t) => {
  const who = await runCli('who', 'web.test', ...one);
  t.match(who.out, new RegExp(`${first.address} +sh-a +0 +unhealthy +.*drained`), who.out);
  t.match(who.out, /1 of 2 instances here can serve/);
  t.match(who.out, /Drained: test\/web-1 by \S+@\S+, .* ago \(new kernel\)\./);
  const status = await runCli('status', ...one);
  t.match(status.out, /Drained: test\/web-1 by \S+@\S+, .* ago \(new kernel\)\./);
  const events = await runCli('events', '--kind', 'drain', ...one);
  t.match(events.out, /test\/web-1 DRAINED by \S+@\S+ \(new kernel\)/, events.err);
  const list = await get(admins.get('sh-a') as ListenAddress, '/v1/drains');
  t.match(JSON.parse(list.body), {
    idc: 'sh-a',
    items: [{ namespace: 'test', name: 'web-1', reason: 'new kernel', isDeclared: true }],
  });
});

t.test('the last instance that can serve is refused, named by what would happen', async (t) => {
  const dry = await isthmus('drain', 'web-2', '--dry-run');
  t.match(
    dry.out,
    /web\.test:80: it would leave the IDC: no other instance in sh-a; then sh-b\.\n {2}It needs --force/,
  );
  const refused = await isthmus('drain', 'web-2');
  t.equal(refused.code, 1);
  t.match(
    refused.err,
    /test\/web-2 is the last instance of web\.test:80 that can serve in sh-a .* would go to sh-b/,
  );
  t.equal((await where(10)).second, 10, 'nothing was done');
});

t.test('a drain that is drained again keeps its begin, and is no other event for its host', async (t) => {
  const { code } = await isthmus('drain', `${namespace}/web-1`, '--for', '10h', '--reason', 'longer');
  t.equal(code, 0);
  const { items } = plane('sh-a').drains.list();
  t.equal(items[0]?.spec.reason, 'longer');
  t.ok((items[0]?.spec.until ?? 0) > clock.wall() + 9 * 3_600_000);
});

t.test(
  'with --force all are drained: requests go to the other IDC, none to a drained instance',
  async (t) => {
    const { code, out } = await isthmus('drain', 'web-2', '--force');
    t.equal(code, 0, out);
    t.match(out, /test\/web-2 is drained in sh-b, too, where no proxy sends to it directly\./);
    const taken = [first.taken.length, second.taken.length];
    t.strictSame(await where(), { far: 40 });
    t.strictSame([first.taken.length, second.taken.length], taken);
    await until('it is told as a failover', async () => {
      const { events } = plane('sh-a').events.list({ limit: 1_000 });
      return events.some((event) => event.kind === 'failover' && event.why === 'drained');
    });
  },
);

t.test('nobody else serves: drained instances still get nothing, as there is no panic mode', async (t) => {
  // The egress gateways of sh-b learn by their checks that sh-a cannot.
  let refused = '';
  await until('sh-b knows that sh-a cannot', async () => {
    refused = (await isthmus('drain', 'web-3')).err;
    return refused.includes('NOBODY would serve it');
  });
  t.notMatch(refused, /drained at/);
  for (const idc of ['sh-a', 'sh-b'])
    t.notOk(
      plane(idc)
        .drains.list()
        .items.some(({ meta }) => meta.name === 'web-3'),
      `not even at ${idc}`,
    );
  far.down();
  const taken = [first.taken.length, second.taken.length];
  await until('the other IDC is known not to serve', async () => (await where(5))['503'] === 5);
  t.strictSame(await where(), { 503: 40 });
  t.strictSame([first.taken.length, second.taken.length], taken, 'none was tried at a drained instance');
  // The control, with a panic threshold, is in drain.test.ts.
  await far.up();
});

t.test('undrained instances serve again', async (t) => {
  for (const name of ['web-1', 'web-2']) {
    const { code, out, err } = await isthmus('undrain', name);
    t.equal(code, 0, err);
    t.match(out, new RegExp(`test/${name} takes requests again in sh-a`));
  }
  await until('both serve', async () => {
    const { first: a = 0, second: b = 0 } = await where(20);
    return a > 0 && b > 0 && a + b === 20;
  });
  const again = await isthmus('undrain', 'web-1');
  t.equal(again.code, 2);
  t.match(again.err, /'web-1' is not drained/);
});

t.test('an IDC whose Idc names no control plane is a note, unless the instance is its own', async (t) => {
  const other = ['--admin', showAddress(admins.get('sh-b') as ListenAddress)];
  for (const args of [
    ['drain', 'web-1', '--dry-run'],
    ['drain', 'web-1'],
    ['undrain', 'web-1'],
  ]) {
    const here = await runCli(...args, ...one, ...withToken);
    t.equal(here.code, 0, here.err);
    t.match(here.err, /^isthmus: sh-b is not asked, as its Idc names no control plane .* gateways alone$/m);
  }
  const away = await runCli('drain', 'web-1', ...other, ...withToken);
  t.equal(away.code, 1, 'the proxies of sh-a go on: nobody may believe that it is drained');
  t.match(away.err, /sh-a is not asked, .*: its proxies go on as before, and the instance is theirs\./);
  t.strictSame(Object.keys(await where(20)).sort(), ['first', 'second']);
  t.equal((await runCli('undrain', 'web-1', ...other, ...withToken)).code, 1);
});

t.test('the control plane that refuses is named', async (t) => {
  const at = await freeAddress();
  const drains = { plane: plane('sh-b'), drains: sources.get('sh-b') as DrainsSource, clock };
  const server = await serveAdmin(plane('sh-b'), at, undefined, { drains });
  const flags = [...one, '--admin', showAddress(at), ...withToken];
  const { code, out, err } = await runCli('drain', 'web-1', ...flags, '-o', 'json');
  t.equal(code, 1);
  const admin = showAddress(at);
  const words = `the control plane at ${admin} refuses: writes are off: start isthmus serve with --admin-token-file (HTTP 403)`;
  t.equal(err.split('\n').at(-2), `isthmus: ${words}`);
  t.strictSame(JSON.parse(out), [{ admin, confirmed: false, error: words }], 'nothing is done at the other');
  await server.close();
  t.strictSame(plane('sh-a').drains.list().items, []);
});

t.test('as JSON and YAML: what each control plane says', async (t) => {
  const json = async (...args: string[]) => JSON.parse((await isthmus(...args, '-o', 'json')).out);
  const [here, there] = [...admins.values()].map(showAddress);
  const hosts = [{ host: 'web.test', port: 80, usable: 1 }];
  const [preview] = await json('drain', 'web-1', '--dry-run');
  t.match(preview, { admin: here, idc: 'sh-a', name: 'web-1', hosts, wasDrained: false });
  t.equal('confirmed' in preview, false);
  t.match(await json('drain', 'web-1'), [
    { admin: here, confirmed: true, idc: 'sh-a', hosts, acked: true, inFlight: { requests: 0 } },
    { admin: there, confirmed: true, idc: 'sh-b', hosts: [] },
  ]);
  const undrained = await isthmus('undrain', 'web-1', '-o', 'yaml');
  t.match(parse(undrained.out), [
    { admin: here, confirmed: true, idc: 'sh-a', wasDrained: true },
    { admin: there, confirmed: true },
  ]);
});

t.test('interrupted while it waits: it says that the drain stays, and where', async (t) => {
  held.length = 0;
  // So many that either instance has some.
  const long = Array.from({ length: 16 }, () => get(world.outbound, '/long', { host: 'web.test' }));
  await until('all requests are held', async () => held.length === 16);
  const [a = ''] = [...admins.values()].map(showAddress);
  const command = startCli('drain', 'web-1', '--until-idle', '--timeout', '1m', ...adminFlags, ...withToken);
  await until('it waits for what is in flight', async () => /in flight/.test(command.err()));
  command.child.kill('SIGINT');
  const { code, err } = await command.end;
  t.equal(code, 130);
  const last = err.trimEnd().split('\n').at(-1) ?? '';
  t.match(
    last,
    /^isthmus: interrupted: test\/web-1 stays drained at .*, isthmus undrain test\/web-1 ends that$/,
  );
  t.ok(last.includes(a), last);
  t.equal(plane('sh-a').drains.list().items.length, 1, 'as it says');
  for (const end of held) end();
  await Promise.all(long);
  t.equal((await isthmus('undrain', 'web-1')).code, 0);
});

t.test('a body of another form is refused in words', async (t) => {
  const at = showAddress(admins.get('sh-a') as ListenAddress);
  const put = async (body: string, path = '/test/web-1') => {
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    const answer = await fetch(`http://${at}/v1/drains${path}`, { method: 'PUT', headers, body });
    return [answer.status, ((await answer.json()) as { detail: string }).detail];
  };
  const shape = 'It is {"reason": TEXT, "by": TEXT} of at most 500 and 200 characters, or empty';
  t.strictSame(await put('{"reasn":"x","reason":1}'), [
    400,
    `wrong in the body: reason, reasn is no field. ${shape}`,
  ]);
  t.strictSame(await put('[]'), [400, `wrong in the body: no object. ${shape}`]);
  const { body, status } = await get(admins.get('sh-a') as ListenAddress, '/v1/drains?instance=');
  t.equal(status, 400);
  t.match(JSON.parse(body), { detail: 'instance=: name an instance' });
});

t.test('a drain for some time ends by itself', async (t) => {
  t.equal((await isthmus('drain', 'web-1', '--for', '8s')).code, 0);
  t.strictSame(await where(10), { second: 10 });
  await until('it takes requests again', async () => ((await where(10)).first ?? 0) > 0);
  const { events } = plane('sh-a').events.list({ limit: 1_000 });
  t.ok(events.some((event) => event.kind === 'drain' && event.phase === 'expired'));
});

t.test('what is wrong is said', async (t) => {
  const none = await isthmus('drain', 'web-9');
  t.equal(none.code, 2);
  t.match(none.err, /no instance is 'web-9', .* Did you mean 'web-1'\? isthmus who/);
  const noToken = await runCli('drain', 'web-1', ...adminFlags);
  t.equal(noToken.code, 1);
  t.match(noToken.err, /token/);
});
