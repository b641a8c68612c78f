import t from 'tap';
import { cds, eds, gone, lds, rds, story } from './story.ts';

// A client may refuse what it has just left, or leave what it refused. That must not stand for ever, nor hold
// what is removed.

/**
 * A client with clusters a and b, a listener and its routes, all accepted but for new routes, which are on
 * their way.
 */
async function refusing(protocol: 'sotw' | 'delta') {
  const s = story();
  await s.apply([cds('a'), cds('b'), eds('a'), lds('l', 'r'), rds('r'), rds('r2')]);
  const envoy = s.connect(protocol);
  const ask = (type: string, ...names: string[]) =>
    protocol === 'sotw' ? envoy.ask(type, ...names) : envoy.send(type, { resource_names_subscribe: names });
  for (const [type, ...names] of [['CDS'], ['EDS', 'a'], ['LDS'], ['RDS', 'r']] as const) {
    ask(type, ...names);
    envoy.got();
    envoy.ack(type);
  }
  if (envoy.got().length > 0) envoy.ack('RDS');
  await s.apply([rds('r', 'bad')]);
  envoy.got();
  return {
    s,
    envoy,
    leave: () =>
      protocol === 'sotw' ? envoy.ask('RDS') : envoy.send('RDS', { resource_names_unsubscribe: ['r'] }),
    /** Removes b, and tells whether the client is told. */
    async removed() {
      await s.apply([gone('CDS', 'b')]);
      const [told = ''] = envoy.got();
      return protocol === 'sotw' ? told === 'CDS a' : told === 'CDS -b';
    },
  };
}

for (const protocol of ['sotw', 'delta'] as const) {
  t.test(`${protocol}: routes that were refused and then left hold no cluster`, async (t) => {
    const { envoy, leave, removed } = await refusing(protocol);
    envoy.nack('RDS', 'no');
    t.match(envoy.state('RDS'), { state: 'NACKED' });
    leave();
    t.match(envoy.state('RDS'), { nack: undefined });
    t.ok(await removed());
  });

  t.test(`${protocol}: the control: while they are refused, the old ones may name it`, async (t) => {
    const { envoy, removed } = await refusing(protocol);
    envoy.nack('RDS', 'no');
    t.notOk(await removed());
  });
}

t.test('delta: routes unsubscribed before they are refused hold no cluster', async (t) => {
  const { s, envoy, leave, removed } = await refusing('delta');
  leave();
  envoy.nack('RDS', 'no');
  t.match(envoy.state('RDS'), { state: 'SYNCED', nack: undefined });
  t.match(s.nacks, [{ isNews: true, message: 'no', refused: [] }], 'it is told all the same');
  t.ok(await removed());
});

t.test('delta: of several suspects of a refusal, an unsubscribed one is dropped', async (t) => {
  const s = story();
  await s.apply([eds('a'), eds('b')]);
  const envoy = s.connect('delta');
  envoy.send('EDS', { resource_names_subscribe: ['a', 'b'] });
  envoy.got();
  envoy.send('EDS', { resource_names_unsubscribe: ['a'] });
  envoy.nack('EDS', 'no');
  t.same(envoy.got(), ['EDS +b'], 'alone: it may be good');
  envoy.ack('EDS');
  t.match(envoy.state('EDS'), { state: 'SYNCED', nack: undefined });
});

t.test('sotw: refusals of a wildcard are forgotten when the client switches to names', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b')]);
  const client = s.connect('sotw');
  client.ask('CDS');
  client.got();
  client.nack('CDS', 'Error adding/updating cluster(s) b: no');
  client.ask('CDS', 'a');
  t.same(client.got(), ['CDS a']);
  client.ack('CDS');
  t.match(client.state('CDS'), { state: 'SYNCED', nack: undefined });
});

t.test('delta: the refusal of an empty response changes nothing', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b'), eds('a')]);
  const envoy = s.connect('delta');
  envoy.send('CDS', { resource_names_subscribe: ['*'], initial_resource_versions: envoy.versions('CDS') });
  t.same(envoy.got(), ['CDS']);
  envoy.nack('CDS', 'no');
  t.match(envoy.state('CDS'), { state: 'SYNCED', nack: undefined });
  await s.apply([gone('CDS', 'b')]);
  t.same(envoy.got(), ['CDS -b']);
});

t.test('sotw: a whole state that is empty can be refused', async (t) => {
  const s = story();
  await s.apply([cds('a')]);
  const envoy = s.connect('sotw');
  envoy.ask('CDS');
  envoy.got();
  envoy.ack('CDS');
  await s.apply([gone('CDS', 'a')]);
  t.same(envoy.got(), ['CDS']);
  envoy.nack('CDS', 'no');
  t.match(envoy.state('CDS'), { state: 'NACKED' });
});
