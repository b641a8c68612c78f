import t from 'tap';
import { cds, eds, gone, lds, rds, story } from './story.ts';

t.test('a wildcard gets all, and then what changed or went', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b')]);
  const envoy = s.connect('delta');
  envoy.send('CDS', {});
  t.same(envoy.got(), ['CDS +a +b']);
  envoy.ack('CDS');
  t.same(envoy.got(), []);
  await s.apply([cds('b', 'v2'), cds('c')]);
  t.same(envoy.got(), ['CDS +b +c']);
  await s.apply([cds('a', 'v2')]);
  await s.apply([gone('CDS', 'c')]);
  t.same(envoy.got(), [], 'one in flight');
  envoy.ack('CDS');
  t.same(envoy.got(), ['CDS +a -c'], 'newer states come together');
  envoy.ack('CDS');
  t.equal(envoy.state('CDS')?.state, 'SYNCED');
});

t.test('an empty wildcard is answered, or the client would wait', async (t) => {
  const s = story();
  await s.apply([]);
  const envoy = s.connect('delta');
  envoy.send('LDS', { resource_names_subscribe: ['*'] });
  t.same(envoy.got(), ['LDS']);
});

t.test('names: subscribe, subscribe again, unsubscribe', async (t) => {
  const s = story();
  await s.apply([eds('a'), eds('b')]);
  const envoy = s.connect('delta');
  envoy.send('EDS', { resource_names_subscribe: ['a', 'x'] });
  t.same(envoy.got(), ['EDS +a -x'], 'what does not exist is said');
  envoy.ack('EDS');
  envoy.send('EDS', { resource_names_subscribe: ['b'] });
  t.same(envoy.got(), ['EDS +b']);
  envoy.ack('EDS');
  envoy.send('EDS', { resource_names_subscribe: ['b'] });
  t.same(envoy.got(), ['EDS +b'], 'every explicit re-subscription is answered');
  envoy.ack('EDS');
  envoy.send('EDS', { resource_names_unsubscribe: ['b'] });
  await s.apply([eds('b', 'v2'), eds('x')]);
  t.same(envoy.got(), ['EDS +x'], 'now it exists; b is of no interest');
  envoy.ack('EDS');
  await s.apply([gone('EDS', 'a')]);
  t.same(envoy.got(), ['EDS -a']);
});

t.test('a subscription with an old nonce counts, its ACK does not', async (t) => {
  const s = story();
  await s.apply([eds('a'), eds('b')]);
  const envoy = s.connect('delta');
  envoy.send('EDS', { resource_names_subscribe: ['a'] });
  envoy.got();
  const old = envoy.nonce('EDS');
  envoy.ack('EDS');
  await s.apply([eds('a', 'v2')]);
  envoy.got();
  envoy.send('EDS', { resource_names_subscribe: ['b'], response_nonce: old });
  t.same(envoy.got(), [], 'still in flight');
  envoy.ack('EDS');
  t.same(envoy.got(), ['EDS +b']);
});

t.test('a wildcard with names: what the wildcard covers is sent again', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b')]);
  const envoy = s.connect('delta');
  envoy.send('CDS', { resource_names_subscribe: ['*', 'a'] });
  t.same(envoy.got(), ['CDS +a +b']);
  envoy.ack('CDS');
  envoy.send('CDS', { resource_names_unsubscribe: ['a'] });
  t.same(envoy.got(), ['CDS +a']);
  envoy.ack('CDS');
  envoy.send('CDS', { resource_names_unsubscribe: ['*'] });
  await s.apply([cds('a', 'v2')]);
  t.same(envoy.got(), []);
});

t.test('a reconnecting client that reports its versions gets the difference', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b'), cds('c'), eds('a'), eds('b')]);
  const envoy = s.connect('delta');
  const had = envoy.versions('CDS');
  const hadEndpoints = envoy.versions('EDS');
  envoy.close();
  await s.apply([cds('b', 'v2'), cds('d'), gone('CDS', 'c')]);
  const again = s.connect('delta');
  again.send('CDS', { resource_names_subscribe: ['*'], initial_resource_versions: had });
  t.same(again.got(), ['CDS +b +d'], 'not -c: the routes that it still has may name c');
  again.send('EDS', { resource_names_subscribe: ['a', 'b'], initial_resource_versions: hadEndpoints });
  t.same(again.got(), ['EDS +b'], 'b changed, so it warms until its endpoints come again');
  again.ack('CDS');
  again.ack('EDS');
  t.same(again.got(), []);
  s.pass(1_000);
  t.same(again.got(), ['CDS -c'], 'it has asked for no routes');
  again.ack('CDS');
  const same = s.connect('delta');
  same.send('CDS', { resource_names_subscribe: ['*'], initial_resource_versions: same.versions('CDS') });
  t.same(same.got(), ['CDS'], 'nothing to say, which is said once');
  same.send('EDS', { resource_names_subscribe: ['a', 'b'], initial_resource_versions: same.versions('EDS') });
  same.ack('CDS');
  t.same(same.got(), []);
  t.equal(same.state('CDS')?.state, 'SYNCED');
  t.equal(s.hub.unconfirmed(s.hub.revision()).length, 0);
});

t.test(
  'a client that left before it acknowledged a cluster gets its endpoints again, however many left',
  async (t) => {
    const s = story();
    s.pass(1);
    await s.apply([cds('a'), eds('a')]);
    const had = s.connect('delta').versions('EDS');
    const leave = (id: string) => {
      const envoy = s.connect('delta', 'k', id);
      envoy.send('CDS', {});
      envoy.close();
    };
    for (let i = 0; i < 10_001; i += 1) leave(`n${i}`);
    leave('last');
    const comeBack = (id: string) => {
      const envoy = s.connect('delta', 'k', id);
      const clusters = envoy.versions('CDS');
      envoy.send('CDS', { resource_names_subscribe: ['*'], initial_resource_versions: clusters });
      envoy.send('EDS', { resource_names_subscribe: ['a'], initial_resource_versions: had });
      return envoy.got();
    };
    t.same(comeBack('last'), ['CDS', 'EDS +a']);
    t.same(comeBack('n0'), ['CDS', 'EDS +a']);
    t.same(comeBack('last'), ['CDS'], 'it was told');
    s.pass(3_700_000);
    t.same(comeBack('n1'), ['CDS'], 'too long ago');
  },
);

t.test('a client that asks for endpoints before clusters gets all of them again', async (t) => {
  const s = story();
  await s.apply([cds('a'), eds('a'), eds('b'), rds('r')]);
  const [envoy, other] = [s.connect('delta'), s.connect('delta')];
  const ask = (client: typeof envoy, type: string, ...names: string[]) =>
    client.send(type, {
      resource_names_subscribe: names,
      initial_resource_versions: client.versions(type),
    });
  ask(envoy, 'EDS', 'a', 'b', 'none');
  t.same(envoy.got(), ['EDS +a +b -none'], 'one of its clusters waits for them');
  envoy.ack('EDS');
  ask(envoy, 'CDS', '*');
  t.same(envoy.got(), []);
  ask(other, 'RDS', 'r');
  t.same(other.got(), ['RDS'], 'nothing waits for routes so');
});

t.test('a client that reconnects before the state is complete gets nothing that it has', async (t) => {
  const s = story({}, false);
  await s.apply([cds('a'), cds('b'), cds('c'), eds('a', 'v1')]);
  const old = s.connect('delta');
  const had = old.versions('CDS');
  const hadEndpoints = old.versions('EDS');
  old.close();
  // A server that has just started knows only some of it.
  const fresh = story({}, false);
  await fresh.apply([cds('a')]);
  const back = fresh.connect('delta');
  back.send('CDS', { resource_names_subscribe: ['*'], initial_resource_versions: had });
  back.send('EDS', { resource_names_subscribe: ['a'], initial_resource_versions: hadEndpoints });
  await fresh.apply([cds('b'), eds('a', 'v1'), cds('c')]);
  fresh.hub.release();
  await Promise.resolve();
  t.same(back.got(), ['CDS']);
  back.ack('CDS');
  t.equal(back.state('CDS')?.state, 'SYNCED');
  t.equal(back.state('EDS')?.state, 'SYNCED');
  await fresh.apply([cds('b', 'v2')]);
  t.same(back.got(), ['CDS +b'], 'and what changes later');
});

t.test('resources that a client has not accepted are listed by name, with versions', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b'), cds('c')]);
  const envoy = s.connect('delta');
  envoy.send('CDS', {});
  t.match(s.hub.differences(envoy.session.info.id), [{ name: 'a', acked: 'unknown', state: 'sent' }, {}, {}]);
  envoy.got();
  envoy.ack('CDS');
  t.same(s.hub.differences(envoy.session.info.id), []);
  const before = envoy.versions('CDS');
  await s.apply([cds('a', 'v2')]);
  await s.apply([cds('b', 'v2')]);
  const after = envoy.versions('CDS');
  t.same(s.hub.differences(envoy.session.info.id), [
    { type: 'CDS', name: 'a', acked: before.a, sent: after.a, now: after.a, state: 'sent' },
    { type: 'CDS', name: 'b', acked: before.b, sent: before.b, now: after.b, state: 'waiting' },
  ]);
  envoy.got();
  envoy.nack('CDS', 'no');
  envoy.got();
  envoy.ack('CDS');
  t.same(s.hub.differences(envoy.session.info.id), [
    { type: 'CDS', name: 'a', acked: before.a, sent: after.a, now: after.a, state: 'refused' },
  ]);
});

t.test('a client that never answers gets one response of a type, and the newest after its ACK', async (t) => {
  const s = story();
  await s.apply([cds('a'), eds('a'), rds('r')]);
  const deaf = s.connect('delta');
  const silent = s.connect('delta');
  for (const client of [deaf, silent]) {
    client.send('CDS', {});
    client.send('EDS', { resource_names_subscribe: ['a'] });
    client.send('RDS', { resource_names_subscribe: ['r'] });
    t.same(client.got(), ['CDS +a', 'EDS +a']);
  }
  deaf.clog(true);
  for (let i = 0; i < 100; i += 1) {
    await s.apply([
      cds('a', `v${i}`),
      eds('a', `v${i}`),
      rds('r', `v${i}`),
      cds(`b${i}`),
      gone('CDS', `b${i - 1}`),
    ]);
    s.pass(1_000);
    await Promise.resolve();
    t.same(deaf.got(), []);
    // The routes wait for the clusters' ACK, but not for ever.
    t.same(silent.got(), i === 4 ? ['RDS +r'] : []);
  }
  t.equal(silent.state('CDS')?.state, 'STALE');
  silent.ack('CDS');
  t.same(silent.got(), ['CDS +a +b99'], 'the newest, at once');
  silent.ack('EDS');
  t.same(silent.got(), ['EDS +a']);
  silent.ack('RDS');
  t.same(silent.got(), [], 'they wait for the clusters again, and their endpoints');
  silent.ack('CDS');
  silent.ack('EDS');
  t.same(silent.got(), ['RDS +r']);
  deaf.clog(false);
  s.pass(1_000);
  t.same(deaf.got(), ['RDS +r'], 'still one of each');
  deaf.ack('CDS');
  t.same(deaf.got(), ['CDS +a +b99'], 'the newest, once');
});

t.test('names that a client adds while a response is in flight are answered after its ACK', async (t) => {
  const s = story();
  await s.apply([eds('a'), eds('b')]);
  const envoy = s.connect('delta');
  envoy.send('EDS', { resource_names_subscribe: ['a'] });
  t.same(envoy.got(), ['EDS +a']);
  envoy.send('EDS', { resource_names_subscribe: ['b'] });
  await s.apply([eds('a', 'v2')]);
  s.pass(60_000);
  t.same(envoy.got(), [], 'not a second one in flight');
  envoy.ack('EDS');
  t.same(envoy.got(), ['EDS +a +b'], 'what was asked for and what changed, in one');
});

t.test('a NACK: the same is not sent again, other resources are', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b')]);
  const envoy = s.connect('delta');
  envoy.send('CDS', {});
  envoy.got();
  envoy.ack('CDS');
  await s.apply([cds('a', 'bad')]);
  t.same(envoy.got(), ['CDS +a']);
  envoy.nack('CDS', 'no');
  await s.apply([cds('b', 'v2')]);
  t.same(envoy.got(), ['CDS +b']);
  envoy.ack('CDS');
  t.match(envoy.state('CDS'), { state: 'NACKED', nack: { message: 'no' } });
  await s.apply([gone('CDS', 'a')]);
  t.same(envoy.got(), ['CDS -a']);
  envoy.ack('CDS');
  t.equal(envoy.state('CDS')?.state, 'SYNCED', 'what was refused is no more');
});

t.test('a changed cluster gets its endpoints again, a changed listener its routes', async (t) => {
  const s = story();
  await s.apply([cds('a'), eds('a'), lds('l', 'r'), rds('r')]);
  const envoy = s.connect('delta');
  for (const [type, ...names] of [['CDS'], ['EDS', 'a'], ['LDS'], ['RDS', 'r']] as const) {
    envoy.send(type, { resource_names_subscribe: names });
    t.equal(envoy.got().length, 1, type);
    envoy.ack(type);
  }
  await s.apply([cds('a', 'v2'), lds('l', 'r', 'v2')]);
  t.same(envoy.got(), ['CDS +a', 'EDS +a'], 'Envoy does not ask again by itself');
  envoy.ack('EDS');
  t.same(envoy.got(), []);
  envoy.ack('CDS');
  t.same(envoy.got(), ['LDS +l']);
  envoy.ack('LDS');
  t.same(envoy.got(), ['RDS +r']);
});

t.test('a request between a change and its push is answered', async (t) => {
  const s = story();
  await s.apply([cds('a'), eds('a'), lds('l', 'r'), rds('r')]);
  const envoy = s.connect('delta');
  for (const [type, ...names] of [['CDS'], ['EDS', 'a'], ['LDS'], ['RDS', 'r']] as const) {
    envoy.send(type, { resource_names_subscribe: names });
    envoy.got();
    envoy.ack(type);
  }
  s.hub.apply('k', [rds('r', 'v2')], { at: 0 });
  envoy.send('CDS', { resource_names_subscribe: ['a'] });
  t.same(envoy.got(), ['CDS +a', 'EDS +a'], 'clusters before routes');
  await Promise.resolve();
  t.same(envoy.got(), [], 'which wait for them');
  envoy.ack('CDS');
  envoy.ack('EDS');
  t.same(envoy.got(), ['RDS +r']);
});

t.test('make before break: a cluster and its endpoints go last', async (t) => {
  const s = story();
  await s.apply([cds('a'), eds('a'), rds('r', 'to a')]);
  const envoy = s.connect('delta');
  for (const [type, ...names] of [['CDS'], ['EDS', 'a'], ['RDS', 'r']] as const) {
    envoy.send(type, { resource_names_subscribe: names });
    envoy.got();
    envoy.ack(type);
  }
  await s.apply([cds('b'), eds('b'), rds('r', 'to b'), gone('CDS', 'a'), gone('EDS', 'a')]);
  t.same(envoy.got(), ['CDS +b']);
  envoy.send('EDS', { resource_names_subscribe: ['b'] });
  t.same(envoy.got(), ['EDS +b'], 'not -a: a takes requests until the route has changed');
  envoy.ack('EDS');
  envoy.ack('CDS');
  t.same(envoy.got(), ['RDS +r']);
  envoy.ack('RDS');
  t.same(envoy.got(), ['CDS -a']);
  envoy.send('EDS', { resource_names_unsubscribe: ['a'] });
  envoy.ack('CDS');
  t.same(envoy.got(), []);
  t.equal(envoy.state('EDS')?.state, 'SYNCED');
});

t.test('a resource added and removed before it was sent is never mentioned', async (t) => {
  const s = story();
  await s.apply([cds('a')]);
  const envoy = s.connect('delta');
  envoy.send('CDS', {});
  envoy.got();
  await s.apply([cds('b')]);
  await s.apply([gone('CDS', 'b')]);
  envoy.ack('CDS');
  t.same(envoy.got(), []);
});

t.test('a stream that misses thousands of changes gets each name once', async (t) => {
  const s = story();
  const names = Array.from({ length: 50 }, (_, i) => `c${i}`);
  await s.apply(names.map((name) => cds(name)));
  const envoy = s.connect('delta');
  envoy.send('CDS', {});
  envoy.got();
  for (let i = 0; i < 3_000; i++) await s.apply([cds(`c${i % 49}`, `v${i}`)]);
  envoy.ack('CDS');
  const sorted = names.slice(0, 49).map((name) => `+${name}`);
  t.same(envoy.got(), [['CDS', ...sorted.sort()].join(' ')]);
});

t.test('removed names are forgotten once nobody can have them', async (t) => {
  const s = story();
  await s.apply([cds('keep')]);
  const envoy = s.connect('delta');
  envoy.send('CDS', {});
  for (let i = 0; i < 2_000; i++) {
    await s.apply([cds(`c${i}`)]);
    envoy.got();
    envoy.ack('CDS');
    await s.apply([gone('CDS', `c${i}`)]);
    envoy.got();
    envoy.ack('CDS');
  }
  t.ok(s.hub.snapshot('k', envoy.status().types[0]?.typeUrl ?? '').marks.size < 600);
});
