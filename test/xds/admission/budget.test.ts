import t, { type Test } from 'tap';
import type { MeshError } from '../../../src/base/error.ts';
import { Budget, type BudgetLimits, budgetLimits } from '../../../src/xds/admission/budget.ts';
import { finish } from '../../../src/xds/slices.ts';
import { NameSets } from '../../../src/xds/state/name-sets.ts';
import { eds, story } from '../story.ts';

const mib = 2 ** 20;
const sets = new NameSets();
const set = (count: number, of: string) =>
  sets.intern(new Set(Array.from({ length: count }, (_, i) => `${of}-${i}`)));

/** A budget, and streams on it that note how they end. */
function budget(limits: Partial<BudgetLimits> = {}) {
  const made = new Budget(limits);
  const ended: string[] = [];
  const open = (address: string) =>
    made.open(address, ({ code, message }: MeshError) => void ended.push(`${address} ${code}: ${message}`));
  return {
    open,
    ended,
    said: () => made.levels().saidBytes,
    unanswered: () => made.levels().unansweredBytes,
  };
}

const over = (words: RegExp) => ({ code: 'exhausted', message: words });

t.test('a name counts its text twice, and 100 bytes', async (t) => {
  t.equal(sets.intern(new Set(['ab', 'cde'])).bytes, 210);
  const base = set(1_000, 'base');
  const more = finish(sets.change(base, sets.intern(new Set(['more'])), ['base-0']));
  t.equal(more.bytes, base.bytes + 2 * ('more'.length - 'base-0'.length));
  t.equal(finish(sets.change(more, sets.intern(new Set(['base-0'])), ['more'])), base);
});

t.test('a set of names counts once, however many streams have it, until the last has gone', async (t) => {
  const { open, said } = budget();
  const names = set(1_000, 'n');
  const streams = Array.from({ length: 50 }, (_, i) => open(`10.0.0.${i % 5}:${i % 7}`));
  for (const stream of streams) stream.names('eds', names);
  t.equal(said(), names.bytes);
  streams[0]?.names('eds', sets.empty);
  for (const stream of streams.slice(1, 49)) stream.close();
  t.equal(said(), names.bytes);
  streams[49]?.close();
  streams[49]?.close();
  t.equal(said(), 0);
});

t.test('a connection over its budget is refused with a reason, others are not', async (t) => {
  const { open, said } = budget({ connectionBytesMax: mib });
  const [one, two, other] = [open('10.0.0.1:1'), open('10.0.0.1:1'), open('10.0.0.1:2')];
  const [a, b] = [set(5_000, 'a'), set(5_000, 'b')];
  one.names('eds', a);
  t.throws(
    () => two.names('eds', b),
    over(/^this connection has more than 1 MiB of names .*: subscribe to fewer/),
  );
  two.close();
  other.names('eds', b);
  t.equal(said(), a.bytes + b.bytes);
  t.throws(
    () => one.setBytes(mib),
    over(/^this connection has more than 1 MiB/),
    'what else it said counts too',
  );
});

t.test('over the total budget, the address with the most loses its largest stream', async (t) => {
  const { open, ended } = budget({ allBytesMax: mib });
  const greedy = [open('10.0.0.1:1'), open('10.0.0.1:2')];
  greedy[0]?.names('eds', set(2_000, 'g0'));
  greedy[1]?.names('eds', set(6_000, 'g1'));
  const modest = open('10.0.0.2:1');
  modest.names('eds', set(2_000, 'm'));
  t.match(ended, [/^10.0.0.1:2 exhausted: all clients have more than 1 MiB of names/]);
  t.equal(ended.length, 1);
  // It has most now: nobody ends for it.
  t.throws(() => modest.names('rds', set(6_000, 'more')), over(/^all clients have more than 1 MiB/));
  t.equal(ended.length, 1);
});

t.test('between addresses with about as much, the one that asks is refused', async (t) => {
  const { open, ended } = budget({ allBytesMax: mib });
  open('10.0.0.1:1').names('eds', set(5_000, 'a'));
  t.throws(() => open('10.0.0.2:1').names('eds', set(5_000, 'b')), over(/^all clients/));
  t.same(ended, []);
});

t.test('responses that nobody else was sent count until they are answered', async (t) => {
  const { open, ended, unanswered } = budget({ connectionUnansweredMax: 10, allUnansweredMax: 12 });
  const [one, two] = [open('10.0.0.1:1'), open('10.0.0.2:1')];
  one.unanswered(9);
  one.unanswered(-9);
  one.unanswered(9);
  two.unanswered(4);
  t.match(ended, [/^10.0.0.1:1 exhausted: all clients have .* unacknowledged responses: acknowledge/]);
  t.equal(unanswered(), 4);
  two.unanswered(7);
  await Promise.resolve();
  t.match(ended[1], /^10.0.0.2:1 exhausted: this connection has/);
  two.close();
  t.equal(unanswered(), 0);
});

/** A client with so many names that exist, and as many that do not. */
async function giant(t: Test, groups: number) {
  const s = story();
  const host = (i: number) => `instances/service-${i}.department-of-names.prod.mesh.example.com:8443`;
  await s.apply(Array.from({ length: groups }, (_, i) => eds(host(i))));
  const client = s.connect('delta');
  const names = Array.from({ length: groups }, (_, i) => host(i));
  for (const type of ['EDS', 'RDS', 'ECDS']) client.send(type, { resource_names_subscribe: names });
  const { saidBytes, unansweredBytes } = s.hub.budget.levels();
  t.comment(`${Math.round(saidBytes / mib)} MiB said, ${Math.round(unansweredBytes / mib)} MiB not answered`);
  t.ok(saidBytes > groups * 100, 'it is counted');
  return { s, client, saidBytes, unansweredBytes };
}

t.test('a gateway with 30,000 Groups by full names of three types has room twice', async (t) => {
  const { s, client, saidBytes, unansweredBytes } = await giant(t, 30_000);
  t.ok(2 * saidBytes < budgetLimits.connectionBytesMax, `${saidBytes}`);
  t.ok(
    unansweredBytes > 0 && 2 * unansweredBytes < budgetLimits.connectionUnansweredMax,
    `${unansweredBytes}`,
  );
  for (const type of ['EDS', 'RDS', 'ECDS']) {
    client.got();
    client.ack(type);
  }
  t.equal(s.hub.budget.levels().unansweredBytes, 0, 'what is answered is not remembered');
  client.close();
  t.match(s.hub.kept(), { saidBytes: 0, unansweredBytes: 0, answerBytes: 0 });
});

t.test('versions that a client reports count until it was told, refusals until they are over', async (t) => {
  const s = story();
  const names = Array.from({ length: 1_000 }, (_, i) => `gone-${i}`);
  const client = s.connect('delta');
  const initial_resource_versions = Object.fromEntries(names.map((name) => [name, 'v1']));
  client.send('CDS', { initial_resource_versions });
  t.ok(s.hub.budget.levels().saidBytes > 200_000, 'while its class is not there');
  await s.apply([eds('one')]);
  client.got();
  client.ack('CDS');
  t.ok(s.hub.budget.levels().saidBytes < 1_000);
  client.send('EDS', { resource_names_subscribe: ['one'] });
  client.got();
  const before = s.hub.budget.levels().saidBytes;
  client.nack('EDS', 'no');
  t.ok(s.hub.budget.levels().saidBytes > before, 'a refusal is remembered');
  await s.apply([eds('one', 'v2')]);
  client.got();
  client.ack('EDS');
  t.equal(s.hub.budget.levels().saidBytes, before);
});
