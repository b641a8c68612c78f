import t from 'tap';
import { clusterType, endpointType } from '../../src/xds/resource-types.ts';
import { cds, eds, gone, story } from './story.ts';

/** A client of one cluster, in sync. */
async function connected(protocol: 'delta' | 'sotw', hooks = {}) {
  const s = story(hooks);
  await s.apply([cds('a'), eds('a')]);
  const client = s.connect(protocol);
  const ask = (...names: string[]) => {
    if (protocol === 'sotw') client.ask('EDS', ...names);
    else client.send('EDS', { resource_names_subscribe: names });
  };
  if (protocol === 'sotw') client.ask('CDS');
  else client.send('CDS', { resource_names_subscribe: ['*'] });
  client.got();
  client.ack('CDS');
  ask('a');
  client.got();
  client.ack('EDS');
  return { s, client, ask };
}

for (const protocol of ['delta', 'sotw'] as const) {
  t.test(`${protocol}: a cluster is not confirmed before its endpoints are requested and come`, async (t) => {
    const { s, client, ask } = await connected(protocol);
    t.ok(s.hub.isConfirmed(s.hub.revision()));
    const { revision } = await s.apply([cds('b'), eds('b')]);
    client.got();
    client.ack('CDS');
    t.notOk(s.hub.isConfirmed(revision), 'acknowledged, and without endpoints');
    const resources = (name: string) => ({ revision, resources: new Map([[endpointType, new Set([name])]]) });
    t.notOk(s.hub.isConfirmed(resources('b')));
    t.ok(s.hub.isConfirmed(resources('a')), 'another resource');
    t.ok(s.hub.isConfirmed({ revision, types: [clusterType] }), 'another type');
    t.ok(s.hub.isConfirmed(revision - 1), 'what was before');
    ask('a', 'b');
    t.notOk(s.hub.isConfirmed(revision), 'requested');
    client.got();
    t.notOk(s.hub.isConfirmed(revision), 'on their way');
    client.ack('EDS');
    t.ok(s.hub.isConfirmed(revision));
  });

  t.test(`${protocol}: what a client does not ask for is not waited for`, async (t) => {
    let calls = 0;
    const { s, client } = await connected(protocol, {
      onConfirmed() {
        calls += 1;
      },
    });
    const { revision } = await s.apply([cds('b'), eds('b')]);
    client.got();
    s.pass(5_000);
    client.ack('CDS');
    const before = calls;
    t.notOk(s.hub.isConfirmed(revision), 'the time begins with its answer');
    s.pass(1_000);
    t.ok(s.hub.isConfirmed(revision));
    t.equal(calls, before + 1, 'and is told');
  });
}

t.test('a type that was never requested', async (t) => {
  const s = story();
  await s.apply([{ upsert: { '@type': clusterType, name: 'static' } }]);
  const client = s.connect('delta');
  client.send('CDS', { resource_names_subscribe: ['*'] });
  client.got();
  client.ack('CDS');
  const { revision } = await s.apply([cds('a'), eds('a')]);
  client.got();
  client.ack('CDS');
  t.notOk(s.hub.isConfirmed(revision));
  client.send('EDS', { resource_names_subscribe: ['a'] });
  client.got();
  client.ack('EDS');
  t.ok(s.hub.isConfirmed(revision));
});

t.test('a refusal that is not recorded yet confirms nothing', async (t) => {
  const s = story();
  await s.apply([cds('a')]);
  const client = s.connect('delta', 'k', 'n', true);
  const work = () => {
    while (client.step());
  };
  client.send('CDS', { resource_names_subscribe: ['*'] });
  work();
  client.got();
  client.nack('CDS', 'no');
  t.notOk(s.hub.isConfirmed(s.hub.revision()), 'read');
  work();
  t.notOk(s.hub.isConfirmed(s.hub.revision()), 'recorded');
});

t.test(
  'what had gone when a client connected, and is there again, is offered again if refused',
  async (t) => {
    const s = story({}, false);
    await s.apply([cds('a'), eds('a')]);
    const had = s.connect('delta').versions('EDS');
    await s.apply([gone('EDS', 'a')]);
    const client = s.connect('delta');
    client.send('CDS', { resource_names_subscribe: ['*'] });
    client.send('EDS', { resource_names_subscribe: ['a'], initial_resource_versions: had });
    await s.apply([eds('a', 'v2')]);
    s.hub.release();
    await Promise.resolve();
    t.ok(client.got().includes('EDS +a'));
    client.ack('CDS');
    client.nack('EDS', 'no');
    s.pass(5_000);
    t.same(client.got(), ['EDS +a']);
  },
);
