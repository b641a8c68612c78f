import t from 'tap';
import { SharedValues } from '../../src/index/shared-values.ts';

t.test('equal values are one object, others stay apart', async (t) => {
  const shared = new SharedValues();
  const make = (a: number) => ({ a, list: [{ b: 'x' }] });
  const first = shared.share('k', make(1));
  t.equal(shared.share('k', make(1)), first);
  t.strictSame(shared.share('k', make(2)), make(2));
  t.not(shared.share('other', make(1)), first);
});

t.test('so many values are remembered, and no more', async (t) => {
  const shared = new SharedValues();
  const first = shared.share('k', { i: 'first' });
  for (let i = 0; i < 10_000; i += 1) if (shared.share('k', { i }).i !== i) t.fail('another one');
  const again = shared.share('k', { i: 'first' });
  t.strictSame(again, first);
  t.not(again, first, 'it was forgotten');
  t.equal(shared.share('k', { i: 'first' }), again, 'and is shared again');
});
