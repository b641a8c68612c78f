import t from 'tap';
import { type Evacuation, evacuates, nextChangeAt, percentAt } from '../../src/model/evacuation.ts';

const spec = (more: Partial<Evacuation['spec']> = {}): Evacuation['spec'] => ({
  ...{ idc: 'a', groups: [], percent: 100, expiresAt: 10_000, steps: [], stepMs: 1_000 },
  ...more,
});

t.test('it is in force from its start to its end, step by step', async (t) => {
  const shares = (one: Evacuation['spec'], ...times: number[]) => times.map((at) => percentAt(one, at));
  t.strictSame(shares(spec(), 0, 9_999, 10_000), [100, 100, 0]);
  t.strictSame(shares(spec({ startsAt: 5_000, percent: 30 }), 4_999, 5_000, 9_999, 10_000), [0, 30, 30, 0]);
  const stepped = spec({ startsAt: 5_000, steps: [1, 10, 50] });
  t.strictSame(shares(stepped, 4_999, 5_000, 5_999, 6_000, 7_000, 8_000, 10_000), [0, 1, 1, 10, 50, 100, 0]);
});

t.test('the time of each next change is known', async (t) => {
  const stepped = spec({ startsAt: 5_000, steps: [1, 10, 50] });
  const seen: (number | undefined)[] = [];
  for (let at: number | undefined = 0; at !== undefined; at = nextChangeAt(stepped, at)) seen.push(at);
  t.strictSame(seen, [0, 5_000, 6_000, 7_000, 8_000, 10_000]);
  for (let at = 0; at < 12_000; at += 250)
    for (let ms = at; ms < (nextChangeAt(stepped, at) ?? 12_000); ms += 250)
      t.equal(percentAt(stepped, ms), percentAt(stepped, at), `${at} as ${ms}`);
  const cut = spec({ startsAt: 5_000, steps: [1, 10, 50], expiresAt: 6_500 });
  t.equal(nextChangeAt(cut, 6_000), 6_500, 'steps that its end comes before are not waited for');
});

t.test('which Groups it covers', async (t) => {
  t.ok(evacuates(spec(), 'any.test', {}));
  t.ok(evacuates(spec({ groups: ['*.shop'] }), 'a.shop', {}));
  t.notOk(evacuates(spec({ groups: ['*.shop'] }), 'a.bank', {}));
  t.ok(evacuates(spec({ groups: ['x.test'], selector: { dr: 'yes' } }), 'a.bank', { dr: 'yes', more: '1' }));
  t.notOk(evacuates(spec({ selector: { dr: 'yes' } }), 'a.bank', { dr: 'no' }));
  t.notOk(evacuates(spec({ selector: { constructor: 'x' } }), 'a.bank', {}));
});
