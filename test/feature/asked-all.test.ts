import t from 'tap';
import { nobodyHeader, outcomeHeader, unsentHeader } from '../../src/model/trail.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { slowApps } from '../support/apps/slow-app.ts';
import { overHttp2 } from '../support/clients/over-http2.ts';
import { type Loose, startPatched } from '../support/envoys/patched.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// Four IDCs of two gateways each, and Groups that none of them checks: who asks learns by refusals alone that
// an IDC has nobody. A request finds whoever has somebody, whatever its method, and one that nobody can serve
// is asked for a few times only.

const apps = slowApps();
t.teardown(() => apps.close());

const idcs = ['sh-a', 'sh-b', 'gz-c', 'bj-d'];
const at = async (idc: string, name: string) => ({ idc, at: await apps.start(name) });
const dead = await freeAddress();
const hopLimits = [1, 2, 3] as const;
const byWeight = idcs.map((name) => ({ name, weight: 1 }));
const one = { capacity: { concurrentPerInstance: 1 } };

const world = await startIdcs({
  idcs,
  gateways: 2,
  hopLimit: 3,
  groups: (
    await Promise.all(
      hopLimits.map(async (hopLimit) => [
        { name: `last-${hopLimit}`, instances: [await at('bj-d', 'd')], drGroup: { hopLimit } },
        { name: `none-${hopLimit}`, instances: [], drGroup: { hopLimit } },
        {
          name: `even-${hopLimit}`,
          instances: [await at('bj-d', 'd')],
          drGroup: { hopLimit, idcs: byWeight },
        },
        {
          name: `mute-${hopLimit}`,
          instances: [{ idc: 'sh-b', at: dead }, { idc: 'gz-c', at: dead }, await at('bj-d', 'd')],
          drGroup: { hopLimit },
        },
        {
          name: `dead-${hopLimit}`,
          instances: ['sh-b', 'gz-c', 'bj-d'].map((idc) => ({ idc, at: dead })),
          drGroup: { hopLimit },
        },
        // Two full ones, and one that has nobody.
        {
          name: `full-${hopLimit}`,
          instances: [await at('sh-b', 'b'), await at('bj-d', 'd')],
          drGroup: { hopLimit, ...one },
        },
      ]),
    )
  ).flat(),
});
t.teardown(() => world.close());
const edge = world.gateways.get('sh-a')?.edge as ListenAddress;

let sent = 0;
async function ask(group: string, method: string, to = world.outbound, ms = 0) {
  sent += 1;
  const id = `${group}-${sent}.`;
  const path = `/${id}?ms=${ms}`;
  const answer = await get(to, path, { host: `${group}.test`, method, headers: { 'x-test-id': id } });
  if (answer.headers[nobodyHeader] ?? answer.headers[unsentHeader])
    throw new Error('what proxies tell each other was seen');
  const { status, body, headers } = answer;
  return { status, body, outcome: headers[outcomeHeader], executed: apps.of(id).length, path };
}

/** How often each request entered each IDC, in all its tries, once all is logged. */
async function entriesOf(asked: readonly { readonly path: string }[]): Promise<Record<string, number>[]> {
  const paths = new Set(asked.map(({ path }) => path));
  const lines = () => world.accessLines().filter(({ path }) => paths.has(path));
  let [before, now] = [-1, 0];
  await until('all is logged', async () => {
    [before, now] = [now, lines().length];
    await new Promise((resolve) => setTimeout(resolve, 200));
    return before === now;
  });
  const peers = Map.groupBy(
    lines().filter(({ listener }) => listener === 'peer'),
    ({ path }) => path,
  );
  return asked.map(({ path }) => {
    const idcs = Map.groupBy(peers.get(path) ?? [], ({ proxy }) => proxy.replace(/-ingress.*/, ''));
    return Object.fromEntries([...idcs].map(([idc, all]) => [idc, all.length]));
  });
}

const sum = (entries: Record<string, number>) =>
  Object.values(entries).reduce((total, each) => total + each, 0);

for (const hopLimit of hopLimits) {
  for (const kind of ['last', 'even', 'mute'])
    await until(
      `${kind}-${hopLimit} is there`,
      async () => (await ask(`${kind}-${hopLimit}`, 'GET')).status === 200,
    );
}

/**
 * The most crossings of a request that nobody can serve: each other IDC twice; where one hands on, by that
 * one.
 */
const inVain = { 1: 6, 2: 5, 3: 3 } as const;

for (const hopLimit of hopLimits) {
  for (const method of ['GET', 'POST', 'PUT']) {
    t.test(`hop limit ${hopLimit}: a ${method} finds the only IDC that has somebody`, async (t) => {
      for (const kind of ['last', 'even', 'mute']) {
        const asked = [];
        for (const to of [world.outbound, edge])
          for (let i = 0; i < 6; i += 1) asked.push(await ask(`${kind}-${hopLimit}`, method, to));
        for (const { status, body, executed } of asked)
          t.strictSame([status, body, executed], [200, 'd', 1], kind);
        const most = Math.max(...(await entriesOf(asked)).map(sum));
        t.ok(most >= 3 && most <= 5, `${kind}: ${most} crossings at most`);
      }
    });

    t.test(`hop limit ${hopLimit}: a ${method} that nobody can serve asks each a few times`, async (t) => {
      const asked = [];
      for (const to of [world.outbound, edge]) asked.push(await ask(`none-${hopLimit}`, method, to));
      t.strictSame(
        asked.map(({ status, outcome }) => [status, outcome]),
        [
          [503, 'no-idc'],
          [503, undefined],
        ],
      );
      for (const entries of await entriesOf(asked))
        t.ok(sum(entries) >= 3 && sum(entries) <= inVain[hopLimit], JSON.stringify(entries));
    });

    t.test(`hop limit ${hopLimit}: a ${method} that nobody has room for`, async (t) => {
      const group = `full-${hopLimit}`;
      const working = () => apps.of(group).filter(({ to }) => Number.isNaN(to)).length;
      const held = Array.from({ length: 4 }, () => ask(group, 'POST', world.outbound, 2_000));
      await until('both are full', () => working() >= 4);
      const asked = await ask(group, method);
      t.match(asked, { status: 503, outcome: 'spill-limit', executed: 0 });
      const [entries = {}] = await entriesOf([asked]);
      // The one that has nobody hands it on, and cannot know that another was full.
      t.ok(sum(entries) <= 7, JSON.stringify(entries));
      t.ok((await Promise.all(held)).every(({ status }) => status === 200));
    });
  }

  t.test(`hop limit ${hopLimit}: all have somebody who cannot be reached`, async (t) => {
    const asked = await ask(`dead-${hopLimit}`, 'POST');
    t.equal(asked.status, 503);
    const [entries = {}] = await entriesOf([asked]);
    t.ok(sum(entries) <= 4 * 6, `each of four tries asks each IDC twice: ${JSON.stringify(entries)}`);
  });

  t.test(`hop limit ${hopLimit}: over HTTP/2`, async (t) => {
    for (const kind of ['last', 'even', 'mute'])
      t.equal(await overHttp2(world.outbound, `${kind}-${hopLimit}.test`), 'd', kind);
  });
}

t.test('negative control: where the egress does not ask the next IDC, a POST is lost', async (t) => {
  const [sidecar, ingress, outbound] = [await freeAddress(), await freeAddress(), await freeAddress()];
  const yaml = world.registry.get('sh-a') ?? '';
  const egress = await startPatched({
    scope: { role: 'egress', idc: 'sh-a', sidecar, ingress },
    yaml,
    hopLimit: 3,
    patch(message) {
      for (const host of message.virtual_hosts ?? []) withoutMarks(host);
      const [manager] = message.filter_chains?.[0]?.filters ?? [];
      if (manager) manager.typed_config.http_filters[0] = trail;
    },
  });
  t.teardown(() => egress.close());
  const caller = await startPatched({
    scope: { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound },
    // Its only egress gateway is that one.
    yaml: yaml.replace(
      /( {2}egress:\n)(?: {4}.*\n)+/,
      `$1    - {address: 127.0.0.1, sidecarPort: ${sidecar.port}, ingressPort: ${ingress.port}}\n`,
    ),
    hopLimit: 3,
  });
  t.teardown(() => caller.close());
  await until('it is routed', async () => (await ask('none-1', 'GET', outbound)).status === 503);
  const asked = await ask('last-1', 'POST', outbound);
  t.match(asked, { status: 503, outcome: 'no-idc', executed: 0 });
  t.strictSame(await entriesOf([asked]), [{ 'sh-b': 1 }], 'nobody asked who has somebody');
});

/** What the trail filter would write of a request that begins here. Routes are chosen by it. */
const trail = {
  name: 'trail',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua',
    default_source_code: {
      inline_string: `function envoy_on_request(handle)
  for _, name in ipairs({"x-isthmus-trail", "x-isthmus-visited"}) do handle:headers():replace(name, "sh-a") end
  handle:clearRouteCache()
end`,
    },
  },
};

function withoutMarks(host: Loose): void {
  for (const each of [host, ...(host.routes ?? []).map(({ route = {} }) => route)])
    if (each.retry_policy) delete each.retry_policy.retriable_headers;
}
