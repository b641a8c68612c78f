import t from 'tap';
import { cds, eds, gone, lds, rds, story } from './story.ts';

t.test('a wildcard gets all, and all again when one changes', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b')]);
  const envoy = s.connect('sotw');
  envoy.ask('CDS');
  t.same(envoy.got(), ['CDS a b']);
  envoy.ack('CDS');
  t.same(envoy.got(), [], 'an ACK is not answered');
  await s.apply([cds('b', 'v2')]);
  t.same(envoy.got(), ['CDS a b']);
  await s.apply([cds('b', 'v3')]);
  t.same(envoy.got(), [], 'at most one response of a type is in flight');
  envoy.ack('CDS');
  t.same(envoy.got(), ['CDS a b']);
});

t.test('unchanged content is not sent', async (t) => {
  const s = story();
  await s.apply([cds('a')]);
  const envoy = s.connect('sotw');
  envoy.ask('CDS');
  envoy.got();
  envoy.ack('CDS');
  t.match(await s.apply([cds('a')]), { changed: 0, streams: 0 });
  t.same(envoy.got(), []);
});

t.test('named subscriptions get what they name, and then only what changed', async (t) => {
  const s = story();
  await s.apply([eds('a'), eds('b'), eds('c')]);
  const envoy = s.connect('sotw');
  envoy.ask('EDS', 'a', 'b');
  t.same(envoy.got(), ['EDS a b']);
  envoy.ack('EDS');
  t.match(await s.apply([eds('c', 'v2')]), { changed: 1, streams: 0 }, 'nobody cares for c');
  await s.apply([eds('b', 'v2')]);
  t.same(envoy.got(), ['EDS b']);
  envoy.ack('EDS');
  envoy.ask('EDS', 'a', 'b', 'c');
  t.same(envoy.got(), ['EDS c'], 'a new name is answered');
  envoy.ack('EDS');
  envoy.ask('EDS', 'a');
  t.same(envoy.got(), [], 'unsubscribing is not');
  await s.apply([eds('b', 'v3')]);
  t.same(envoy.got(), []);
  envoy.ask('EDS', 'a', 'b');
  t.same(envoy.got(), ['EDS b'], 'subscribed again');
});

t.test('a repeated request is a re-subscription, and answered', async (t) => {
  const s = story();
  await s.apply([eds('a')]);
  const envoy = s.connect('sotw');
  envoy.ask('EDS', 'a');
  envoy.got();
  envoy.ack('EDS');
  t.same(envoy.got(), []);
  envoy.ask('EDS', 'a');
  t.same(envoy.got(), ['EDS a']);
});

t.test('a stale nonce is ignored, its names too', async (t) => {
  const s = story();
  await s.apply([eds('a'), eds('b')]);
  const envoy = s.connect('sotw');
  envoy.ask('EDS', 'a');
  envoy.got();
  const old = envoy.nonce('EDS');
  envoy.ack('EDS');
  await s.apply([eds('a', 'v2')]);
  envoy.got();
  envoy.send('EDS', { resource_names: ['a', 'b'], response_nonce: old });
  t.same(envoy.got(), []);
  t.equal(s.hub.stats.staleNonces, 1);
  t.equal(envoy.state('EDS')?.state, 'STALE', 'the response is still in flight');
  envoy.ack('EDS');
  t.equal(envoy.state('EDS')?.state, 'SYNCED');
});

t.test('a NACK keeps the stream and the last good version; the same is not sent again', async (t) => {
  const s = story();
  await s.apply([cds('a')]);
  const envoy = s.connect('sotw');
  envoy.ask('CDS');
  envoy.got();
  envoy.ack('CDS');
  const good = envoy.state('CDS')?.version;
  await s.apply([cds('a', 'bad')]);
  t.same(envoy.got(), ['CDS a']);
  envoy.nack('CDS', 'no such thing');
  t.same(envoy.got(), []);
  t.match(envoy.state('CDS'), { state: 'NACKED', version: good, nack: { message: 'no such thing' } });
  t.match(s.nacks, [{ message: 'no such thing', type: 'CDS', names: ['a'] }]);
  await s.apply([cds('a', 'bad')]);
  envoy.ask('CDS');
  t.same(envoy.got(), []);
  await s.apply([cds('a', 'v3')]);
  t.same(envoy.got(), ['CDS a']);
  envoy.ack('CDS');
  t.match(envoy.state('CDS'), { state: 'SYNCED', nack: undefined });
});

t.test('a change goes before a repeated offer, and corrected content ends the refusal', async (t) => {
  const s = story();
  await s.apply([eds('a'), eds('b'), eds('c')]);
  const envoy = s.connect('sotw');
  envoy.ask('EDS', 'a', 'b', 'c');
  envoy.got();
  envoy.ack('EDS');
  await s.apply([eds('a', 'v2'), eds('b', 'bad')]);
  t.same(envoy.got(), ['EDS a b']);
  envoy.nack('EDS', 'b is bad');
  t.same(envoy.got(), ['EDS a'], 'each alone: which one is it?');
  await s.apply([eds('c', 'v2')]);
  envoy.ack('EDS');
  t.same(envoy.got(), ['EDS c'], 'others are not held up');
  envoy.ack('EDS');
  t.equal(envoy.state('EDS')?.state, 'NACKED', 'an ACK of c says nothing of b');
  await s.apply([eds('b', 'v2')]);
  t.same(envoy.got(), ['EDS b'], 'still in flight');
  envoy.ack('EDS');
  t.same(envoy.got(), ['EDS b']);
  envoy.ack('EDS');
  t.equal(envoy.state('EDS')?.state, 'SYNCED');
});

t.test('a changed cluster gets its endpoints again, a changed listener its routes', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b'), eds('a'), eds('b'), lds('l', 'r'), rds('r')]);
  const envoy = s.connect('sotw');
  for (const [type, ...names] of [['CDS'], ['EDS', 'a', 'b'], ['LDS'], ['RDS', 'r']] as const) {
    envoy.ask(type, ...names);
    envoy.got();
    envoy.ack(type);
  }
  const old = envoy.nonce('EDS');
  await s.apply([cds('a', 'v2')]);
  t.same(envoy.got(), ['CDS a b', 'EDS a'], 'at once: Envoy acknowledges the cluster when it is warm');
  envoy.send('EDS', { resource_names: ['a', 'b'], response_nonce: old });
  t.same(envoy.got(), [], "Envoy's own re-subscription crossed it");
  envoy.ack('EDS');
  envoy.ack('CDS');
  t.same(envoy.got(), []);
  await s.apply([lds('l', 'r', 'v2')]);
  t.same(envoy.got(), ['LDS l']);
  envoy.ack('LDS');
  t.same(envoy.got(), ['RDS r']);
});

t.test('make before break: each type waits for the one before, removals come last', async (t) => {
  const s = story();
  await s.apply([cds('a'), eds('a'), lds('l', 'r'), rds('r', 'to a')]);
  const envoy = s.connect('sotw');
  for (const [type, ...names] of [['CDS'], ['EDS', 'a'], ['LDS'], ['RDS', 'r']] as const) {
    envoy.ask(type, ...names);
    envoy.got();
    envoy.ack(type);
  }
  await s.apply([cds('b'), eds('b'), rds('r', 'to b'), gone('CDS', 'a'), gone('EDS', 'a')], 7);
  t.same(envoy.got(), ['CDS a b'], 'a stays while the route may name it');
  envoy.ask('EDS', 'a', 'b');
  t.same(envoy.got(), ['EDS b'], 'endpoints do not wait: the cluster warms by them');
  envoy.ack('EDS');
  t.same(envoy.got(), [], 'the route does');
  envoy.ack('CDS');
  t.same(envoy.got(), ['RDS r']);
  envoy.ack('RDS');
  t.same(envoy.got(), ['CDS b'], 'nothing names a any more');
  envoy.ask('EDS', 'b');
  envoy.ack('CDS');
  t.same(envoy.got(), []);
  t.equal(envoy.state('EDS')?.state, 'SYNCED');
});

t.test('a cluster goes only after the route without it was accepted', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b'), rds('r', 'to a')]);
  const envoy = s.connect('sotw');
  envoy.ask('CDS');
  envoy.got();
  envoy.ack('CDS');
  envoy.ask('RDS', 'r');
  envoy.got();
  envoy.ack('RDS');
  s.acks.length = 0;
  const { revision } = await s.apply([rds('r', 'to b'), gone('CDS', 'a')], 7);
  t.same(envoy.got(), ['RDS r']);
  envoy.nack('RDS', 'no');
  t.same(envoy.got(), [], 'the refused route leaves one in force that may name a');
  await s.apply([rds('r', 'to b, well')], 8);
  t.same(envoy.got(), ['RDS r']);
  envoy.ack('RDS');
  t.same(envoy.got(), ['CDS b']);
  t.equal(s.hub.unconfirmed(revision).length, 1);
  envoy.ack('CDS');
  t.equal(s.hub.unconfirmed(revision).length, 0);
  t.match(s.acks, [
    { type: 'RDS', causes: [{ at: 8 }] },
    { type: 'CDS', causes: [{ at: 7 }] },
  ]);
});

t.test('a missing answer delays the other types for a limited time', async (t) => {
  const s = story();
  await s.apply([cds('a'), rds('r')]);
  const envoy = s.connect('sotw');
  envoy.ask('CDS');
  envoy.ask('RDS', 'r');
  t.same(envoy.got(), ['CDS a']);
  for (let i = 0; i < 4; i++) s.pass(1_000);
  t.same(envoy.got(), []);
  s.pass(1_000);
  t.same(envoy.got(), ['RDS r']);
  t.equal(s.hub.stats.outOfTurn, 1);
});

t.test('a legacy wildcard ends when names are given; * keeps it', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b')]);
  const envoy = s.connect('sotw');
  envoy.ask('CDS');
  envoy.got();
  envoy.ack('CDS');
  envoy.ask('CDS', 'a');
  t.same(envoy.got(), ['CDS a']);
  envoy.ack('CDS');
  envoy.ask('CDS', 'a', '*');
  t.same(envoy.got(), ['CDS a b']);
  envoy.ack('CDS');
  envoy.ask('CDS');
  t.same(envoy.got(), [], 'empty after names means none, not all');
  await s.apply([cds('a', 'v2')]);
  t.same(envoy.got(), []);
});

t.test('an event is timed to the ACK of the first response with it', async (t) => {
  const s = story();
  await s.apply([eds('a'), eds('b')], 1);
  const envoy = s.connect('sotw');
  envoy.ask('EDS', 'a', 'b');
  envoy.got();
  envoy.ack('EDS');
  t.match(s.acks.shift(), { causes: [], superseded: [] }, 'what stood before the stream is no event');
  s.pass(10);
  await s.apply([eds('a', 'v2')], 5);
  envoy.got();
  await s.apply([eds('a', 'v3')], 11);
  await s.apply([eds('a', 'v4'), eds('b', 'v2')], 12);
  s.pass(10);
  envoy.ack('EDS');
  t.same(envoy.got(), ['EDS a b']);
  s.pass(10);
  envoy.ack('EDS');
  t.match(s.acks, [
    { causes: [{ at: 5 }], superseded: [], sentAtMs: 10, ackedAtMs: 20 },
    { causes: [{ at: 12 }], superseded: [{ at: 11 }], sentAtMs: 20, ackedAtMs: 30, type: 'EDS' },
  ]);
});

t.test('no answer before the server is ready and the class is there', async (t) => {
  const unknown: string[] = [];
  const s = story({ onUnknownClass: ({ nodeClass }) => void unknown.push(nodeClass) }, false);
  const envoy = s.connect('sotw');
  t.same(unknown, ['k']);
  envoy.ask('CDS');
  t.same(envoy.got(), []);
  await s.apply([cds('a')]);
  t.same(envoy.got(), [], 'not released');
  s.hub.release();
  await Promise.resolve();
  t.same(envoy.got(), ['CDS a']);
});

t.test('an empty class is answered with nothing, which lets its nodes start', async (t) => {
  const s = story();
  await s.apply([]);
  const envoy = s.connect('sotw');
  envoy.ask('CDS');
  t.same(envoy.got(), ['CDS']);
});
