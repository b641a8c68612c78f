import { createServer } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { evacuate, undo } from '../../src/cli/evacuate/evacuate.ts';
import { parseAbortOn } from '../../src/cli/options/abort-on.ts';
import { createApiClient } from '../../src/client/api-client.ts';
import { findPlanes } from '../../src/client/evacuation-planes.ts';
import {
  createEvacuationsSource,
  type EvacuationsSource,
} from '../../src/registry/evacuations/evacuations-source.ts';
import type { RecordsPeer } from '../../src/registry/records/records-source.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, startMesh, until } from '../support/mesh.ts';

// The clock of sh-a's control plane is ten minutes behind that of the operator, and that of sh-b's ten
// minutes ahead.

const apartMs = { 'sh-a': -600_000, 'sh-b': 600_000 } as const;
const idcs = ['sh-a', 'sh-b'] as const;
const clocks = new Map<string, Clock>(
  idcs.map((idc) => [idc, { ...systemClock, wall: () => systemClock.wall() + apartMs[idc] }]),
);
const clockOf = (idc: string) => clocks.get(idc) as Clock;
const alive = setInterval(() => {}, 1_000);
const token = 'a token of more than sixteen characters';
const dir = t.testdir({});
const instances = await Promise.all(
  idcs.map(async (idc) => {
    const at = await freeAddress();
    const server = createServer((_, response) => response.end(idc));
    await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return { idc, at };
  }),
);
const sources = new Map<string, EvacuationsSource>();
/** What the control planes of sh-a ask each other for; there are two in the last test. */
const peer = (name: string): RecordsPeer => ({
  name,
  pull: async () => JSON.parse(JSON.stringify(sources.get(name)?.records() ?? [])),
});
const world = await startIdcs({
  ...{ idcs, hopLimit: 1, clocks: clockOf },
  groups: [{ name: 'web', instances }],
  sources(idc) {
    const source = createEvacuationsSource({
      ...{ file: join(dir, `${idc}.json`), clock: clockOf(idc) },
      peers: idc === 'sh-a' ? [peer('second')] : [],
    });
    sources.set(idc, source);
    return [source];
  },
});
const admins = await Promise.all(
  [...world.meshes].map(([idc, { plane }]) => {
    const evacuations = { plane, evacuations: sources.get(idc) as EvacuationsSource, clock: clockOf(idc) };
    return serveAdmin(plane, { address: '127.0.0.1', port: 0 }, token, { evacuations });
  }),
);
const planes = await findPlanes(
  admins.map(({ port }) => ({
    name: `${port}`,
    client: createApiClient({ admin: { address: '127.0.0.1', port }, token }),
  })),
  systemClock,
);
t.teardown(async () => {
  await Promise.all(planes.map(({ client }) => client.close()));
  await Promise.all(admins.map((admin) => admin.close()));
  await world.close();
  clearInterval(alive);
});

const items = () => idcs.map((idc) => (world.meshes.get(idc) as Mesh).plane.evacuations.list().items[0]);
const shares = () => items().map((item) => item?.percentNow ?? 0);
async function where(count = 40): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const { status, body } = await get(world.outbound, '/', { host: 'web.test' });
    const place = status === 200 ? body : String(status);
    counts[place] = (counts[place] ?? 0) + 1;
  }
  return counts;
}
const isHome = async () => (await where())['sh-a'] === 40;
const said: string[] = [];
const target = {
  ...{ planes, idc: 'sh-a', name: 'e', groups: [], clock: systemClock, ackWaitMs: 20_000, force: false },
  say: (words: string) => void said.push(words),
};
const leave = (forMs: number, ...steps: readonly number[]) =>
  evacuate({
    ...{ ...target, steps, stepWaitMs: 1_000, forMs, dryRun: false, envoys: [] },
    ...{ abortOn: parseAbortOn('errors>1%'), signal: new AbortController().signal },
  });

t.before(() => until('served at home', isHome));

t.test('steps, end and undo follow each control plane’s own clock', async (t) => {
  t.equal(await leave(120_000, 50, 100), 'done');
  t.strictSame(shares(), [100, 100]);
  t.strictSame(await where(), { 'sh-b': 40 });
  for (const item of items())
    t.ok((item?.endsInMs ?? 0) > 90_000 && (item?.endsInMs ?? 0) <= 120_000, `${item?.endsInMs} ms are left`);
  t.equal(await undo(target, target), true);
  t.strictSame(shares(), [0, 0]);
  t.strictSame(await where(), { 'sh-a': 40 });
});

t.test('its time ends it everywhere at once', async (t) => {
  t.equal(await leave(4_000, 100), 'done');
  t.strictSame(shares(), [100, 100]);
  await until('it is over', () => shares().every((share) => share === 0), 20_000);
  await until('at home', isHome);
  t.comment(said.join('\n'));
});

t.test('steps in YAML apply at different times, and no request fails', async (t) => {
  const at = (ms: number) => new Date(systemClock.wall() + ms).toISOString();
  const object = (times: string) => `
apiVersion: isthmus.dev/v1alpha1
kind: Evacuation
metadata: {name: by-hand}
spec: {idc: sh-a, ${times}}
`;
  const save = (text: string) => {
    for (const mesh of world.meshes.values()) mesh.save('evacuation.yaml', text);
  };
  const count = () => shares().join();
  save(object(`starts: '${at(-1_000)}', expires: '${at(3_600_000)}'`));
  await until('the one that is ahead has begun', () => count() === '0,100');
  t.strictSame(await where(), { 'sh-a': 40 }, 'sh-a stays the last resort of sh-b, and serves its own');
  save(object(`expires: '${at(300_000)}'`));
  await until('the one that is ahead has ended', () => count() === '100,0');
  await until('all have left', async () => (await where())['sh-b'] === 40);
  save('');
  await until('nobody leaves', () => count() === '0,0');
  await until('at home', isHome);
});

t.test('two control planes of one IDC with different clocks are reported', async (t) => {
  const clock = clockOf('sh-b');
  const source = createEvacuationsSource({
    ...{ file: join(dir, 'second.json'), clock },
    peers: [peer('sh-a')],
  });
  sources.set('second', source);
  const mesh = await startMesh(
    'sh-a',
    { 'all.yaml': world.registry.get('sh-a') as string },
    { sources: [source], clock },
  );
  t.teardown(() => mesh.close());
  const evacuations = { plane: mesh.plane, evacuations: source, clock };
  const admin = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, token, { evacuations });
  const client = createApiClient({ admin: { address: '127.0.0.1', port: admin.port }, token });
  t.teardown(async () => {
    await client.close();
    await admin.close();
  });
  const both = [...planes, ...(await findPlanes([{ name: 'second', client }], systemClock))];
  said.length = 0;
  const abortOn = parseAbortOn('errors>1%');
  const end = await evacuate({
    ...{ ...target, planes: both, steps: [50, 100], stepWaitMs: 3_000, forMs: 120_000 },
    ...{ dryRun: false, envoys: [], abortOn, signal: new AbortController().signal },
  });
  t.comment(said.join('\n'));
  t.equal(end, 'done');
  t.match(
    said.join('\n'),
    /the clocks of \d+ \(sh-b\), second \(sh-a\) are up to 20 min ahead of that of \d+ \(sh-a\): Evacuations in YAML begin/,
  );
  t.equal(await undo({ ...target, planes: both }, target), true);
  await until('it is ended at all', () => source.records().every(({ spec }) => spec === null));
  t.strictSame(shares(), [0, 0]);
});
