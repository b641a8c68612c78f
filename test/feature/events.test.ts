import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { EventList, PlaneEvent } from '../../src/contract/events.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { groupYaml, idcYamlOf } from '../support/objects-yaml.ts';
import { contractFaults } from '../support/planes/contract.ts';
import { startInstance } from '../support/planes/evacuating.ts';
import { createPlanes } from '../support/planes/planes.ts';
import { runCli } from '../support/planes/run-cli.ts';
import { linesOf } from '../support/planes/served.ts';

// What happens to a control plane with real Envoys; what its events say of it, in order and over restarts.

const dir = mkdtempSync(join(tmpdir(), 'isthmus-events-'));
t.teardown(() => rmSync(dir, { recursive: true, force: true }));
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const [edge, peer, sidecar, ingress] = [
  await freeAddress(),
  await freeAddress(),
  await freeAddress(),
  await freeAddress(),
];
const [outbound, taken] = [await freeAddress(), await freeAddress()];

const idcA = `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-a}
spec:
  ingress: [{address: 127.0.0.1, edgePort: ${edge.port}, peerPort: ${peer.port}}]
  egress: [{address: 127.0.0.1, sidecarPort: ${sidecar.port}, ingressPort: ${ingress.port}}]
`;
const instances = await Promise.all(
  ['first', 'second', 'other'].map((name) => startInstance(t, (_, response) => response.end(name))),
);
const [first, second, other] = instances as [
  (typeof instances)[0],
  (typeof instances)[0],
  (typeof instances)[0],
];

/** A Group of these instances, which may go to sh-b. */
const group = (name: string, at: readonly { readonly port: number }[], weight = 1) => `
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: ${name}}
spec: {hosts: [${name}.shop], idcs: [{name: sh-a}, {name: sh-b}], capacity: {concurrentPerInstance: 50}}
---${groupYaml(name)}${at
  .map(
    ({ port }, i) => `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: ${name}-${i + 1}, namespace: shop}
spec: {address: 127.0.0.1, ports: {http: ${port}}, weight: ${weight}, labels: {app: ${name}}, locality: sh-a}
`,
  )
  .join('')}`;

const files = {
  'idc.yaml': idcA,
  'other-idc.yaml': idcYamlOf('sh-b'),
  'web.yaml': group('web', [first.at, second.at]),
  'other.yaml': group('other', [other.at]),
};
const {
  planes: [plane],
  save,
  close,
} = await createPlanes(1, { files, flags: ['--state', join(dir, 'state')] });
t.teardown(close);
const tools = await startMesh('sh-a', {});
t.teardown(() => tools.close());

/** All events after this one, as the contract has them. */
async function eventsAfter(after: number): Promise<EventList> {
  const path = `/v1/events?after=${after}`;
  const text = await plane.page(path);
  t.strictSame(contractFaults('GET', path, { status: 200, type: 'application/json', text }), []);
  return JSON.parse(text) as EventList;
}

/** What an event is of, in a few words. */
function nameOf(event: PlaneEvent): string {
  const of = {
    ...{ controlplane: () => '', push: () => '', ejection: () => '' },
    change: (one: PlaneEvent) => (one.kind === 'change' ? `${one.change} ${one.object}` : ''),
    nack: (one: PlaneEvent) => (one.kind === 'nack' ? one.node : ''),
    failover: (one: PlaneEvent) => (one.kind === 'failover' ? one.group : ''),
    reach: (one: PlaneEvent) => (one.kind === 'reach' ? String(one.targets.length) : ''),
    evacuation: (one: PlaneEvent) => (one.kind === 'evacuation' ? one.name : ''),
    drain: (one: PlaneEvent) => (one.kind === 'drain' ? one.instance : ''),
    ...{ shed: () => '', trust: () => '' },
    gateway: (one: PlaneEvent) => (one.kind === 'gateway' ? one.node : ''),
    problem: (one: PlaneEvent) => (one.kind === 'problem' ? (one.code ?? '') : ''),
  }[event.kind](event);
  return [event.kind, 'phase' in event ? event.phase : '', of].filter((word) => word !== '').join(' ');
}

let seen = 0;

/** Waits for an event of this name, and returns all since the last call; pushes are left out. */
async function happened(name: string): Promise<readonly PlaneEvent[]> {
  let events: readonly PlaneEvent[] = [];
  await until(`it is told: ${name}`, async () => {
    ({ events } = await eventsAfter(seen));
    return events.some((event) => nameOf(event) === name);
  });
  seen = events.at(-1)?.id ?? seen;
  return events.filter(({ kind }) => kind !== 'push');
}

const names = (events: readonly PlaneEvent[]) => events.map(nameOf);

/** `isthmus events -f`, from now on. */
const follower = { out: '', err: '' };
function follow() {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const admin = `127.0.0.1:${plane.admin.port}`;
  const child = spawn(process.execPath, [main, 'events', '-f', '-o', 'json', '--admin', admin], { env });
  child.stdout.on('data', (chunk) => (follower.out += chunk));
  child.stderr.on('data', (chunk) => (follower.err += chunk));
  t.teardown(() => child.kill('SIGKILL'));
}

t.test('a start, and gateways that connect', async (t) => {
  plane.start();
  await plane.ready();
  const own = (await happened('controlplane ready')).filter(({ kind }) => kind === 'controlplane');
  t.match(own, [{ phase: 'started' }, { phase: 'ready', groups: 2 }]);
  t.notOk('before' in (own[0] as object), 'it is the first');
  const xds = { xds: [plane.xds] };
  await Promise.all([
    tools.envoy('egress-1', { role: 'egress', idc: 'sh-a', sidecar, ingress }, xds),
    tools.envoy('ingress-1', { role: 'ingress', idc: 'sh-a', edge, peer }, xds),
    tools.envoy('caller', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound }, xds),
  ]);
  const serves = async () => (await get(outbound, '/', { host: 'web.shop' })).status === 200;
  await until('it serves', serves);
  const connected = ['gateway connected egress-1', 'gateway connected ingress-1'];
  const { events } = await eventsAfter(seen);
  t.strictSame(names(events.filter(({ kind }) => kind === 'gateway')).sort(), connected, 'no sidecar');
  seen = events.at(-1)?.id ?? seen;
  follow();
});

t.test('the instances of a Group die and come back', async (t) => {
  first.down();
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  const one = (await eventsAfter(seen)).events;
  t.notOk(
    one.some(({ kind }) => kind === 'failover'),
    'one instance is left',
  );
  second.down();
  const [begin] = (await happened('failover begin shop/web.shop:80')).filter(
    ({ kind }) => kind === 'failover',
  );
  t.match(begin, { why: 'unreached', instances: 2, to: 'sh-b' });
  t.match(await plane.page('/metrics'), /^isthmus_groups_failed_over\{idc="sh-a"\} 1$/m);
  const told = await runCli('events', '--admin', `127.0.0.1:${plane.admin.port}`, '--kind', 'failover');
  t.equal(told.code, 0, told.err);
  t.match(
    told.out,
    /shop\/web\.shop:80 FAILED OVER, requests go to sh-b: none of 2 instances can serve \(none accepts connections\)/,
  );
  await first.up();
  const [end] = (await happened('failover end shop/web.shop:80')).filter(({ kind }) => kind === 'failover');
  t.match(end, { instances: 2 });
  await second.up();
  await happened('reach back 1');
  const all = (await eventsAfter(0)).events;
  t.notOk(
    all.some((event) => event.kind === 'failover' && event.group !== 'shop/web.shop:80'),
    'the other Group, whose instance lives, has not failed over',
  );
});

t.test('an object is edited, and removed', async (t) => {
  save('other.yaml', group('other', [other.at], 7));
  const [edit] = await happened('change changed WorkloadEntry shop/other-1');
  t.match(edit, {
    ...{ source: 'files', where: /other\.yaml:\d+/ },
    fields: [{ path: 'weight', from: '1', to: '7' }],
  });
  save('other.yaml', group('other', []));
  const gone = names(await happened('failover begin shop/other.shop:80'));
  t.strictSame(gone, ['change removed WorkloadEntry shop/other-1', 'failover begin shop/other.shop:80']);
  save('other.yaml', group('other', [other.at]));
  t.strictSame(names(await happened('failover end shop/other.shop:80')), [
    'change added WorkloadEntry shop/other-1',
    'failover end shop/other.shop:80',
  ]);
});

t.test('a proxy refuses its configuration', async (t) => {
  const blocker = createServer().listen(taken.port, taken.address);
  t.teardown(() => blocker.close());
  save(
    'tcp.yaml',
    `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: tcp, namespace: shop}
spec:
  hosts: [tcp.shop]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: ${taken.port}, name: tcp, protocol: TCP}]
  endpoints: [{address: 127.0.0.1, ports: {tcp: ${other.at.port}}, locality: sh-a}]
`,
  );
  const events = await happened('nack caller');
  t.strictSame(names(events), ['change added ServiceEntry shop/tcp', 'nack caller']);
  t.match(events[1], { type: 'LDS', refused: [/^tcp\/tcp\.shop/], message: /Address already in use/ });
});

t.test('a file is no YAML any more, and is again', async (t) => {
  save('broken.yaml', 'kind: [');
  const [begin] = await happened('problem begin NotYaml');
  t.match(begin, { source: 'files', where: /broken\.yaml/, problem: /./ });
  t.match(
    await plane.page('/metrics'),
    /^isthmus_events_total\{kind="problem",phase="begin",idc="sh-a"\} 1$/m,
  );
  save('broken.yaml', '# nothing\n');
  t.strictSame(names(await happened('problem end NotYaml')), ['problem end NotYaml']);
});

t.test('an evacuation begins and ends, by whom', async (t) => {
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const put = await get(plane.admin, '/livez');
  t.equal(put.status, 200);
  const at = `http://127.0.0.1:${plane.admin.port}/v1/evacuations/works`;
  const headers = { authorization: 'Bearer a token of tests', 'content-type': 'application/json' };
  const body = JSON.stringify({ idc: 'sh-a', percent: 30, expires, reason: 'works' });
  t.equal((await fetch(at, { method: 'PUT', headers, body })).status, 200);
  const [begun] = await happened('evacuation begun works');
  t.match(begun, { idc: 'sh-a', percent: 30, reason: 'works', until: expires, by: '127.0.0.1' });
  t.equal(
    (await fetch(at, { method: 'DELETE', headers: { authorization: headers.authorization } })).status,
    200,
  );
  t.strictSame(names(await happened('evacuation ended works')), ['evacuation ended works']);
});

t.test('the control plane dies, with a line half written, and starts again', async (t) => {
  const before = (await eventsAfter(0)).events;
  // A tenth of a second is not on disk yet.
  await until('all is written', () =>
    readFileSync(join(dir, 'state', 'events.jsonl'), 'utf8').includes(String(before.at(-1)?.id)),
  );
  await plane.kill('SIGKILL');
  appendFileSync(join(dir, 'state', 'events.jsonl'), '{"id":17,"at":"2026-');
  plane.start();
  await plane.ready();
  const news = await happened('controlplane ready');
  const [started] = news;
  t.match(started, { kind: 'controlplane', phase: 'started', before: 'died' });
  const lastHeardAt = started?.kind === 'controlplane' ? Date.parse(started.lastHeardAt ?? '') : 0;
  t.ok(lastHeardAt >= Date.parse(before.at(-1)?.at ?? ''));
  const { events, kept } = await eventsAfter(0);
  t.equal(kept, 'disk');
  t.strictSame(events.slice(0, before.length), before, 'nothing of before is lost');
  const connected = 'gateway connected ingress-1';
  if (!names(news).includes(connected)) await happened(connected);
  await plane.kill('SIGTERM');
  plane.start();
  await plane.ready();
  const last = await happened('controlplane ready');
  t.match(
    last.filter(({ kind }) => kind === 'controlplane'),
    [{ phase: 'stopping', signal: 'SIGTERM' }, { phase: 'started', before: 'stopped' }, { phase: 'ready' }],
  );
});

t.test('the log has each event as one line, and who follows has them all, once', async (t) => {
  const { events } = await eventsAfter(0);
  const lines = linesOf(plane.log());
  const count = (message: RegExp) => lines.filter(({ msg }) => message.test(msg)).length;
  const of = (name: RegExp) => events.filter((event) => name.test(nameOf(event))).length;
  t.equal(count(/^registry change$/), of(/^change/));
  t.equal(count(/^failover/), of(/^failover/));
  t.equal(count(/^evacuation/), of(/^evacuation/));
  t.equal(count(/^NACK$/), of(/^nack/));
  t.equal(count(/^(?:started|ready|stopping)/), of(/^controlplane/));
  t.equal(count(/^push (?:ACKed|not)/), of(/^push/));
  t.equal(count(/^registry problem/), of(/^problem/));
  const heard = () =>
    follower.out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as PlaneEvent);
  // Something may have happened since then, too.
  const last = events.at(-1)?.id ?? 0;
  await until('it has the last', () => heard().some(({ id }) => id === last));
  t.strictSame(
    heard().flatMap(({ id }) => (id <= last ? [id] : [])),
    events.map(({ id }) => id),
  );
  t.match(follower.err, /does not answer[\s\S]*answers again/);
  const metrics = await plane.page('/metrics');
  t.match(metrics, /^isthmus_events_total\{kind="controlplane",phase="ready",idc="sh-a"\} 1$/m);
});

t.test('isthmus events: table, wide, JSON, YAML and exit codes', async (t) => {
  const admin = ['--admin', `127.0.0.1:${plane.admin.port}`];
  const table = await runCli('events', ...admin);
  t.equal(table.code, 0, table.err);
  t.comment(table.out);
  for (const words of [
    /^TIME +IDC +EVENT$/m,
    /sh-a {2}control plane \S+ started; the one before it DIED, last heard of at 2/,
    /WorkloadEntry shop\/other-1 changed: weight 1 → 7$/m,
    /caller REFUSED LDS tcp\/tcp\.shop:\d+.*Address already in use/,
    /evacuation works of sh-a begun: 30 % leave, until .* \(works\)$/m,
    /push of WorkloadEntry shop\/other-1: \d+ subscriptions? answered within/,
    /egress gateway egress-1 \(127\.0\.0\.1:\d+\) connected$/m,
    /PROBLEM: \S*broken\.yaml:\d+:\d+: .* \[NotYaml\]$/m,
    /problem is over: \S*broken\.yaml/,
  ])
    t.match(table.out, words);
  const wide = await runCli('events', '-o', 'wide', ...admin);
  t.match(wide.out, / change +files \S*other\.yaml:\d+ .*WorkloadEntry shop\/other-1 changed/);
  t.match(wide.out, / evacuation +- +127\.0\.0\.1 +evacuation works/);
  const json = JSON.parse((await runCli('events', '-o', 'json', '--kind', 'nack', ...admin)).out);
  t.match(json, [{ admin: admin[1], idc: 'sh-a', kept: 'disk', events: [{ kind: 'nack', node: 'caller' }] }]);
  t.match((await runCli('events', '-o', 'yaml', '--kind', 'nack', ...admin)).out, /^ +kind: nack$/m);
  const none = await runCli('events', '--since', '0', ...admin);
  t.match(none, { code: 0, out: 'Nothing happened in this time.\n' });
  const all = await runCli('events', '--all-idcs', '--kind', 'nack', ...admin);
  t.match(all, { code: 1, out: /^! sh-b is not asked/m });
  const nobody = await freeAddress();
  const two = await runCli('events', '--kind', 'nack', ...admin, '--admin', `127.0.0.1:${nobody.port}`);
  t.match(two, { code: 1, out: /REFUSED[\s\S]*! the control plane at 127\.0\.0\.1:\d+ does not answer/ });
  t.equal((await runCli('events', '--admin', `127.0.0.1:${nobody.port}`)).code, 2);
  t.equal((await runCli('events', '--kind', 'nonsense', ...admin)).code, 2);
  t.match(JSON.parse(await plane.page('/v1/events?kinds=nonsense')), { status: 400 });
});

t.test('control: without --state a restart forgets, and the command says so', async (t) => {
  const lone = await createPlanes(1, { files: { 'other-idc.yaml': idcYamlOf('sh-b') } });
  t.teardown(lone.close);
  const [one] = lone.planes;
  one.start();
  await one.ready();
  const admin = ['--admin', `127.0.0.1:${one.admin.port}`];
  const before = await runCli('events', ...admin);
  t.match(before.out, /! 127\.0\.0\.1:\d+ has its events in memory only.*--state/);
  await one.kill('SIGTERM');
  one.start();
  await one.ready();
  const { events } = JSON.parse(await one.page('/v1/events')) as EventList;
  t.equal(events.filter(({ kind }) => kind === 'controlplane').length, 2);
  t.notOk('before' in (events[0] as object));
  t.throws(() => readFileSync(join(dir, 'events.jsonl')), { code: 'ENOENT' });
});
