import t from 'tap';
import { clusterType, endpointType, routeType, scopeType } from '../../src/xds/resource-types.ts';
import { cds, eds, gone, lds, rds, srds, story } from './story.ts';

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

for (const protocol of ['delta', 'sotw'] as const)
  t.test(`${protocol}: a scope is not confirmed before its routes are requested and come`, async (t) => {
    const s = story();
    await s.apply([srds('a'), rds('a')]);
    const client = s.connect(protocol);
    const ask = (...names: string[]) => {
      if (protocol === 'sotw') client.ask('RDS', ...names);
      else client.send('RDS', { resource_names_subscribe: names });
    };
    if (protocol === 'sotw') client.ask('SRDS');
    else client.send('SRDS', { resource_names_subscribe: ['*'] });
    client.got();
    client.ack('SRDS');
    ask('a');
    client.got();
    client.ack('RDS');
    t.ok(s.hub.isConfirmed(s.hub.revision()));
    const { revision } = await s.apply([srds('b'), rds('b')]);
    client.got();
    client.ack('SRDS');
    t.notOk(s.hub.isConfirmed(revision), 'acknowledged, and without routes');
    t.notOk(s.hub.isConfirmed({ revision, types: [routeType] }));
    t.ok(s.hub.isConfirmed({ revision, types: [scopeType] }), 'another type');
    ask('a', 'b');
    client.got();
    t.notOk(s.hub.isConfirmed(revision), 'on their way');
    client.ack('RDS');
    t.ok(s.hub.isConfirmed(revision));
    // A scope that changes needs no table again that the client has.
    const { revision: next } = await s.apply([srds('b', 'a')]);
    t.same(client.got(), [protocol === 'sotw' ? 'SRDS a b' : 'SRDS +b']);
    client.ack('SRDS');
    t.same(client.got(), []);
    t.ok(s.hub.isConfirmed(next));
  });

t.test('the answer to a listener does not begin the time of a scope', async (t) => {
  const s = story();
  await s.apply([lds('l', 'r'), rds('r'), srds('a'), rds('a')]);
  const client = s.connect('delta');
  for (const type of ['LDS', 'SRDS']) client.send(type, { resource_names_subscribe: ['*'] });
  client.send('RDS', { resource_names_subscribe: ['r', 'a'] });
  for (const type of ['LDS', 'SRDS', 'RDS']) {
    client.got();
    client.ack(type);
  }
  client.got();
  t.ok(s.hub.isConfirmed(s.hub.revision()));
  const { revision } = await s.apply([lds('l', 'q'), rds('q'), srds('b'), rds('b')]);
  client.got();
  client.ack('LDS');
  client.send('RDS', { resource_names_subscribe: ['q'] });
  s.pass(2_000);
  client.ack('SRDS');
  t.same(client.got(), ['RDS +q']);
  client.ack('RDS');
  t.notOk(s.hub.isConfirmed({ revision, types: [routeType] }), 'its routes are still to come');
  s.pass(1_000);
  t.ok(s.hub.isConfirmed(revision), 'unless nobody asks for them');
});

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
