import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { startPatched } from '../support/envoys/patched.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// Instances that no sidecar stands before answer with the headers by which proxies tell each other what
// became of a request. They have executed it, so that nobody may send it again for what they say.

const apps = slowApps();
t.teardown(() => apps.close());

const marks = { 'x-isthmus-unsent': 'true', 'x-isthmus-nobody': 'true' };
const start = async (idc: string, name: string, status: number, headers: Record<string, string>) => ({
  idc,
  at: await apps.start(name, { status, headers }),
});

/** Instances at home and away that all answer this. */
const everywhere = async (status: number, headers: Record<string, string>) => [
  await start('sh-a', 'home', status, headers),
  await start('sh-a', 'home', status, headers),
  await start('sh-b', 'away', status, headers),
];
/** The same, all away. */
const away = async (status: number, headers: Record<string, string>) => [
  await start('sh-b', 'away', status, headers),
  await start('sh-b', 'away', status, headers),
];
const unsent = { 'x-isthmus-unsent': 'true' };
const failing = { 'x-envoy-immediate-health-check-fail': 'true' };

/** What proxies say of a request that no application answered: who reads it may send a POST again. */
const outcome = { 'x-isthmus-outcome': 'no-idc', 'x-isthmus-outcome-kept': 'spill-limit' };

/** A Group that is asked for its health, by which the egress knows each IDC. */
const checked = { health: '/' };

const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  exposeOutcome: true,
  groups: [
    { name: 'near-outcome', instances: [await start('sh-a', 'home', 503, outcome)] },
    { name: 'far-outcome', instances: [await start('sh-b', 'away', 200, outcome)] },
    { name: 'none', instances: [] },
    { name: 'near-503', instances: await everywhere(503, unsent) },
    { name: 'near-200', instances: await everywhere(200, unsent) },
    { name: 'far-503', instances: await away(503, unsent) },
    { name: 'far-both', instances: await away(503, marks) },
    {
      name: 'nobody',
      instances: [await start('sh-a', 'home', 503, marks), await start('sh-b', 'away', 200, {})],
    },
    {
      name: 'leaving',
      ...checked,
      instances: [await start('sh-b', 'gone', 200, failing), await start('sh-b', 'stays', 200, {})],
    },
  ],
});
t.teardown(() => world.close());

const edge = world.gateways.get('sh-a')?.edge as ListenAddress;
let sent = 0;
/** Sends a request, and says at how many instances it was executed. */
async function ask(to: ListenAddress, group: string, method = 'POST', more: Record<string, string> = {}) {
  sent += 1;
  const id = `${group}/${sent}`;
  const { status, body, headers } = await get(to, '/', {
    host: `${group}.test`,
    method,
    headers: { 'x-test-id': id, ...more },
  });
  const seen = apps.of(id)[0]?.headers ?? {};
  return { status, body, headers, seen, executed: apps.of(id).length };
}

for (const [name, to] of [
  ['a sidecar', world.outbound],
  ['the edge', edge],
] as const) {
  t.test(`an instance says that it never had a POST, which came through ${name}`, async (t) => {
    for (const group of ['near-503', 'near-200', 'far-503', 'far-both']) {
      const { status, executed, headers } = await ask(to, group);
      t.strictSame([status, executed], [group.endsWith('200') ? 200 : 503, 1], group);
      t.equal(headers['x-isthmus-unsent'], undefined, group);
    }
  });

  t.test(`an instance says that nobody is in the other IDC, through ${name}`, async (t) => {
    const { status, body } = await ask(to, 'nobody', 'GET');
    t.strictSame([status, body], [200, 'away'], 'a GET goes there all the same');
  });
}

for (const [name, to] of [
  ['a sidecar', world.outbound],
  ['the edge', edge],
] as const)
  t.test(`an instance words an outcome, through ${name}`, async (t) => {
    for (const group of ['near-outcome', 'far-outcome']) {
      const { executed, headers } = await ask(to, group);
      t.equal(executed, 1, group);
      t.strictSame(
        Object.keys(headers).filter((header) => header.startsWith('x-isthmus-')),
        [],
        `${group}: it is not taken for a proxy's`,
      );
    }
    const none = await ask(to, 'none');
    t.strictSame([none.status, none.headers['x-isthmus-outcome']], [503, 'no-idc'], "a proxy's is passed on");
  });

/** What proxies say to each other. */
const words = {
  'x-isthmus-outcome': 'no-idc',
  'x-isthmus-unsent': 'true',
  'x-isthmus-nobody': 'egress-true',
};

t.test('a client’s headers in the name of proxies reach no application, and change no route', async (t) => {
  for (const to of [world.outbound, edge])
    for (const [group, status] of [
      ['near-outcome', 503],
      ['far-outcome', 200],
    ] as const) {
      const answer = await ask(to, group, 'POST', words);
      t.strictSame(
        [answer.status, answer.executed],
        [status, 1],
        'that nobody is away keeps nobody from there',
      );
      t.strictSame(
        Object.keys(words).filter((word) => answer.seen[word] !== undefined),
        [],
        group,
      );
    }
});

t.test('an instance that reports failing removes itself, not its IDC', async (t) => {
  const egress = world.admins.get('sh-a-egress') as ListenAddress;
  const flags = async () => {
    const { body } = await get(egress, '/clusters');
    return body.split('\n').filter((line) => /^idcs\/leaving.*health_flags/.test(line));
  };
  // Its first check may have come before the other gateway listened.
  await until('the other IDC is well', async () =>
    (await flags()).every((line) => line.endsWith('::healthy')),
  );
  for (let i = 0; i < 10; i += 1) {
    const { status } = await ask(edge, 'leaving', 'GET');
    t.equal(status, 200);
  }
  t.match(await flags(), [/::healthy$/]);
  t.equal((await flags()).length, 1);
});

t.test('a health probe is harmless', async (t) => {
  // In the other IDC this path leads to the health path, past the trail, and is tried twice at once.
  const { status, executed } = await ask(edge, 'leaving');
  t.strictSame([status, executed], [200, 1]);
  sent += 1;
  const id = `leaving/check-${sent}`;
  const answer = await get(world.outbound, '/.isthmus/health?no', {
    host: 'leaving.test',
    method: 'DELETE',
    headers: { 'x-test-id': id, 'x-isthmus-check': 'true' },
  });
  t.equal(answer.status, 200);
  const path = '/.isthmus/health';
  await get(edge, path, { host: 'leaving.test', method: 'DELETE', headers: { 'x-test-id': id } });
  t.strictSame(
    apps.of(id).map(({ path }) => path),
    [`${path}?no`, path],
    'a DELETE of that path is a request as any other',
  );
});

t.test('without the filters the POST is executed again, and marks are trusted', async (t) => {
  const count = async (patch: (message: unknown) => void) => {
    const outbound = await freeAddress();
    const [one, two] = [
      await apps.start('one', { status: 503, headers: { ...unsent, ...outcome } }),
      await apps.start('two', { status: 503, headers: { ...unsent, ...outcome } }),
    ];
    const patched = await startPatched({
      scope: { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound },
      yaml: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one, namespace: test}
spec:
  hosts: [control.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
  endpoints:
  - {address: 127.0.0.1, ports: {main: ${one.port}}, locality: sh-a}
  - {address: 127.0.0.1, ports: {main: ${two.port}}, locality: sh-a}
`,
      patch,
    });
    const answer = await until(
      'it listens',
      async () => (await ask(outbound, 'control')).status === 503,
    ).then(() => ask(outbound, 'control', 'POST', words));
    await patched.close();
    return answer;
  };
  const guarded = await count(() => {});
  t.strictSame([guarded.executed, guarded.headers['x-isthmus-outcome']], [1, undefined]);
  t.equal(guarded.seen['x-isthmus-outcome'], undefined);
  const disbelieve = (message: unknown) => {
    // biome-ignore lint/suspicious/noExplicitAny: one setting deep in a message
    for (const chain of (message as any).filter_chains ?? []) {
      const router = chain.filters[0].typed_config.http_filters.at(-1).typed_config;
      router.upstream_http_filters = router.upstream_http_filters.filter(
        ({ name }: { name: string }) => !name.startsWith('isthmus.believe.'),
      );
      delete chain.filters[0].typed_config.early_header_mutation_extensions;
    }
  };
  const open = await count(disbelieve);
  t.ok(open.executed > 1);
  t.equal(open.headers['x-isthmus-outcome'], 'no-idc');
  t.equal(open.seen['x-isthmus-outcome'], 'no-idc');
});
