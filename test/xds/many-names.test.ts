import t from 'tap';
import { clusterType, ruleOf } from '../../src/xds/resource-types.ts';
import { ReferencedNames } from '../../src/xds/stream/names/referenced-names.ts';
import { cds, eds, gone, story } from './story.ts';

const namesOf = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`);

/** Milliseconds of a call, the least of some rounds. */
function leastMs(rounds: number, call: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < rounds; i++) {
    const begin = performance.now();
    for (let n = 0; n < 20; n++) call();
    least = Math.min(least, (performance.now() - begin) / 20);
  }
  return least;
}

type Client = ReturnType<ReturnType<typeof story>['connect']>;

// What a client has, and a short request after that.
const cases: readonly [
  name: string,
  have: (client: Client, names: readonly string[]) => void,
  request: object,
][] = [
  [
    'due, and the response before it never answered',
    (client, names) => {
      client.send('EDS', { resource_names_subscribe: ['first'] });
      client.send('EDS', { resource_names_subscribe: names });
    },
    { resource_names_subscribe: ['n1'], resource_names_unsubscribe: ['other'] },
  ],
  [
    'refused',
    (client, names) => {
      client.send('EDS', { resource_names_subscribe: names });
      client.got();
      client.nack('EDS', 'no');
    },
    { resource_names_subscribe: ['other'] },
  ],
  [
    'accepted',
    (client, names) => {
      client.send('EDS', { resource_names_subscribe: names });
      client.got();
      client.ack('EDS');
    },
    { resource_names_subscribe: ['other'] },
  ],
];

for (const [name, have, request] of cases)
  t.test(`a short request costs what it says, not what its client has: names ${name}`, async (t) => {
    const cost = async (count: number) => {
      const s = story();
      await s.apply([eds('first'), ...namesOf(count).map((one) => eds(one))]);
      const client = s.connect('delta');
      have(client, namesOf(count));
      return leastMs(10, () => {
        client.send('EDS', request);
        client.got();
      });
    };
    const [few, many] = [await cost(200), await cost(20_000)];
    // A hundred times as many names.
    t.ok(many < 8 * few + 0.05, `${few.toFixed(3)} ms with 200 names, ${many.toFixed(3)} ms with 20,000`);
  });

t.test('of the states that a client can cause only the last responses are cached', async (t) => {
  const s = story();
  await s.apply(namesOf(12).map((name) => eds(name)));
  const client = s.connect('delta');
  client.send('EDS', { resource_names_subscribe: ['*', ...namesOf(12)] });
  client.got();
  client.ack('EDS');
  for (let i = 1; i < 2 ** 10; i++) {
    const some = namesOf(12).filter((_, bit) => (i >> bit) % 2 === 1);
    client.send('EDS', { resource_names_subscribe: some });
    t.equal(client.take().at(-1)?.resources.length, some.length);
    client.ack('EDS');
  }
  const [group] = s.hub
    .snapshot('k', 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment')
    .groups.values();
  t.ok((group?.responses.size ?? 0) <= 64, `${group?.responses.size} answers`);
});

t.test('a client that never asks for endpoints causes no growing list of them', async (t) => {
  const s = story();
  const client = s.connect('delta');
  await s.apply([cds('a')]);
  client.send('CDS', { resource_names_subscribe: ['*'] });
  client.got();
  client.ack('CDS');
  for (let i = 0; i < 100; i++) {
    await s.apply([cds('a', `v${i + 2}`), eds('a')]);
    client.got();
    client.ack('CDS');
  }
  client.got();
  const referred = new ReferencedNames();
  for (let times = 0; times < 100; times++) referred.add(ruleOf(clusterType), ['a'], undefined, 1);
  t.equal(referred.size, 1);
  // And it still gets what it was referred to.
  client.send('EDS', { resource_names_subscribe: ['a'] });
  t.same(
    client.take().map(({ type }) => type),
    ['EDS'],
  );
});

t.test('names that are unsubscribed while they are due, or refused, are not sent', async (t) => {
  const s = story();
  await s.apply(['a', 'b', 'c', 'd'].map((name) => eds(name)));
  const client = s.connect('delta');
  client.send('EDS', { resource_names_subscribe: ['a'] });
  client.send('EDS', { resource_names_subscribe: ['b', 'c'] });
  client.send('EDS', { resource_names_unsubscribe: ['b'] });
  client.got();
  client.ack('EDS');
  t.same(
    client.take().map(({ resources }) => resources.map(({ cluster_name }) => cluster_name)),
    [['c']],
  );
  client.nack('EDS', 'no');
  t.equal(client.status().types[0]?.state, 'NACKED');
  client.send('EDS', { resource_names_unsubscribe: ['c'] });
  t.equal(client.status().types[0]?.state, 'SYNCED');
  await s.apply([gone('EDS', 'c')]);
  s.pass(120_000);
  t.same(client.got(), []);
});
