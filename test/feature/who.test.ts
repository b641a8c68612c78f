import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { GroupReport, HostReason, HostReport } from '../../src/contract/who.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';
import { runCli } from '../support/planes/run-cli.ts';

// Who serves a host, while its instances die: what is said is what each Envoy's own /clusters says.

/** An instance that answers its name, and may go and come back. */
async function instance(name: string, status = 200) {
  const one = await startInstance(t, (_, response) => response.writeHead(status).end(name));
  return { ...one, address: showAddress(one.at) };
}

const [first, second, away] = [await instance('first'), await instance('second'), await instance('away')];
const sick = await instance('sick', 503);
const instances = [
  { idc: 'sh-a', at: first.at },
  { idc: 'sh-a', at: second.at },
  { idc: 'sh-b', at: away.at },
];
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'one', instances, health: '/' },
    { name: 'here', instances: [{ idc: 'sh-a', at: first.at }] },
    // Nothing checks them: who fails is ejected for what it answers.
    { name: 'sick', instances: [first, sick].map(({ at }) => ({ idc: 'sh-a', at })) },
  ],
});
t.teardown(() => world.close());
const [a, b] = [world.meshes.get('sh-a') as Mesh, world.meshes.get('sh-b') as Mesh];
const admins = [await freeAddress(), await freeAddress()] as [ListenAddress, ListenAddress];
for (const [i, mesh] of [a, b].entries()) {
  const server = await serveAdmin(mesh.plane, admins[i] as ListenAddress, undefined);
  t.teardown(() => server.close());
}

/** `isthmus who`, at the control plane of sh-a. */
async function who(...args: string[]) {
  const admin = `127.0.0.1:${admins[0].port}`;
  return runCli('who', ...(args.includes('--admin') ? [] : ['--admin', admin]), ...args);
}

/** `isthmus status`, at the control plane of sh-a. */
const status = () => runCli('status', '--admin', `127.0.0.1:${admins[0].port}`);

/** The same, once it says so: what it says of who serves may be 5 s old. */
async function statusSaying(words: RegExp) {
  let seen = await status();
  await until(`status says ${words}`, async () => {
    seen = await status();
    return words.test(seen.out);
  });
  return seen;
}

/** The Group's only port, as the IDC of a mesh sees it. */
async function seen(mesh: Mesh, intervalMs = 0): Promise<GroupReport> {
  const { groups } = await mesh.plane.who('one.test', intervalMs);
  t.equal(groups.length, 1);
  return groups[0] as GroupReport;
}

/** A word of Envoy's `health_flags` for each reason. */
const flagOf: Partial<Readonly<Record<string, HostReason>>> = {
  '/failed_active_hc': 'check-failed',
  '/active_hc_timeout': 'check-timeout',
  '/pending_active_hc': 'not-checked',
  '/failed_outlier_check': 'ejected',
  '/excluded_via_immediate_hc_fail': 'told-unhealthy',
};

/**
 * The health flags of each host of a cluster at an Envoy, in the text form of its page, which is not the one
 * that is read to answer.
 */
async function flagsAt(proxy: string, cluster: string): Promise<ReadonlyMap<string, string>> {
  const { body } = await get(world.admins.get(proxy) as ListenAddress, '/clusters');
  const found = body.split('\n').flatMap((line) => {
    const [name, address, stat, value] = line.split('::');
    return name === cluster && stat === 'health_flags' ? [[address ?? '', value ?? ''] as const] : [];
  });
  return new Map(found);
}

/** Whether hosts are said to be as each of these Envoys says. */
async function agrees(hosts: readonly HostReport[], cluster: string, proxies: readonly string[]) {
  const flags = new Map(
    await Promise.all(proxies.map(async (proxy) => [proxy, await flagsAt(proxy, cluster)] as const)),
  );
  for (const [proxy, known] of flags) {
    t.strictSame([...known.keys()].sort(), hosts.map(({ address }) => address).sort(), `hosts at ${proxy}`);
    for (const { address, why } of hosts) {
      const own = known.get(address) ?? '';
      const told = why.filter(({ at }) => at.includes(proxy)).map(({ reason }) => reason);
      t.equal(told.length === 0, own === 'healthy', `${address} at ${proxy}: ${own}`);
      for (const [flag, reason = 'degraded'] of Object.entries(flagOf)) {
        // A check has failed, too, if it timed out, is pending or was told to fail.
        const isOther =
          flag === '/failed_active_hc' && /active_hc_timeout|pending_active_hc|immediate_hc_fail/.test(own);
        if (!isOther) t.equal(told.includes(reason as HostReason), own.includes(flag), `${flag}: ${own}`);
      }
    }
  }
  for (const host of hosts) t.equal(host.knownTo, proxies.length, host.address);
}

const callers = ['caller', 'sh-a-ingress'];

/** Compares all that sh-a says with its Envoys, once nothing changes meanwhile. */
async function compared(check: (group: GroupReport) => boolean): Promise<GroupReport> {
  let group = await seen(a);
  await until('the proxies have found out', async () => {
    group = await seen(a);
    return check(group);
  });
  await agrees(group.instances, 'instances/one.test:80', callers);
  await agrees(
    group.next.flatMap(({ gateways }) => gateways),
    'idcs/one.test:80',
    ['sh-a-egress'],
  );
  return group;
}

/** So many requests of the caller, a few at a time; what answered. */
async function send(count: number): Promise<readonly string[]> {
  const bodies: string[] = [];
  for (let i = 0; i < count; i++) {
    const { body } = await get(world.outbound, '/', { host: 'one.test' });
    bodies.push(body);
    await sleep(systemClock, 5);
  }
  return bodies;
}

const usable = (hosts: readonly HostReport[]) =>
  hosts.filter(({ usableAt }) => usableAt > 0).map(({ address }) => address);

t.test('all instances serve, and the shares are those of the requests', async (t) => {
  await compared(
    (group) =>
      usable(group.instances).length === 2 && group.takesOver === 'sh-b' && group.readAt.length === 3,
  );
  const [group, sent] = await Promise.all([seen(a, 1_500), sleep(systemClock, 100).then(() => send(40))]);
  t.match(group, { served: 'here', by: 'sh-a', takesOver: 'sh-b', awayShare: 0, evacuations: [] });
  // Those outside of the two readings do not count; health checks of sh-b's egress, each second, do.
  t.ok(group.requests > 10 && group.requests <= sent.length + 4, `${group.requests} of ${sent.length}`);
  const shares = group.instances.map(({ share = 0 }) => share);
  t.equal(Math.round(100 * shares.reduce((all, one) => all + one, 0)), 100);
  t.ok(
    shares.every((share) => share > 0.2),
    shares.join(),
  );
  t.match((await seen(b)).instances, [{ address: away.address, usableAt: 1, knownTo: 1 }]);
  const told = await who('one.test', '--for', '500ms');
  t.equal(told.code, 0, told.err);
  t.match(told.out, /one\.test:80, as sh-a sees it: served by sh-a, 2 of 2 instances here can serve\./);
  t.match(told.out, /Next: sh-b takes over\./);
  t.match(told.out, /By 3 of 3 connected proxies that have it\./);
});

t.test('an instance is ejected for its answers at the proxy that had them', async (t) => {
  let host: HostReport | undefined;
  await until('it is ejected', async () => {
    for (let i = 0; i < 10; i++) await get(world.outbound, '/', { host: 'sick.test' });
    const { groups } = await a.plane.who('sick.test', 0);
    host = groups[0]?.instances.find(({ address }) => address === sick.address);
    return host?.why.some(({ reason }) => reason === 'ejected') === true;
  });
  t.match(host, { health: 'mixed', knownTo: 2, usableAt: 1, why: [{ reason: 'ejected', at: ['caller'] }] });
  const flags = await flagsAt('caller', 'instances/sick.test:80');
  t.match(flags.get(sick.address), /failed_outlier_check/);
});

t.test('an evacuated IDC is the last resort', async (t) => {
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const evacuation = (percent: number) =>
    `{apiVersion: isthmus.dev/v1alpha1, kind: Evacuation, metadata: {name: works}, spec: {idc: sh-a, percent: ${percent}, expires: '${expires}'}}`;
  a.save('evacuation.yaml', evacuation(100));
  const group = await compared(
    ({ instances: all }) => all.length === 2 && all.every(({ health }) => health === 'degraded'),
  );
  t.match(group, { served: 'away', by: 'sh-b', takesOver: 'sh-a', keepsPercent: 0, evacuations: ['works'] });
  t.match(group.instances, [{ why: [{ reason: 'last-resort' }] }, { why: [{ reason: 'last-resort' }] }]);
  a.save('evacuation.yaml', evacuation(30));
  await until('the rest serves', async () =>
    (await seen(a)).instances.every(({ health }) => health === 'healthy'),
  );
  const told = await who('one.test', '--for', '0');
  t.equal(told.code, 0, told.err);
  t.match(told.out, /Evacuated by works\. sh-a keeps 70 % of its requests\./);
  a.save('evacuation.yaml', '');
  await until('it is over', async () => (await seen(a)).keepsPercent === undefined);
});

t.test('one instance is dead', async () => {
  first.down();
  const group = await compared(({ instances: all }) => usable(all).join() === second.address);
  t.match(group, { served: 'here', by: 'sh-a', takesOver: 'sh-b' });
  t.notMatch((await status()).out, /one\.test:80: (?:served by|NOBODY)/, 'status has nothing to say of it');
  const dead = group.instances.find(({ address }) => address === first.address);
  t.match(dead, { health: 'unhealthy', usableAt: 0 });
  t.ok(
    dead?.why.some(({ reason }) => reason === 'check-failed' || reason === 'check-timeout'),
    JSON.stringify(dead?.why),
  );
});

t.test('all instances of the IDC are dead: the other serves', async (t) => {
  second.down();
  await compared(({ served }) => served === 'away');
  const [group, sent] = await Promise.all([seen(a, 1_500), sleep(systemClock, 100).then(() => send(30))]);
  t.ok(sent.every((body) => body === 'away'));
  t.match(group, { served: 'away', by: 'sh-b' });
  t.equal(group.takesOver, undefined);
  t.ok((group.awayShare ?? 0) > 0.9, String(group.awayShare));
  t.match(group.next, [{ idc: 'sh-b', priority: 1, usable: 'yes', gateways: [{ health: 'healthy' }] }]);
  await statusSaying(/^! one\.test:80: served by sh-b, 0 of 2 instances of sh-a can serve\.$/m);
  const report = await a.plane.served();
  t.match(report, { idc: 'sh-a', groups: 3, notLookedAt: 0 });
  t.match(
    report.notHere.find(({ host }) => host === 'one.test'),
    { served: 'away', by: 'sh-b', instances: 2, usable: 0 },
  );
  t.strictSame(report.readAt, ['caller', 'sh-a-egress', 'sh-a-ingress']);
  const wide = await who('one.test', '-o', 'wide', '--for', '0');
  t.equal(wide.code, 1, wide.err);
  t.match(wide.out, /served by sh-b, 0 of 2 instances here can serve\.\nNext: nobody else can serve it\./);
  t.match(wide.out, new RegExp(`${first.address} +sh-a +0 +unhealthy .* 0 of 2 `));
  t.match((await who('here.test', '--for', '0')).out, /as sh-a sees it: served by sh-a|NOBODY serves it/);
});

t.test('as each IDC sees it: control planes that the Idcs name', async (t) => {
  const alone = await who('one.test', '--all-idcs', '--for', '0');
  t.equal(alone.code, 1);
  t.match(alone.out, /! sh-b is not asked: its Idc names no control plane\./);
  let nth = 0;
  const text = (world.registry.get('sh-a') ?? '').replaceAll(
    'exposeReady: false',
    () => `exposeReady: false\n  controlPlanes: ["127.0.0.1:${admins[nth++]?.port}"]`,
  );
  a.save('all.yaml', text);
  await until('it knows', async () => {
    const { others } = await a.plane.who('one.test', 0);
    return others[0]?.controlPlanes.length === 1;
  });
  const both = await who('one.test', '--all-idcs', '-o', 'json', '--for', '0');
  t.equal(both.code, 1, both.err);
  t.match(JSON.parse(both.out), [
    { admin: `127.0.0.1:${admins[0].port}`, idc: 'sh-a', groups: [{ served: 'away', by: 'sh-b' }] },
    { admin: `127.0.0.1:${admins[1].port}`, idc: 'sh-b', groups: [{ served: 'here', by: 'sh-b' }] },
  ]);
  t.match(
    (await who('one.test', '-o', 'yaml', '--for', '0')).out,
    /^- admin: 127\.0\.0\.1:\d+\n {2}host: one\.test\n/,
  );
});

t.test('nobody serves it', async (t) => {
  away.down();
  const group = await compared(({ served }) => served === 'nobody');
  t.equal(group.by, undefined);
  t.match(group.next, [{ usable: 'no' }]);
  const { code, out } = await who('one.test', '--for', '0');
  t.equal(code, 3, out);
  t.match(out, /NOBODY serves it, 0 of 2 instances here can serve\./);
  const { code: exit } = await statusSaying(
    /^! one\.test:80: NOBODY serves it, 0 of 2 instances of sh-a can serve\.$/m,
  );
  t.equal(exit, 1);
});

t.test('what cannot be told is said', async (t) => {
  const wrong = await who('ome.test');
  t.equal(wrong.code, 2);
  t.match(
    wrong.err,
    /the registry of sh-a declares no host 'ome\.test': it has 3 hosts\. Did you mean 'one\.test'\?/,
  );
  const port = await who('one.test:81');
  t.equal(port.code, 2);
  t.match(port.err, /one\.test has no port 81: it has 80/);
  const nobody = await who('one.test', '--admin', '127.0.0.1:1');
  t.equal(nobody.code, 2);
  t.equal(
    (await who('one.test', '--for', '0', '--admin', `127.0.0.1:${admins[0].port},127.0.0.1:1`)).code,
    3,
  );
});

t.test('a stopped proxy is not waited for, and named', async (t) => {
  process.kill(world.pids.get('sh-a-egress') as number, 'SIGSTOP');
  t.teardown(() => process.kill(world.pids.get('sh-a-egress') as number, 'SIGCONT'));
  const { proxies, groups } = await a.plane.who('one.test', 0);
  t.match(proxies, { connected: 3, asked: 3, read: 2, silent: [{ node: 'sh-a-egress', role: 'egress' }] });
  t.match(groups[0], { next: [{ usable: 'unknown' }] });
});
