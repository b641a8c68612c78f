import t from 'tap';
import { unreadBytesMax } from '../../src/xds/stream/read-gate.ts';
import { cds, eds, gone, lds, rds, story } from './story.ts';

// What others have reported of other xDS servers and their clients, made again in small.

/** A client that has confirmed `a`, with the nonce `before`, and was then sent another version of it. */
async function oneStepAhead() {
  const s = story();
  await s.apply([eds('a'), eds('b')]);
  const client = s.connect('sotw');
  client.ask('EDS', 'a');
  client.got();
  client.ack('EDS');
  const before = client.nonce('EDS') as string;
  await s.apply([eds('a', 'v2')]);
  return { s, client, before };
}

t.test(
  'a client that passes over a response and goes on with the nonce before (grpc-java 11232)',
  async (t) => {
    const { s, client, before } = await oneStepAhead();
    t.same(client.got(), ['EDS a']);
    // It wants none any more, and does not answer; then it wants some again.
    const request = (names: string[]) =>
      client.send('EDS', { resource_names: names, response_nonce: before });
    request([]);
    s.pass(1_000);
    request(['a', 'b']);
    t.same(client.got(), [], 'a stale nonce, while the answer may be under way');
    s.pass(5_000);
    request(['a', 'b']);
    t.same(client.got(), ['EDS a b'], 'it has not got the one before either');
    client.ask('EDS', 'a', 'b');
    await s.apply([eds('b', 'v2')]);
    t.same(client.got(), ['EDS b'], 'all goes on');
    t.ok(s.hub.budget.levels().unansweredBytes > 0);
    client.ack('EDS');
    t.equal(s.hub.budget.levels().unansweredBytes, 0, 'nothing of what it passed over is counted any more');
  },
);

t.test('a client that passes over a response and asks only once (grpc-java 11232)', async (t) => {
  const { s, client, before } = await oneStepAhead();
  t.same(client.got(), ['EDS a']);
  client.send('EDS', { resource_names: [], response_nonce: before });
  client.send('EDS', { resource_names: ['a', 'b'], response_nonce: before });
  t.ok(s.hub.budget.levels().saidBytes > 0);
  s.pass(1_000);
  t.same(client.got(), [], 'the answer may be under way');
  s.pass(5_000);
  t.same(client.got(), ['EDS a b'], 'its request counts, though it sent no other');
  client.ask('EDS', 'a', 'b');
  await s.apply([eds('b', 'v2')]);
  t.same(client.got(), ['EDS b'], 'all goes on');
});

t.test('a client that is slow to answer is sent its resources again once, not ever more', async (t) => {
  const { s, client, before: first } = await oneStepAhead();
  client.got();
  const second = client.nonce('EDS') as string;
  client.send('EDS', { resource_names: ['a', 'b'], response_nonce: first });
  s.pass(6_000);
  t.same(client.got(), ['EDS a b'], 'the answer is overdue');
  // It answers the one before only now: that is no request of its own.
  client.send('EDS', { resource_names: ['a', 'b'], response_nonce: second });
  for (let second = 0; second < 20; second += 1) s.pass(1_000);
  t.same(client.got(), []);
  client.ask('EDS', 'a', 'b');
  t.equal(client.state('EDS')?.state, 'SYNCED');
});

t.test('an answer makes ignored requests void, and names that are kept count', async (t) => {
  const { s, client, before } = await oneStepAhead();
  client.got();
  const { saidBytes } = s.hub.budget.levels();
  client.send('EDS', { resource_names: ['a', 'b', 'x'.repeat(10_000)], response_nonce: before });
  t.ok(s.hub.budget.levels().saidBytes >= saidBytes + 10_000);
  client.send('EDS', { resource_names: ['a', 'x'.repeat(100_000)], response_nonce: before });
  t.equal(s.hub.budget.levels().saidBytes, saidBytes, 'too long a list is not kept');
  client.send('EDS', { resource_names: ['a', 'b'], response_nonce: before });
  client.ack('EDS');
  t.equal(s.hub.budget.levels().saidBytes, saidBytes);
  s.pass(6_000);
  t.same(client.got(), []);
});

t.test('a name that is left and asked for again while an answer is under way (grpc-go 8125)', async (t) => {
  for (const isAtOnce of [true, false]) {
    const s = story();
    await s.apply([eds('a'), eds('b'), eds('c')]);
    const client = s.connect('sotw', 'k', 'n', !isAtOnce);
    const work = () => {
      while (client.step());
    };
    client.ask('EDS', 'a', 'b');
    work();
    t.same(client.got(), ['EDS a b']);
    client.ack('EDS');
    const before = client.nonce('EDS') as string;
    await s.apply([eds('a', 'v2')]);
    // It has not read this response yet. What it no longer wants it forgets.
    const request = (names: string[]) =>
      client.send('EDS', { resource_names: names, response_nonce: before });
    request(['a', 'c']);
    request(['a', 'b', 'c']);
    work();
    t.same(client.got(), ['EDS a'], 'stale requests get nothing');
    client.ask('EDS', 'a', 'b', 'c');
    work();
    t.same(client.got(), ['EDS b c']);
    client.ack('EDS');
    t.equal(client.state('EDS')?.state, 'SYNCED');
    await s.apply([eds('b', 'v2')]);
    t.same(client.got(), ['EDS b'], 'all goes on');
  }
});

t.test('a name that is left while an answer is under way is sent no more', async (t) => {
  const s = story();
  await s.apply([eds('a'), eds('b'), cds('a')]);
  const client = s.connect('sotw');
  client.ask('EDS', 'a', 'b');
  client.ask('CDS', 'a');
  t.same(client.got(), ['EDS a b', 'CDS a']);
  const [endpoints, clusters] = [client.nonce('EDS'), client.nonce('CDS')];
  for (const type of ['EDS', 'CDS']) client.ack(type);
  await s.apply([eds('a', 'v2'), cds('a', 'v2')]);
  t.same(client.got().sort(), ['CDS a', 'EDS a']);
  client.send('EDS', { resource_names: ['a'], response_nonce: endpoints });
  client.ask('EDS', 'a');
  await s.apply([eds('b', 'v2')]);
  t.same(client.got(), []);
  // Responses of clusters are complete: the one under way has what the client wants again.
  client.send('CDS', { resource_names: ['b'], response_nonce: clusters });
  client.ask('CDS', 'a');
  t.same(client.got(), []);
});

t.test('a nonce of a server before a restart, or of another one, is no answer (envoy 30155)', async (t) => {
  for (const protocol of ['sotw', 'delta'] as const) {
    const [before, after] = [story({}, true, 0.3), story({}, true, 0.6)];
    const nonces = new Set<string>();
    for (let times = 0; times < 100; times += 1) {
      await before.apply([cds('a', `v${times}`)]);
      const client = before.connect(protocol);
      client.send('CDS', {});
      client.got();
      nonces.add(client.nonce('CDS') as string);
    }
    t.equal(nonces.size, 100);
    await after.apply([cds('a')]);
    const client = after.connect(protocol);
    const [response_nonce] = nonces;
    // Before it has read the response its next request has the nonce that it knows.
    client.send('CDS', { response_nonce });
    client.got();
    for (const one of nonces) client.send('CDS', { response_nonce: one });
    t.match(client.state('CDS'), { state: 'STALE' });
    t.same(after.acks, []);
    client.ack('CDS');
    t.equal(after.acks.length, 1);
  }
});

t.test('a client that unsubscribes from all with the previous nonce gets nothing', async (t) => {
  const s = story();
  await s.apply([eds('a')]);
  const client = s.connect('sotw');
  client.ask('EDS', 'a');
  client.got();
  client.ack('EDS');
  const before = client.nonce('EDS') as string;
  await s.apply([eds('a', 'v2')]);
  client.got();
  s.pass(6_000);
  client.send('EDS', { resource_names: [], response_nonce: before });
  t.same(client.got(), []);
  await s.apply([eds('a', 'v3')]);
  t.same(client.got(), []);
});

t.test('a client that answers unread responses gets nothing more', async (t) => {
  for (const isRead of [false, true]) {
    const s = story();
    const content = 'x'.repeat(unreadBytesMax / 2);
    await s.apply([eds('a', content)]);
    const client = s.connect('delta');
    client.clog(!isRead);
    client.send('EDS', { resource_names_subscribe: ['a'] });
    let count = client.got().length;
    for (let i = 0; i < 20; i++) {
      // Nonces are numbers that go up.
      client.ack('EDS');
      client.send('EDS', { resource_names_subscribe: ['a'] });
      count += client.got().length;
    }
    if (isRead) {
      t.equal(count, 21, 'the control: who reads is');
      continue;
    }
    t.equal(count, 2, 'what may wait, and one response');
    await s.apply([eds('a', 'v2')]);
    s.pass(60_000);
    t.same(client.got(), []);
    client.clog(false);
    await Promise.resolve();
    t.same(client.got(), ['EDS +a'], 'what was due goes once it has read');
  }
});

t.test('names that a client leaves next to a wildcard count until it was told', async (t) => {
  const s = story();
  await s.apply([cds('a')]);
  const client = s.connect('delta');
  client.send('CDS', { resource_names_subscribe: ['*'] });
  t.same(client.got(), ['CDS +a']);
  const { budget } = s.hub;
  const before = budget.levels().saidBytes;
  const names = (i: number) => Array.from({ length: 1_000 }, (_, n) => `none-${i}-${n}`);
  // It does not answer the first response, so that nothing is told.
  client.send('CDS', { resource_names_unsubscribe: names(0) });
  t.equal(budget.levels().saidBytes, before, 'what it never subscribed to is not kept');
  for (let i = 1; i <= 5; i++) {
    client.send('CDS', { resource_names_subscribe: names(i) });
    client.send('CDS', { resource_names_unsubscribe: names(i) });
  }
  t.ok(budget.levels().saidBytes - before > 5_000 * 200, 'what it left is');
  client.ack('CDS');
  const [answer = ''] = client.got();
  t.equal(answer.split(' -').length - 1, 5_000, 'each is told to be none');
  t.equal(budget.levels().saidBytes, before);
});

t.test(
  'wildcard and names: each is told once, and a name that is left is told again (go-control-plane 559)',
  async (t) => {
    const s = story();
    await s.apply([cds('a'), cds('b')]);
    const client = s.connect('delta');
    client.send('CDS', { resource_names_subscribe: ['*', 'a', 'later'] });
    t.same(client.got(), ['CDS +a +b -later']);
    client.ack('CDS');
    client.send('CDS', { resource_names_unsubscribe: ['*'] });
    await s.apply([cds('b', 'v2'), cds('a', 'v2')]);
    t.same(client.got(), ['CDS +a'], 'only the names are left');
    client.ack('CDS');
    client.send('CDS', { resource_names_subscribe: ['*'] });
    t.same(client.got(), ['CDS +a +b']);
    client.ack('CDS');
    client.send('CDS', { resource_names_unsubscribe: ['a', 'later'] });
    t.same(client.got(), ['CDS +a -later']);
    client.ack('CDS');
    await s.apply([cds('later')]);
    t.same(client.got(), ['CDS +later'], 'the wildcard has it');
  },
);

t.test('names that come one after the other before the first answer (grpc-go 4009)', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b'), cds('c')]);
  const client = s.connect('sotw');
  for (const names of [['a'], ['a', 'b'], ['a', 'b', 'c']]) client.send('CDS', { resource_names: names });
  const got = client.got();
  t.equal(got[0], 'CDS a');
  client.ask('CDS', 'a', 'b', 'c');
  t.same(client.got(), ['CDS a b c'], 'the ACK brings them; the requests before had no nonce');
});

t.test('one name in two types, and one type that goes while the other stays (envoy 17980)', async (t) => {
  const s = story();
  await s.apply([cds('same'), eds('same'), lds('same', 'same'), rds('same')]);
  const client = s.connect('delta');
  for (const type of ['CDS', 'LDS']) client.send(type, { resource_names_subscribe: ['*'] });
  for (const type of ['EDS', 'RDS']) client.send(type, { resource_names_subscribe: ['same'] });
  const settle = () => {
    const seen: string[] = [];
    for (let i = 0; i < 20; i++) {
      for (const one of client.got()) {
        seen.push(one);
        client.ack(one.split(' ')[0] as string);
      }
    }
    return seen;
  };
  t.same(settle(), ['CDS +same', 'EDS +same', 'LDS +same', 'RDS +same']);
  await s.apply([gone('LDS', 'same'), gone('RDS', 'same')]);
  t.same(settle(), ['LDS -same', 'RDS -same']);
  const again = s.connect('delta', 'k', 'node-1');
  again.send('RDS', { resource_names_subscribe: ['same'], initial_resource_versions: { same: 'old' } });
  t.same(again.got(), ['RDS -same'], 'a route that a client comes back for and that is no more');
});
