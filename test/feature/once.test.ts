import { createServer } from 'node:http';
import t from 'tap';
import { nobodyHeader, outcomeHeader } from '../../src/model/trail.ts';
import { startPatched } from '../support/envoys/patched.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

const dead = await freeAddress();
const alive = createServer((request, response) =>
  response.end(`${request.headers[nobodyHeader] ?? 'nothing told'}`),
);
await new Promise<void>((resolve) => alive.listen(0, '127.0.0.1', resolve));
const live = { address: '127.0.0.1', port: (alive.address() as { port: number }).port };

const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 2,
  groups: [
    { name: 'gone', instances: [] },
    { name: 'checked', instances: [], health: '/up' },
    // Of two at home one is dead, and the other IDC has nobody.
    {
      name: 'half',
      instances: [
        { idc: 'sh-a', at: dead },
        { idc: 'sh-a', at: live },
      ],
    },
    // The other IDC has somebody, who cannot be reached.
    { name: 'mute', instances: [{ idc: 'sh-b', at: dead }] },
    { name: 'far', instances: [{ idc: 'sh-b', at: live }] },
  ],
});
t.teardown(async () => {
  await world.close();
  alive.close();
});
const edge = world.gateways.get('sh-a')?.edge ?? world.outbound;

let requests = 0;

/** One request; how often it left the IDC, by its egress, and came in at the other one. */
async function ask(group: string, to = world.outbound, headers = {}) {
  requests += 1;
  const path = `/${group}-${requests}`;
  const answer = await get(to, path, { host: `${group}.test`, headers });
  const count = (...listeners: string[]) =>
    world.accessLines().filter((line) => line.path === path && listeners.includes(line.listener)).length;
  // All that it did was done when the answer came; logs are flushed every 50 ms, so that two equal looks are
  // enough.
  let [before, now] = [-1, 0];
  await until(`${path} is logged`, async () => {
    [before, now] = [now, count('sidecar', 'ingress', 'peer')];
    await new Promise((resolve) => setTimeout(resolve, 200));
    return before === now;
  });
  return { ...answer, left: count('sidecar', 'ingress'), entered: count('peer') };
}

for (const group of ['gone', 'checked', 'mute', 'far']) {
  await until(`${group} is routed`, async () => {
    const answers = await Promise.all([
      get(world.outbound, '/', { host: `${group}.test` }),
      get(edge, '/', { host: `${group}.test` }),
    ]);
    return answers.every(({ status }) => status === (group === 'far' ? 200 : 503));
  });
}

for (const group of ['gone', 'checked']) {
  t.test(`${group}: what nobody can serve crosses once at most, in all its tries`, async (t) => {
    for (const to of [world.outbound, edge]) {
      for (let i = 0; i < 5; i += 1) {
        const answer = await ask(group, to);
        t.equal(answer.status, 503);
        t.equal(answer.headers[outcomeHeader], to === edge ? undefined : 'no-idc');
        t.equal(answer.headers[nobodyHeader], undefined, 'what proxies tell each other stays there');
        t.equal(answer.left, 4, 'it was tried as often as ever');
        if (group === 'gone') t.equal(answer.entered, 1);
        else t.ok(answer.entered <= 1, `${answer.entered} entries`);
      }
    }
  });
}

t.test('without what the first proxy remembers, each of its tries crosses', async (t) => {
  const outbound = await freeAddress();
  const forgetful = await startPatched({
    scope: { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound },
    yaml: world.registry.get('sh-a') ?? '',
    hopLimit: 2,
    patch(message) {
      const [manager] = message.filter_chains?.[0]?.filters ?? [];
      if (message.name === 'outbound' && manager) {
        delete manager.typed_config.http_filters.at(-1).typed_config.upstream_http_filters;
      }
    },
  });
  t.teardown(() => forgetful.close());
  await until('it is routed', async () => (await get(outbound, '/', { host: 'gone.test' })).status === 503);
  t.match(await ask('gone', outbound), { status: 503, left: 4, entered: 4 });
});

t.test(
  'a request that was told "no instance" is still served at home, whichever instance it met first',
  async (t) => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('half')));
    t.strictSame(
      answers.map(({ status }) => status),
      answers.map(() => 200),
    );
    t.ok(
      answers.some(({ entered }) => entered === 1),
      'some had crossed before',
    );
    t.notOk(answers.some(({ entered }) => entered > 1));
  },
);

t.test('an IDC with unreachable instances is asked again', async (t) => {
  t.match(await ask('mute'), { status: 503, left: 4, entered: 4 });
});

t.test('a client cannot claim that no instance is there', async (t) => {
  for (const to of [world.outbound, edge]) {
    const answer = await ask('far', to, { [nobodyHeader]: 'true' });
    t.match(answer, { status: 200, body: 'nothing told', entered: 1 });
  }
});
