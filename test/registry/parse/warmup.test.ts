import t from 'tap';
import type { Fault } from '../../../src/registry/parse/fault.ts';
import { Fields } from '../../../src/registry/parse/fields.ts';
import { parseWarmup } from '../../../src/registry/parse/istio/warmup.ts';

function parse(raw: Record<string, unknown>) {
  const faults: Fault[] = [];
  return { warmup: parseWarmup(new Fields(raw, faults)), faults: faults.map(({ message }) => message) };
}

t.test('both forms', async (t) => {
  const usual = { durationMs: 30_000, minimumPercent: 10, aggression: 1 };
  t.strictSame(parse({ warmup: { duration: '30s' } }), { warmup: usual, faults: [] });
  t.strictSame(parse({ warmupDurationSecs: '30s' }), { warmup: usual, faults: [] });
  const own = parse({ warmup: { duration: '1s', minimumPercent: 0, aggression: 2.5 } }).warmup;
  t.strictSame(own, { durationMs: 1000, minimumPercent: 0, aggression: 2.5 });
  t.equal(parse({}).warmup, undefined);
});

t.test('what is wrong, or has no effect', async (t) => {
  t.match(parse({ warmup: {} }).faults, [/give a time/]);
  t.match(parse({ warmup: { duration: '1s', minimumPercent: 101, aggression: 0 } }).faults, [
    /from 0 to 100/,
    /from 1 on/,
  ]);
  for (const other of [{ simple: 'RANDOM' }, { consistentHash: { useSourceIp: true } }]) {
    const { warmup, faults } = parse({ ...other, warmupDurationSecs: '1s' });
    t.equal(warmup, undefined);
    t.match(faults, [/has no effect with/]);
  }
});
