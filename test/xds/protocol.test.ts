import t from 'tap';
import { cds, eds, gone, lds, rds, story } from './story.ts';

// Statements of Envoy's "xDS REST and gRPC protocol" that no other test shows; docs/xds.md has all of them.

t.test('a nonce names one response of one type on one stream', async (t) => {
  const s = story();
  await s.apply([cds('a'), eds('a')]);
  for (const protocol of ['sotw', 'delta'] as const) {
    const client = s.connect(protocol);
    const nonces = new Set<string>();
    const ask = (type: string) =>
      protocol === 'sotw' ? client.ask(type, 'a') : client.send(type, { resource_names_subscribe: ['a'] });
    const note = () => {
      for (const { nonce } of client.take()) {
        t.not(nonce, '');
        t.notOk(nonces.has(nonce), nonce);
        nonces.add(nonce);
      }
    };
    for (const type of ['CDS', 'EDS']) {
      ask(type);
      note();
    }
    for (let i = 0; i < 5; i += 1) {
      client.ack('CDS');
      client.ack('EDS');
      note();
      await s.apply([cds('a', `${protocol} ${i}`), eds('a', `${protocol} ${i}`)]);
      note();
    }
    t.equal(nonces.size, 12);
  }
});

t.test('a nonce of an earlier stream is no answer on the next', async (t) => {
  for (const protocol of ['sotw', 'delta'] as const) {
    const s = story();
    await s.apply([cds('a')]);
    const before = s.connect(protocol);
    before.send('CDS', {});
    before.got();
    const response_nonce = before.nonce('CDS');
    before.close();
    const after = s.connect(protocol);
    after.send('CDS', { response_nonce, error_detail: { code: 13, message: 'of another stream' } });
    t.same(after.got(), [protocol === 'sotw' ? 'CDS a' : 'CDS +a']);
    t.match(after.state('CDS'), { state: 'STALE', nack: undefined });
    t.same(s.nacks, []);
  }
});

t.test('a version depends on the resources, not on the stream', async (t) => {
  const s = story();
  const version = async (content: string, protocol: 'sotw' | 'delta') => {
    await s.apply([cds('a', content)]);
    const client = s.connect(protocol);
    client.send('CDS', {});
    client.got();
    client.ack('CDS');
    return client.state('CDS')?.version;
  };
  const one = await version('v1', 'sotw');
  const two = await version('v2', 'sotw');
  t.not(one, two, 'whenever one resource of that type changes');
  t.equal(await version('v1', 'sotw'), one);
  t.equal(await version('v1', 'delta'), one);
});

t.test('each type of an aggregated stream is a logical stream of its own', async (t) => {
  const s = story();
  await s.apply([cds('a'), eds('a')]);
  const client = s.connect('sotw');
  client.ask('CDS');
  client.ask('EDS', 'a');
  t.same(client.got(), ['CDS a', 'EDS a']);
  client.nack('EDS', 'no');
  client.ack('CDS');
  t.match(client.state('CDS'), { state: 'SYNCED' });
  t.match(client.state('EDS'), { state: 'NACKED' });
  t.not(client.state('CDS')?.version, client.state('EDS')?.nack?.version);
});

t.test('sotw: a reconnecting client gets all again, whatever version it has', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b'), eds('a')]);
  const before = s.connect('sotw');
  before.ask('CDS');
  before.got();
  before.ack('CDS');
  const version_info = before.state('CDS')?.version;
  before.close();
  const after = s.connect('sotw');
  after.send('CDS', { version_info });
  t.same(after.got(), ['CDS a b']);
});

t.test(
  'delta: a name beside a wildcard that does not cover it is told as removed when it is left',
  async (t) => {
    const s = story();
    await s.apply([cds('a'), cds('b')]);
    const client = s.connect('delta');
    client.send('CDS', { resource_names_subscribe: ['*', 'none'] });
    t.same(client.got(), ['CDS +a +b -none']);
    client.ack('CDS');
    client.send('CDS', { resource_names_unsubscribe: ['none'] });
    t.same(client.got(), ['CDS -none']);
  },
);

t.test('delta: each resource has its name and its version', async (t) => {
  const s = story();
  await s.apply([eds('a')]);
  const client = s.connect('delta');
  client.send('EDS', { resource_names_subscribe: ['a'] });
  const [message] = client.take();
  t.match(message?.versions, [/^[0-9a-f]{16}$/]);
  t.match(message?.resources, [{ cluster_name: 'a' }]);
});

t.test('sotw: resources missing from a response are removed, in an empty response all', async (t) => {
  const s = story();
  await s.apply([cds('a'), cds('b'), lds('l', 'r'), rds('r')]);
  const client = s.connect('sotw');
  for (const [type, ...names] of [['CDS'], ['LDS'], ['RDS', 'r']] as const) {
    client.ask(type, ...names);
    client.got();
    client.ack(type);
  }
  t.same(client.got(), []);
  await s.apply([gone('CDS', 'a')]);
  t.same(client.got(), ['CDS b']);
  client.ack('CDS');
  await s.apply([gone('LDS', 'l'), gone('RDS', 'r')]);
  t.same(client.got(), ['LDS'], 'of routes nothing is said: their listener is gone');
});

t.test('requests with other names before the answer: the last one counts', async (t) => {
  const s = story({}, false);
  await s.apply([eds('a'), eds('b'), eds('c')]);
  const client = s.connect('sotw');
  client.send('EDS', { resource_names: ['a'] });
  client.send('EDS', { resource_names: ['b', 'c'] });
  s.hub.release();
  await Promise.resolve();
  t.same(client.got(), ['EDS b c']);
});
