import t from 'tap';
import {
  createLossGuard,
  type LossState,
  type LossVerdict,
  lossRule,
} from '../../../src/registry/lastgood/loss-guard.ts';

const keys = (count: number) => new Set(Array.from({ length: count }, (_, n) => `k${n}`));

function state(now: number, missing: number, inForce: number, rest: Partial<LossState> = {}): LossState {
  return {
    now,
    missing: keys(missing),
    inForce,
    found: inForce - missing,
    isFound: () => false,
    isReplaced: () => false,
    sole: () => new Map(),
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

const lost = (...names: string[]) => ({
  sole: () => new Map(names.map((name) => [name, `host of ${name}`])),
});
const missing = (...names: string[]) => ({ missing: new Set(names) });

/** A verdict in numbers. */
const counts = ({ remove, delayed, held, checkAgainMs }: LossVerdict) => ({
  ...{ removed: remove.size, delayed: delayed.size, held },
  ...(checkAgainMs === undefined ? {} : { checkAgainMs }),
});

t.test('a sole object is delayed, what goes with it is not', async (t) => {
  const guard = createLossGuard(lossRule);
  const at = (now: number) => guard.decide(state(now, 0, 20, { ...missing('s', 'k'), ...lost('s') }));
  t.equal(at(0).remove.size, 0, 'it settles first');
  const settled = at(lossRule.settleMs);
  t.strictSame([...settled.remove], ['k']);
  t.strictSame([...settled.delayed], [['s', 'host of s']]);
  t.match(settled, { held: false, checkAgainMs: lossRule.soleMs });
  const end = lossRule.settleMs + lossRule.soleMs;
  const only = (now: number) => guard.decide(state(now, 0, 19, { ...missing('s'), ...lost('s') }));
  t.match(counts(only(end - 1)), { removed: 0, checkAgainMs: 1 });
  const over = only(end);
  t.strictSame([...over.remove], ['s']);
  t.equal(over.delayed.size, 0);
  t.equal(over.since, end, 'the delay is not part of the time that proxies take');
});

t.test('negative control: without a delay a sole object goes as any other', async (t) => {
  const guard = createLossGuard({ ...lossRule, soleMs: 0 });
  guard.decide(state(0, 0, 20, { ...missing('s'), ...lost('s') }));
  const { remove } = guard.decide(state(lossRule.settleMs, 0, 20, { ...missing('s'), ...lost('s') }));
  t.strictSame([...remove], ['s']);
});

t.test('a delay ends when the object is back, when it is confirmed, and when it is replaced', async (t) => {
  const begin = () => {
    const guard = createLossGuard(lossRule);
    const at = (now: number, rest: Partial<LossState> = {}) =>
      guard.decide(state(now, 0, 20, { ...missing('s'), ...lost('s'), ...rest }));
    at(0);
    t.equal(at(lossRule.settleMs).delayed.size, 1);
    return { guard, at };
  };
  const back = begin();
  t.match(counts(back.at(1000, missing())), { removed: 0, delayed: 0 });
  t.equal(back.at(1100).remove.size, 0, 'the next time it settles anew');
  t.equal(back.at(1150).delayed.size, 1, 'and is delayed anew');
  t.equal(back.at(lossRule.settleMs + lossRule.soleMs).remove.size, 0);

  const confirmed = begin();
  confirmed.guard.confirm();
  t.match(counts(confirmed.at(1000)), { removed: 1, delayed: 0 });

  const replaced = begin();
  t.match(counts(replaced.at(1000, { isReplaced: (key) => key === 's' })), {
    removed: 1,
    delayed: 0,
  });
});

t.test('others settle and go while a deletion is delayed, and all together may be a loss', async (t) => {
  const guard = createLossGuard(lossRule);
  const at = (now: number, inForce: number, ...names: string[]) =>
    guard.decide(state(now, 0, inForce, { ...missing(...names), ...lost('s') }));
  at(0, 20, 's');
  at(50, 20, 's');
  t.match(counts(at(5000, 20, 's', 'k')), { removed: 0, checkAgainMs: lossRule.settleMs }, 'k settles');
  t.strictSame([...at(5050, 20, 's', 'k').remove], ['k']);
  const many = ['s', ...Array.from({ length: 9 }, (_, n) => `m${n}`)];
  at(5100, 19, ...many);
  t.match(counts(at(5150, 19, ...many)), { held: true, removed: 0, delayed: 0 });
  t.equal(at(60_000, 19, ...many).remove.size, 0, 'held, not delayed');
});
