import t from 'tap';
import { cds, eds, story } from './story.ts';

// "How the client specifies what resources to return", Envoy's "xDS REST and gRPC protocol".

t.test('delta: a first request that only unsubscribes asks for nothing', async (t) => {
  for (const names of [['a'], ['*'], ['a', '*']]) {
    const s = story();
    await s.apply([cds('a'), cds('b')]);
    const client = s.connect('delta');
    client.send('CDS', { resource_names_unsubscribe: names });
    t.same(client.got(), []);
    await s.apply([cds('a', 'v2')]);
    t.same(client.got(), []);
    t.match(client.state('CDS'), { names: 0 });
    client.send('CDS', { resource_names_subscribe: ['b'] });
    t.same(client.got(), ['CDS +b']);
  }
});

t.test('delta: an empty request is a wildcard as long as no name was ever subscribed to', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b')]);
  const late = s.connect('delta');
  late.send('CDS', { resource_names_unsubscribe: ['a'] });
  late.send('CDS', {});
  t.same(late.got(), ['CDS +a +b']);
  const named = s.connect('delta');
  named.send('CDS', { resource_names_subscribe: ['a'] });
  t.same(named.got(), ['CDS +a']);
  named.ack('CDS');
  named.send('CDS', { resource_names_unsubscribe: ['a'] });
  named.send('CDS', {});
  t.same(named.got(), [], 'it is none any more');
});

t.test("delta: the protocol's example, from an empty request to no subscription", async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b')]);
  const client = s.connect('delta');
  const names = () => client.state('CDS')?.names;
  client.send('CDS', {});
  t.same(client.got(), ['CDS +a +b']);
  client.ack('CDS');
  client.send('CDS', { resource_names_subscribe: ['a'] });
  t.same(client.got(), ['CDS +a']);
  client.ack('CDS');
  t.equal(names(), undefined, 'the wildcard goes on');
  client.send('CDS', { resource_names_unsubscribe: ['*'] });
  t.equal(names(), 1);
  client.send('CDS', { resource_names_unsubscribe: ['a'] });
  t.equal(names(), 0);
  await s.apply([cds('a', 'v2'), cds('b', 'v2')]);
  t.same(client.got(), []);
});

t.test("sotw: the protocol's example, from an empty request to no subscription", async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b')]);
  const client = s.connect('sotw');
  const names = () => client.state('CDS')?.names;
  client.ask('CDS');
  t.same(client.got(), ['CDS a b']);
  client.ask('CDS', '*', 'a');
  client.got();
  t.equal(names(), undefined);
  client.ack('CDS');
  client.ask('CDS', 'a');
  t.same(client.got(), ['CDS a']);
  client.ask('CDS');
  t.equal(names(), 0, 'not a wildcard again');
  await s.apply([cds('a', 'v2')]);
  t.same(client.got(), []);
});

t.test('types without a wildcard: an empty request asks for nothing', async (t) => {
  for (const protocol of ['sotw', 'delta'] as const) {
    const s = story();
    await s.apply([eds('a')]);
    const client = s.connect(protocol);
    client.send('EDS', {});
    t.same(client.got(), []);
    t.match(client.state('EDS'), { names: 0 });
  }
});

t.test('phantom unsubscriptions are ignored', async (t) => {
  const s = story();
  await s.apply([eds('a')]);
  const client = s.connect('delta');
  client.send('EDS', { resource_names_subscribe: ['a'], resource_names_unsubscribe: ['b', 'c'] });
  t.same(client.got(), ['EDS +a']);
  client.ack('EDS');
  client.send('EDS', { resource_names_unsubscribe: ['b'] });
  t.same(client.got(), []);
  await s.apply([eds('a', 'v2')]);
  t.same(client.got(), ['EDS +a']);
});

t.test('a name that does not exist is remembered, and sent once it does', async (t) => {
  for (const protocol of ['sotw', 'delta'] as const) {
    const s = story();
    await s.apply([eds('a')]);
    const client = s.connect(protocol);
    if (protocol === 'sotw') client.ask('EDS', 'a', 'later');
    else client.send('EDS', { resource_names_subscribe: ['a', 'later'] });
    t.same(client.got(), [protocol === 'sotw' ? 'EDS a' : 'EDS +a -later']);
    client.ack('EDS');
    t.match(client.state('EDS'), { state: 'SYNCED', absent: ['later'] });
    await s.apply([eds('later')]);
    t.same(client.got(), [protocol === 'sotw' ? 'EDS later' : 'EDS +later']);
    t.match(client.state('EDS'), { absent: [] });
  }
});
