import t from 'tap';
import type { MeshError } from '../../../src/base/error.ts';
import type { ResourceChange } from '../../../src/xds/change.ts';
import { cds, eds, lds, rds, story } from '../story.ts';

const common = [cds('both'), eds('both'), lds('l', 'r')];
const old = [...common, cds('a'), eds('a'), rds('r', 'a')];
const next = [...common, cds('b'), eds('b'), rds('r', 'b')];
const cause = { at: 7 };

/** Pushes and moves that are due happen in microtasks. */
async function pushed(): Promise<void> {
  for (let i = 0; i < 4; i += 1) await Promise.resolve();
}

type Story = ReturnType<typeof story>;

/** A client that has all of class `k`, which is as `old`; `j` is as `next`. */
async function settled(s: Story, protocol: 'sotw' | 'delta', changes: readonly ResourceChange[] = next) {
  s.hub.apply('j', changes, { at: 0 });
  await s.apply(old);
  const client = s.connect(protocol);
  if (protocol === 'sotw') {
    client.ask('CDS');
    client.ask('EDS', 'a', 'both');
    client.take();
    client.ack('CDS');
    client.ack('EDS');
    client.ask('LDS');
    client.ask('RDS', 'r');
    client.take();
    client.ack('LDS');
    client.take();
    client.ack('RDS');
  } else {
    client.send('CDS', {});
    client.send('EDS', { resource_names_subscribe: ['a', 'both'] });
    client.send('LDS', {});
    client.send('RDS', { resource_names_subscribe: ['r'] });
    for (let i = 0; i < 4; i += 1)
      for (const { type } of client.take()) {
        client.ack(type);
        await pushed();
      }
  }
  await pushed();
  client.take();
  t.ok(s.hub.isConfirmed(s.hub.revision()), 'it has all of its class');
  s.acks.length = 0;
  return client;
}

t.test('delta: only the difference is sent, and what goes is told last', async (t) => {
  const s = story();
  const client = await settled(s, 'delta');
  const id = client.session.info.id;
  const { revision, streams } = s.hub.move([id, 99], 'j', cause);
  t.equal(streams, 1, 'who is not there is left out');
  t.equal(client.session.info.nodeClass, 'j');
  t.notOk(s.hub.isConfirmed(revision), 'also before anything was sent');
  await pushed();
  t.same(client.got(), ['CDS +b']);
  t.match(s.hub.differences(id), [
    { type: 'CDS', name: 'a', now: undefined },
    { type: 'CDS', name: 'b', acked: undefined },
    { type: 'EDS', name: 'a', now: undefined },
    { type: 'RDS', name: 'r', state: 'waiting' },
  ]);
  client.send('EDS', { resource_names_subscribe: ['b'] });
  t.same(client.got(), ['EDS +b']);
  client.ack('EDS');
  t.same(client.got(), [], 'the route waits for the cluster');
  client.ack('CDS');
  t.same(client.got(), ['RDS +r']);
  t.notOk(s.hub.isConfirmed(revision));
  client.ack('RDS');
  t.same(client.got(), ['CDS -a'], 'nothing names it any more');
  t.notOk(s.hub.isConfirmed(revision));
  client.ack('CDS');
  t.same(client.got(), ['EDS -a']);
  client.ack('EDS');
  t.same(client.got(), []);
  t.ok(s.hub.isConfirmed(revision));
  t.same(s.hub.differences(id), []);
  const causes = s.acks.filter((ack) => ack.causes.includes(cause)).map(({ type }) => type);
  t.same(causes, ['RDS', 'CDS', 'EDS'], 'the move is reported once for each type, with what ends it');
});

t.test('sotw: clusters with what is held, and then without', async (t) => {
  const s = story();
  const client = await settled(s, 'sotw');
  const { revision } = s.hub.move([client.session.info.id], 'j', cause);
  await pushed();
  t.same(client.got(), ['CDS a b both']);
  client.ask('EDS', 'a', 'b', 'both');
  t.same(client.got(), ['EDS b']);
  client.ack('EDS');
  client.ask('CDS');
  t.same(client.got(), ['RDS r']);
  client.ask('RDS', 'r');
  t.same(client.got(), ['CDS b both']);
  t.notOk(s.hub.isConfirmed(revision));
  client.ask('CDS');
  t.ok(s.hub.isConfirmed(revision));
});

t.test('a class of the same content: nothing is sent, and all is confirmed', async (t) => {
  for (const protocol of ['sotw', 'delta'] as const) {
    const s = story();
    const client = await settled(s, protocol, old);
    const { revision } = s.hub.move([client.session.info.id], 'j', cause);
    await pushed();
    t.same(client.got(), []);
    t.ok(s.hub.isConfirmed(revision));
    t.equal(client.state('CDS')?.state, 'SYNCED');
    s.hub.apply('j', [cds('both', 'v2')], { at: 0 });
    await pushed();
    t.equal(client.got().length, 2, 'it gets the changes of its class: the cluster, and its endpoints again');
    await s.apply([cds('both', 'v3')]);
    t.same(client.got(), [], 'and not those of the earlier one');
  }
});

t.test('back before anything was sent, and back while it is under way', async (t) => {
  const s = story();
  const client = await settled(s, 'delta');
  const { id } = client.session.info;
  s.hub.move([id], 'j', cause);
  s.hub.move([id], 'k', cause);
  await pushed();
  t.same(client.got(), []);
  s.hub.move([id], 'j', cause);
  await pushed();
  t.same(client.got(), ['CDS +b']);
  s.hub.move([id], 'k', cause);
  await pushed();
  t.same(client.got(), [], 'a response is under way');
  client.ack('CDS');
  t.same(client.got(), ['CDS -b'], 'what was sent in between goes again');
  client.ack('CDS');
  // It never subscribed to the endpoints of `b`.
  s.pass(1_000);
  t.ok(s.hub.isConfirmed(s.hub.revision()));
});

t.test('an endpoint that goes has not gone because its client was moved', async (t) => {
  const s = story();
  const client = await settled(s, 'delta', [cds('a'), eds('a', 'v2'), ...next]);
  const { revision } = await s.apply([eds('a', 'v2')]);
  const what = {
    revision,
    resources: new Map([[s.hub.status()[0]?.types[1]?.typeUrl ?? '', new Set(['a'])]]),
  };
  t.same(client.got(), ['EDS +a']);
  s.hub.move([client.session.info.id], 'j', cause);
  await pushed();
  t.notOk(s.hub.isConfirmed(what), 'it was sent, and not acknowledged');
  client.ack('EDS');
  await pushed();
  t.ok(s.hub.isConfirmed(what));
});

t.test('a class that is left: the hook, and what becomes of it', async (t) => {
  const unused: string[] = [];
  const s = story({ onUnusedClass: (name) => void unused.push(name) });
  const client = await settled(s, 'delta');
  const { id } = client.session.info;
  const error = t.throws(() => s.hub.move([id], 'nowhere', cause)) as unknown as MeshError;
  t.equal(error.code, 'not-found');
  t.equal(client.session.info.nodeClass, 'k', 'and nobody was moved');
  s.hub.move([id], 'j', cause);
  t.same(unused, ['k']);
  t.throws(() => s.hub.dropClass('j'), /has 1 streams/);
  s.hub.dropClass('k');
  await pushed();
  t.same(client.got(), ['CDS +b'], 'what it has is known without its earlier class');
  client.close();
  t.same(unused, ['k', 'j']);
  t.equal(s.hub.stats.streamsMoved, 1);
});

t.test('streams in the same state share the comparison and the response', async (t) => {
  const s = story();
  s.hub.apply('j', [cds('x'), cds('y', 'v2')], { at: 0 });
  await s.apply([cds('x'), cds('y')]);
  const clients = Array.from({ length: 20 }, () => s.connect('delta'));
  for (const client of clients) {
    client.send('CDS', {});
    client.take();
    client.ack('CDS');
  }
  const before = s.hub.stats.responsesBuilt;
  s.hub.move(
    clients.map(({ session }) => session.info.id),
    'j',
    cause,
  );
  await pushed();
  for (const client of clients) t.same(client.got(), ['CDS +y']);
  t.equal(s.hub.stats.responsesBuilt - before, 1);
});
