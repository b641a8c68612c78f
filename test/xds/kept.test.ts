import t from 'tap';
import { FairSlots } from '../../src/base/fair-slots.ts';
import { silentLogger } from '../../src/base/log.ts';
import { refusedLimits } from '../../src/delivery/refused-streams.ts';
import { disconnectedLimits, Roster } from '../../src/delivery/roster.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { Answering } from '../../src/xds/services/tool-calls.ts';
import { finish } from '../../src/xds/slices.ts';
import { NameSets } from '../../src/xds/state/name-sets.ts';
import { Unsettled } from '../../src/xds/state/unsettled.ts';
import type { Stream } from '../../src/xds/transport/grpc-server.ts';
import { field } from '../../src/xds/wire/varint.ts';
import { createXdsServer } from '../../src/xds/xds.ts';
import { connectXds, typeUrl } from '../support/clients/xds-client.ts';
import { manualClock } from '../support/manual-clock.ts';
import { until } from '../support/mesh.ts';
import { eds, story } from './story.ts';

// What is kept by what clients said: each has a limit, an end, and a gauge (docs/xds.md).

const clusters = typeUrl('CDS');

t.test('nodes that left unsettled are remembered for an hour, the last 50,000 of them', async (t) => {
  const clock = manualClock();
  clock.pass(1);
  const unsettled = new Unsettled(clock);
  for (let i = 0; i < 50_010; i++) unsettled.add({ node: { id: `node-${i}` } }, clusters);
  t.equal(unsettled.size, 50_000);
  t.notOk(unsettled.take('node-9', clusters), 'who has been away longest is forgotten');
  t.ok(unsettled.take('node-50009', clusters));
  t.notOk(unsettled.take('node-50009', clusters), 'told once');
  clock.pass(3_600_000 + 1);
  t.notOk(unsettled.take('node-50008', clusters), 'an hour later');
  const s = story();
  t.equal(s.hub.kept().unsettled, 0);
});

t.test('of the sets of names of clients the last 4,096 are kept, and 32 MiB', async (t) => {
  const sets = new NameSets();
  const said = (i: number, length = 1) => finish(sets.read(field(3, `${i}-${'x'.repeat(length)}`)));
  const first = said(0);
  for (let i = 1; i < 4_096; i++) said(i);
  t.equal(said(0), first, 'who says the same as another has the same set');
  for (let i = 1; i <= 4_096; i++) said(i);
  t.not(said(0), first, 'it is gone once as many others came');
  const long = said(0, 2 ** 20);
  for (let i = 1; i <= 11; i++) said(i, 2 ** 20);
  t.not(said(0, 2 ** 20), long, 'names of 1 MiB count as three times that');
  for (let i = 0; i < 3; i++)
    finish(sets.read(Buffer.concat(Array.from({ length: 100_000 }, (_, n) => field(3, `${i}-${n}`)))));
  t.ok(sets.recentBytes > 20 * 2 ** 20, 'and 100,000 short ones as 10 MB');
  t.ok(sets.recentBytes <= 32 * 2 ** 20 && sets.recentBytes > 16 * 2 ** 20, `${sets.recentBytes} bytes`);
});

t.test('a node counts as long as its stream exists', async (t) => {
  const server = createXdsServer({ classOf: () => 'k' });
  server.upsert('k', []);
  const address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
  t.teardown(() => server.close());
  const client = connectXds(address, 'delta', { id: 'one', metadata: { words: 'x'.repeat(50_000) } });
  client.send('CDS', { resource_names_subscribe: ['*'] });
  await client.next();
  t.ok((server.kept().saidBytes ?? 0) > 200_000, `${server.kept().saidBytes}`);
  client.close();
  await until('it is gone', async () => server.kept().saidBytes === 0);
});

t.test('with thousands of refusals the reasons are cut', async (t) => {
  const s = story();
  const names = Array.from({ length: 2_000 }, (_, i) => `n-${i}`);
  await s.apply(names.map((name) => eds(name)));
  const client = s.connect('delta');
  for (const name of names) {
    client.send('EDS', { resource_names_subscribe: [name] });
    client.got();
    client.nack('EDS', `${name} ${'because '.repeat(400)}`);
  }
  const [member] = client.session.subscriptions;
  const texts = [...(member?.sub.rejected.values() ?? [])].map(({ message }) => message);
  t.equal(texts.length, names.length);
  t.match(texts[0], /^n-0 because/);
  t.ok((texts[0]?.length ?? 0) > 3_000, 'the first are whole');
  t.ok((texts.at(-1)?.length ?? 0) <= 256, 'the last are not');
  t.ok(
    texts.reduce((sum, text) => sum + text.length, 0) < s.hub.budget.levels().saidBytes,
    'all are counted',
  );
  client.close();
  t.equal(s.hub.budget.levels().saidBytes, 0);
});

t.test('unknown type URLs leave no state', async (t) => {
  const server = createXdsServer({ classOf: () => 'k' });
  server.upsert('k', []);
  const address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
  t.teardown(() => server.close());
  for (let i = 0; i < 50; i++) {
    const client = connectXds(address, i % 2 === 0 ? 'delta' : 'sotw', { id: `one-${i}` });
    client.send(`type.googleapis.com/no.such.Type${i}`, {});
    t.match(await client.ended, { code: 3, details: /no.such.Type\d+' is not served/ });
    client.close();
  }
  await until('all are gone', async () => server.levels()[0]?.connections === 0);
  t.match(server.kept(), { classes: 1, nameSets: 0, unsettled: 0, saidBytes: 0, answerBytes: 0 });
});

t.test('unread responses of a client are bounded', async (t) => {
  const ends: string[] = [];
  let [isRead, dear] = [false, 0];
  const open = (address: string) => {
    let written = 0;
    const stream: Stream = {
      ...{
        peer: { address },
        unreadBytes: () => (isRead ? 0 : written),
        whenRead() {},
        expectRead() {},
        end() {},
        known() {},
        together: (work) => work(),
        inSlices: finish,
        dear() {
          dear += 1;
        },
      },
      write: (bytes) => {
        written += bytes.length;
      },
      refuse: ({ code, message }) => void ends.push(`${code}: ${message}`),
    };
    return stream;
  };
  const calls = new Answering();
  const answer = calls.conversation(() => Buffer.alloc(2 ** 20));
  const fetch = calls.unary(() => Buffer.alloc(2 ** 20));
  for (let i = 0; i < 10; i++) {
    const handler = (i % 2 === 0 ? answer : fetch)(open('10.0.0.1:1'));
    handler.receive(Buffer.alloc(1));
  }
  t.match(ends, [/^exhausted: this connection has more than 8388608 unread bytes of answers/]);
  t.ok(calls.unreadBytes() <= 9 * 2 ** 20, 'whichever of its streams they are on');
  for (let i = 0; i < 200; i++) answer(open(`10.0.0.${i}:2`)).receive(Buffer.alloc(1));
  t.match(ends.at(-1), /^exhausted: all clients have more than 134217728 unread bytes/);
  t.ok(calls.unreadBytes() <= 129 * 2 ** 20);
  t.equal(dear, 210, 'each waits in line with what is dear, however short its request');
  const begun: (() => void)[] = [];
  const large = calls.unary(function* (_, made) {
    made(40 * 2 ** 20);
    yield;
    return Buffer.alloc(1);
  });
  const begin = (address: string) => {
    const handler = large({ ...open(address), inSlices: (work) => void work.next() });
    handler.receive(Buffer.alloc(1));
    begun.push(() => handler.closed());
  };
  isRead = true;
  const beforeMade = ends.length;
  begin('10.0.1.1:1');
  t.equal(ends.length, beforeMade);
  begin('10.0.1.2:1');
  t.match(ends.slice(beforeMade), [/^exhausted: answers of more than 67108864 bytes are being made/]);
  for (const end of begun) end();
  begin('10.0.1.3:1');
  t.equal(ends.length, beforeMade + 1, 'answers whose clients have gone do not count');
  const before = ends.length;
  const reads = answer(open('10.0.0.1:1'));
  for (let i = 0; i < 50; i++) reads.receive(Buffer.alloc(1));
  t.equal(ends.length, before, 'the control: who reads may go on');
  t.equal(calls.unreadBytes(), 0);
});

t.test('an address without connections leaves no state', async (t) => {
  const slots = new FairSlots<{ peer: string; isSettled(): boolean; end(): void }>(1_000_000);
  const holders = Array.from({ length: 10_000 }, (_, i) => ({
    ...{ peer: `10.0.${i >> 8}.${i & 255}`, isSettled: () => true, end() {} },
  }));
  for (const holder of holders) slots.take(holder);
  t.equal(slots.taken, 10_000);
  t.equal(slots.peers, 10_000);
  for (const holder of holders) slots.release(holder);
  t.same([slots.taken, slots.peers], [0, 0]);
});

t.test('disconnected proxies and refused clients', async (t) => {
  const clock = manualClock();
  const roster = new Roster({
    ...{ clock, logger: silentLogger, events: { note() {} }, metrics: createMetrics('sh-a') },
  });
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } as const;
  for (let i = 0; i < disconnectedLimits.nodesMax + 10; i++) {
    roster.opened({
      ...{ id: i, node: `node-${i}`, role: 'sidecar', idc: 'sh-a', peer: '10.0.0.1:1' },
      scope,
    });
    roster.closed({ id: i });
  }
  const error = { code: 'invalid', message: 'no' };
  for (let i = 0; i < refusedLimits.most + 10; i++)
    roster.refused({ peer: { address: `10.0.${i}.1:1` }, node: `bad-${i}`, error });
  t.same(roster.sizes(), { goneNodes: disconnectedLimits.nodesMax, refusedClients: refusedLimits.most });
  clock.pass(refusedLimits.keptMs + 1);
  t.equal(roster.sizes().refusedClients, 0);
  clock.pass(disconnectedLimits.keptMs + 1);
  t.equal(roster.sizes().goneNodes, 0);
});
