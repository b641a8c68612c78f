import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Clock } from '../../../src/base/clock.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { drainLimits } from '../../../src/model/drain.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { Change } from '../../../src/model/object.ts';
import { createDrainsSource } from '../../../src/registry/drains/drains-source.ts';
import type { RecordsPeer } from '../../../src/registry/records/records-source.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/mesh.ts';

// Drains put by the API: on disk, by time, and between control planes. What they have in common with
// evacuations is tested there.

const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));
const one = { namespace: 'shop', name: 'cart-1' };

/** A started source, and what it has told. */
async function started(
  t: Test,
  file: string,
  peers: readonly RecordsPeer[] = [],
  clock: Clock = systemClock,
) {
  const source = createDrainsSource({ file, clock, peers });
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const told: string[] = [];
  const problems: Finding[] = [];
  const word = (change: Change) =>
    change.type === 'upsert'
      ? `${change.object.meta.namespace}/${change.object.meta.name}`
      : change.type === 'delete'
        ? `-${change.ref.namespace}/${change.ref.name}`
        : 'synced';
  await source.start(
    { changes: (batch) => told.push(...batch.map(word)), problems: (list) => problems.push(...list) },
    stop.signal,
  );
  return { source, told, problems, stop: () => stop.abort() };
}

const specs = (source: ReturnType<typeof createDrainsSource>) =>
  [...source.objects()].map(({ spec }) => spec);

t.test('a drain is announced, kept over a restart with its begin, and ended', async (t) => {
  const file = join(t.testdir(), 'drains.json');
  const first = await started(t, file);
  await first.source.drain(one, { reason: 'new kernel', by: 'ann@ops' });
  const [spec] = specs(first.source);
  t.match(spec, { reason: 'new kernel', by: 'ann@ops' });
  t.strictSame(first.told, ['synced', 'shop/cart-1']);
  first.stop();
  const second = await started(t, file);
  t.strictSame(specs(second.source), [spec]);
  await second.source.drain(one, { reason: 'longer' });
  t.match(specs(second.source), [{ since: (spec as { since: number }).since, reason: 'longer' }]);
  t.equal(await second.source.undrain(one), true);
  t.equal(await second.source.undrain(one), false);
  t.strictSame(second.told, ['shop/cart-1', 'synced', 'shop/cart-1', '-shop/cart-1']);
});

t.test('one with an end goes by itself, also while nobody looks', async (t) => {
  const file = join(t.testdir(), 'drains.json');
  const clock = manualClock();
  const { source, told, stop } = await started(t, file, [], clock);
  await source.drain(one, { forMs: 60_000 });
  clock.pass(59_000);
  t.equal(specs(source).length, 1);
  clock.pass(2_000);
  t.strictSame(told, ['synced', 'shop/cart-1', '-shop/cart-1']);
  t.equal(await source.undrain(one), false, 'it is over');
  stop();
  const again = await started(t, file, [], clock);
  t.strictSame(again.told, ['synced'], 'and does not come back');
});

t.test('control planes of an IDC agree, and an end is not undone by an older drain', async (t) => {
  const dir = t.testdir();
  const peers: { a?: ReturnType<typeof createDrainsSource>; b?: ReturnType<typeof createDrainsSource> } = {};
  const peer = (name: 'a' | 'b'): RecordsPeer => ({ name, pull: async () => peers[name]?.records() ?? [] });
  const a = await started(t, join(dir, 'a.json'), [peer('b')]);
  const b = await started(t, join(dir, 'b.json'), [peer('a')]);
  Object.assign(peers, { a: a.source, b: b.source });
  await a.source.drain(one, { reason: 'x' });
  await until('b has it', () => b.told.includes('shop/cart-1'));
  t.equal(await b.source.undrain(one), true);
  await until('a has the end', () => a.told.includes('-shop/cart-1'));
  t.strictSame([specs(a.source), specs(b.source)], [[], []]);
});

t.test('records are bounded, and what cannot be read is left out', async (t) => {
  const file = join(t.testdir(), 'drains.json');
  const ended = (i: number) => ({
    ...{ name: `shop/i${i}`, edit: 1, by: '', until: systemClock.wall() + 60_000, spec: null },
  });
  const bad = [{ ...ended(0), name: 'no-slash', spec: { since: new Date().toISOString() } }, 7];
  const list = [...Array.from({ length: drainLimits.recordsMax }, (_, i) => ended(i)), ...bad];
  writeFileSync(file, JSON.stringify(list));
  const { source } = await started(t, file);
  await t.rejects(source.drain(one, {}), { code: 'exhausted', message: /2000 drains have been put/ });
  await source.drain({ namespace: 'shop', name: 'i7' }, {});
  t.equal(JSON.parse(readFileSync(file, 'utf8')).length, drainLimits.recordsMax);
});

t.test('a file that cannot be read is reported', async (t) => {
  const file = join(t.testdir({ 'drains.json': '{' }), 'drains.json');
  const { problems } = await started(t, file);
  t.match(problems, [{ code: 'DrainsUnreadable', where: file }]);
});
