import t from 'tap';
import { createLossGuard, type LossState, lossRule } from '../../../src/registry/lastgood/loss-guard.ts';

const keys = (count: number) => new Set(Array.from({ length: count }, (_, n) => `k${n}`));

function state(now: number, missing: number, inForce: number, rest: Partial<LossState> = {}): LossState {
  return {
    now,
    missing: keys(missing),
    inForce,
    found: inForce - missing,
    isFound: () => false,
    allInstances: false,
    replaced: false,
    readable: true,
    ...rest,
  };
}

/** What a guard decides once a loss has settled. */
function settled(missing: number, inForce: number, rest: Partial<LossState> = {}) {
  const guard = createLossGuard(lossRule);
  guard.decide(state(0, missing, inForce, rest));
  const { held, remove } = guard.decide(state(lossRule.settleMs, missing, inForce, rest));
  return { held, removed: remove.size };
}

t.test('the rule, at its edges', async (t) => {
  t.strictSame(settled(1, 1), { held: false, removed: 1 }, 'the last one');
  t.strictSame(settled(2, 2), { held: true, removed: 0 }, 'the last two at once');
  t.strictSame(settled(2, 10, { allInstances: true }), { held: true, removed: 0 }, 'all instances');
  t.strictSame(settled(9, 10), { held: false, removed: 9 }, 'nine of ten');
  t.strictSame(settled(10, 20), { held: false, removed: 10 }, 'just half');
  t.strictSame(settled(10, 19), { held: true, removed: 0 }, 'ten, and more than half');
  t.strictSame(settled(1, 1, { replaced: true }), { held: true, removed: 0 }, 'another folder');
  t.strictSame(
    settled(1, 50, { replaced: true }),
    { held: false, removed: 1 },
    'another folder, with objects',
  );
  t.strictSame(settled(1, 50, { readable: false }), { held: true, removed: 0 }, 'no folder');
});

t.test('a deletion waits until nothing more goes missing, but not for ever', async (t) => {
  const guard = createLossGuard(lossRule);
  let removedAt: number | undefined;
  for (let now = 0; now < 2000 && removedAt === undefined; now += 20) {
    const { remove } = guard.decide(state(now, 1 + now / 20, 1000));
    if (remove.size > 0) removedAt = now;
  }
  t.equal(removedAt, lossRule.settleMsMax);
});

t.test('deletions within the window count together', async (t) => {
  const guard = createLossGuard(lossRule);
  const remove = (now: number, missing: number, inForce: number, rest: Partial<LossState> = {}) => {
    guard.decide(state(now, missing, inForce, rest));
    return guard.decide(state(now + lossRule.settleMs, missing, inForce, rest));
  };
  t.equal(remove(0, 9, 20).held, false);
  guard.decide(state(90, 0, 11));
  const others = { missing: new Set(['l0', 'l1', 'l2']) };
  t.equal(remove(100, 3, 11, others).held, true, '12 of 20 within the window');
  const later = createLossGuard(lossRule);
  later.decide(state(0, 9, 20));
  later.decide(state(50, 9, 20));
  later.decide(state(90, 0, 11));
  later.decide(state(90 + lossRule.windowMs, 3, 11));
  t.equal(later.decide(state(140 + lossRule.windowMs, 3, 11)).remove.size, 3, 'after it');
});

t.test('an object that comes and goes is not many', async (t) => {
  const guard = createLossGuard(lossRule);
  const goes = (now: number, key: string, rest: Partial<LossState> = {}) => {
    guard.decide(state(now, 0, 6));
    guard.decide(state(now + 10, 0, 6, { missing: new Set([key]), ...rest }));
    return guard.decide(state(now + 10 + lossRule.settleMs, 0, 6, { missing: new Set([key]), ...rest }));
  };
  for (let i = 0; i < 30; i += 1) t.equal(goes(i * 100, 'flapping').remove.size, 1, `time ${i}`);
  for (let i = 0; i < 30; i += 1)
    t.equal(goes(4000 + i * 100, `k${i}`, { isFound: () => true }).remove.size, 1, `back ${i}`);
  const held = Array.from({ length: 12 }, (_, i) => goes(20_000 + i * 100, `k${i}`).held);
  t.strictSame(held.indexOf(true), 9, 'the tenth that does not come back');
});

t.test('a stray file in an emptied folder does not let the rest go', async (t) => {
  const guard = createLossGuard(lossRule);
  guard.decide(state(0, 5, 5));
  t.equal(guard.decide(state(50, 5, 5)).held, true);
  t.equal(guard.decide(state(100, 5, 6)).held, true);
  t.equal(guard.decide(state(100 + 10 * lossRule.windowMs, 5, 6)).held, true);
});

t.test('the rest after most came back goes after the window', async (t) => {
  const guard = createLossGuard(lossRule);
  guard.decide(state(0, 20, 20));
  t.equal(guard.decide(state(50, 20, 20)).held, true);
  t.match(guard.decide(state(1000, 2, 20)), { held: true, checkAgainMs: lossRule.windowMs });
  t.equal(guard.decide(state(1000 + lossRule.windowMs, 2, 20)).remove.size, 2);
});

t.test('a confirmation covers what is missing at that time, once', async (t) => {
  const guard = createLossGuard(lossRule);
  guard.decide(state(0, 20, 20));
  guard.decide(state(50, 20, 20));
  guard.confirm();
  t.equal(guard.decide(state(60, 20, 20)).remove.size, 20);
  guard.decide(state(70, 0, 0));
  guard.decide(state(100, 20, 20));
  t.equal(guard.decide(state(150, 20, 20)).held, true);
});

t.test('an object that comes back in time was never deleted', async (t) => {
  const guard = createLossGuard(lossRule);
  guard.decide(state(0, 1, 20));
  t.match(guard.decide(state(49, 0, 20)), { held: false });
  t.equal(guard.decide(state(50, 1, 20)).remove.size, 0, 'and the next time counts anew');
});
