import t from 'tap';
import { cds, eds, gone, rds, srds, story } from './story.ts';

/** A Delta client of one cluster, scope and table, in sync, and requests as Envoy writes them. */
async function connected(sendAhead?: () => boolean) {
  const s = story(sendAhead ? { sendAhead } : {});
  await s.apply([cds('a'), eds('a'), srds('a'), rds('a', 'to a')]);
  const client = s.connect('delta');
  const ask = (short: string, ...names: string[]) => client.send(short, { resource_names_subscribe: names });
  for (const [short, name] of [
    ['CDS', '*'],
    ['EDS', 'a'],
    ['SRDS', '*'],
    ['RDS', 'a'],
  ] as const) {
    ask(short, name);
    client.got();
    client.ack(short);
  }
  return { s, client, ask };
}

const added = [cds('b'), eds('b'), srds('b'), rds('b', 'to b')];

t.test('by default nothing is sent before it is asked for', async (t) => {
  const { s, client, ask } = await connected();
  await s.apply(added);
  t.same(client.got(), ['CDS +b', 'SRDS +b']);
  ask('EDS', 'b');
  t.same(client.got(), ['EDS +b']);
  ask('RDS', 'b');
  t.same(client.got(), [], 'the clusters are not answered');
  for (const short of ['CDS', 'EDS', 'SRDS']) client.ack(short);
  t.same(client.got(), ['RDS +b']);
});

t.test('what nothing stands in for comes at once, and is asked for meanwhile', async (t) => {
  const { s, client, ask } = await connected(() => true);
  const { revision } = await s.apply(added);
  t.same(client.got(), ['CDS +b', 'EDS +b', 'SRDS +b', 'RDS +b']);
  for (const [short, next] of [
    ['CDS', 'EDS'],
    ['SRDS', 'RDS'],
  ] as const) {
    ask(next, 'b');
    client.ack(short);
    t.notOk(s.hub.isConfirmed(revision), 'not before all is answered');
    client.ack(next);
  }
  t.same(client.got(), [], 'nothing twice');
  t.ok(s.hub.isConfirmed(revision));
  t.equal(s.hub.stats.outOfTurn, 0);
  ask('EDS', 'b');
  t.same(client.got(), ['EDS +b'], 'asked for again, it is answered');
  await s.apply([gone('CDS', 'b'), gone('EDS', 'b'), gone('SRDS', 'b'), gone('RDS', 'b')]);
  t.same(client.got()[0], 'SRDS -b', 'make before break: what it leads to goes later');
});

t.test(
  'a table that something stands in for waits for its clusters, and need not be asked for',
  async (t) => {
    const { s, client, ask } = await connected(() => false);
    await s.apply(added);
    t.same(client.got(), ['CDS +b', 'EDS +b', 'SRDS +b']);
    ask('EDS', 'b');
    client.ack('EDS');
    client.ack('SRDS');
    t.same(client.got(), [], 'the clusters are not warm');
    client.ack('CDS');
    t.same(client.got(), ['RDS +b']);
    ask('RDS', 'b');
    t.same(client.got(), [], 'asked for while it is on its way');
  },
);

t.test('a table that changes waits for its clusters, and so does a new one with it', async (t) => {
  const { s, client, ask } = await connected(() => true);
  await s.apply([...added, rds('a', 'to b')]);
  t.same(client.got(), ['CDS +b', 'EDS +b', 'SRDS +b']);
  ask('EDS', 'b');
  ask('RDS', 'b');
  for (const short of ['EDS', 'CDS', 'SRDS']) client.ack(short);
  t.same(client.got(), ['RDS +a +b']);
});

t.test('what a client answers and does not ask for it has not', async (t) => {
  const { s, client, ask } = await connected(() => true);
  const { revision } = await s.apply([cds('b'), eds('b')]);
  t.same(client.got(), ['CDS +b', 'EDS +b']);
  client.nack('CDS', 'b: bad');
  client.ack('EDS');
  t.notOk(s.hub.isConfirmed({ revision, types: [s.hub.status()[0]?.types[1]?.typeUrl ?? ''] }), 'not had');
  await s.apply([eds('b', 'v2')]);
  t.same(client.got(), [], 'it is not subscribed to it');
  await s.apply([cds('b', 'v2')]);
  t.same(client.got(), ['CDS +b', 'EDS +b'], 'the cluster is mended, and its endpoints come with it');
  ask('EDS', 'b');
  client.ack('CDS');
  client.ack('EDS');
  t.ok(s.hub.isConfirmed(s.hub.revision()));
  await s.apply([eds('b', 'v3')]);
  t.same(client.got(), ['EDS +b']);
});

t.test('a name asked for together with the answer is sent again: it may have come too early', async (t) => {
  const { s, client } = await connected(() => true);
  await s.apply([cds('b'), eds('b')]);
  client.got();
  client.send('EDS', { resource_names_subscribe: ['b'], response_nonce: client.nonce('EDS') });
  t.same(client.got(), ['EDS +b']);
});

t.test('nothing ahead for State of the World, nor for very many names', async (t) => {
  const s = story({ sendAhead: () => true });
  await s.apply([cds('a'), eds('a')]);
  const client = s.connect('sotw');
  client.ask('CDS');
  client.ask('EDS', 'a');
  client.got();
  client.ack('CDS');
  client.ack('EDS');
  await s.apply([cds('b'), eds('b')]);
  t.same(client.got(), ['CDS a b']);

  const { s: other, client: many } = await connected(() => true);
  const names = Array.from({ length: 65 }, (_, i) => `n${i}`);
  await other.apply(names.flatMap((name) => [cds(name), eds(name)]));
  t.same(
    many.got().map((one) => one.split(' ')[0]),
    ['CDS'],
  );
});
