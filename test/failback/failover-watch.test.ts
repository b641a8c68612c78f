import t from 'tap';
import type { NewEvent } from '../../src/events/event.ts';
import type { Taker } from '../../src/failback/failover-teller.ts';
import { FailoverWatch, type OpenFailover } from '../../src/failback/failover-watch.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import { manualClock } from '../support/manual-clock.ts';

const key = 'shop/a.example:80';

/** A plan with instances at these addresses, that may go to sh-b. */
function planOf(addresses: readonly string[], more: Partial<GroupPlan> = {}): GroupPlan {
  const endpoints = addresses.map((address) => ({ address, port: 80, weight: 1 }));
  return {
    group: { host: 'a.example', port: 80 },
    namespace: 'shop',
    instances: endpoints.length === 0 ? [] : [{ name: 'sh-a', endpoints }],
    crossing: { idcs: [{ idc: 'sh-b', priority: 0 }] },
    ...more,
  } as unknown as GroupPlan;
}

/** Until answers have come in. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

function setup(open: ReadonlyMap<string, OpenFailover> = new Map()) {
  const clock = manualClock();
  const told: NewEvent[] = [];
  const watch = new FailoverWatch({ clock, open, events: { note: (event) => void told.push(event) } });
  return {
    ...{ clock, watch },
    planned(addresses: readonly string[], more?: Partial<GroupPlan>) {
      watch.applyPlans(new Map([['a.example', [planOf(addresses, more)]]]));
    },
    /** What is told after so long. */
    after(ms: number) {
      clock.pass(ms);
      return told.splice(0);
    },
  };
}

t.test('all instances leave the registry, and one comes', async (t) => {
  const { planned, watch, after } = setup();
  planned(['10.0.0.1']);
  watch.start();
  t.strictSame(after(60_000), []);
  planned([]);
  t.strictSame(after(900), [], 'less than a second is a restart');
  t.match(after(200), [
    { kind: 'failover', phase: 'begin', group: key, why: 'registry', instances: 0, to: 'sh-b' },
  ]);
  t.strictSame(watch.away(), [key]);
  t.strictSame(after(60_000), [], 'once');
  planned(['10.0.0.2']);
  const [end, ...others] = after(1);
  t.match(end, { phase: 'end', instances: 1 });
  t.ok(end?.kind === 'failover' && (end.lastedMs ?? 0) > 60_000, JSON.stringify(end));
  t.strictSame(others, []);
  t.strictSame(watch.away(), []);
});

t.test('all instances are drained: they are still registered', async (t) => {
  const { planned, watch, after } = setup();
  const drained = (...addresses: string[]) => ({ drained: planOf(addresses).instances });
  planned(['10.0.0.1', '10.0.0.2']);
  watch.start();
  planned(['10.0.0.2'], drained('10.0.0.1'));
  t.strictSame(after(60_000), [], 'one is left');
  planned([], drained('10.0.0.1', '10.0.0.2'));
  t.match(after(2_000), [{ phase: 'begin', why: 'drained', instances: 0, drained: 2 }]);
  planned(['10.0.0.2'], drained('10.0.0.1'));
  t.match(after(1), [{ phase: 'end', instances: 1, drained: 1 }]);
});

t.test('a restart of all instances, and a Group that never had any, are no failover', async (t) => {
  const { planned, watch, after } = setup();
  planned([]);
  watch.start();
  t.strictSame(after(60_000), []);
  planned(['10.0.0.1']);
  after(1);
  planned([]);
  after(500);
  planned(['10.0.0.1']);
  t.strictSame(after(60_000), []);
});

t.test('no instance accepts connections', async (t) => {
  const { planned, watch, after } = setup();
  planned(['10.0.0.1', '10.0.0.2'], { crossing: undefined as never });
  watch.start();
  watch.applyUnreached(new Set(['10.0.0.1 80', '10.9.9.9 80']));
  t.strictSame(after(60_000), [], 'one is left');
  watch.applyUnreached(new Set(['10.0.0.1 80', '10.0.0.2 80']));
  const [begin] = after(2_000);
  t.match(begin, { phase: 'begin', why: 'unreached', instances: 2 });
  t.notOk('to' in (begin as object), 'it does not leave the IDC');
  watch.applyUnreached(new Set(['10.0.0.2 80']));
  t.match(after(1), [{ phase: 'end' }]);
});

t.test('what the checks of the failback keeper say, step by step', async (t) => {
  const { planned, watch, after } = setup();
  planned(['10.0.0.1']);
  watch.start();
  watch.applyChecks(key, 'away');
  t.match(after(1), [{ phase: 'begin', why: 'checks' }], 'they have waited already');
  watch.applyChecks(key, 'ramp');
  t.match(after(1), [{ phase: 'returning' }]);
  watch.applyChecks(key, 'away');
  t.match(after(1), [{ phase: 'held', why: 'checks' }]);
  watch.applyChecks(key, 'warm');
  watch.applyChecks(key, 'ramp');
  t.match(after(1), [{ phase: 'returning' }]);
  watch.applyChecks(key, 'home');
  t.match(after(1), [{ phase: 'end' }]);
  watch.applyChecks(key, 'due');
  watch.applyChecks(key, 'ramp');
  watch.applyChecks(key, 'home');
  t.strictSame(after(60_000), [], 'the return from an evacuation is none from a failover');
});

t.test('what proxies say that are read', async (t) => {
  const { planned, watch, after } = setup();
  planned(['10.0.0.1']);
  watch.start();
  watch.applySeen(key, true);
  t.strictSame(after(60_000), []);
  watch.applySeen(key, false);
  t.match(after(2_000), [{ phase: 'begin', why: 'proxies' }]);
  watch.applySeen(key, true);
  t.match(after(1), [{ phase: 'end' }]);
  watch.applySeen('shop/unknown:80', false);
  t.strictSame(after(60_000), []);
});

t.test('a Group that is removed is forgotten', async (t) => {
  const { planned, watch, after } = setup();
  planned(['10.0.0.1']);
  watch.start();
  planned([]);
  after(2_000);
  watch.applyPlans(new Map([['a.example', []]]));
  t.strictSame(watch.away(), []);
  planned(['10.0.0.1']);
  t.strictSame(after(60_000), []);
});

t.test('a failover goes on over a restart: it is not told again, and its end is', async (t) => {
  for (const why of ['registry', 'unreached', 'proxies'] as const) {
    const { planned, watch, after } = setup(new Map([[key, { why, forMs: 60_000 }]]));
    planned(why === 'registry' ? [] : ['10.0.0.1']);
    watch.start();
    t.strictSame(watch.away(), [key], why);
    const found = {
      registry: () => {},
      unreached: () => watch.applyUnreached(new Set(['10.0.0.1 80'])),
      proxies: () => watch.applySeen(key, false),
    }[why];
    t.strictSame(after(5_000), [], `${why}: nothing is known yet`);
    found();
    t.strictSame(after(60_000), [], `${why}: it is known`);
    planned(['10.0.0.1']);
    watch.applyUnreached(new Set());
    watch.applySeen(key, true);
    const [end] = after(20_000);
    t.match(end, { phase: 'end' }, why);
    t.ok(end?.kind === 'failover' && (end.lastedMs ?? 0) > 120_000, 'with the time before the restart');
  }
  const { planned, watch, after } = setup(new Map([[key, { why: 'unreached', forMs: 1 }]]));
  planned(['10.0.0.1']);
  watch.start();
  t.match(after(60_000), [{ phase: 'end' }], 'one that ended meanwhile ends once probes have had their time');
});

t.test('who takes over is asked for when a failover begins, and what follows waits for it', async (t) => {
  const { planned, watch, after } = setup();
  const asked: (readonly GroupPlan[])[] = [];
  let answer = (_: ReadonlyMap<GroupPlan, Taker>) => {};
  watch.askTakers((plans) => {
    asked.push(plans);
    return new Promise((resolve) => {
      answer = resolve;
    });
  });
  planned(['10.0.0.1']);
  watch.start();
  after(1);
  planned([]);
  t.strictSame(after(2_000), [], 'it is not told yet');
  const [plans = []] = asked;
  t.match([asked.length, plans.length], [1, 1]);
  planned(['10.0.0.1']);
  t.strictSame(after(1), [], 'nor its end before it');
  answer(new Map([[plans[0] as GroupPlan, { unable: ['sh-b'] }]]));
  await nextTurn();
  const [begin, end] = after(1);
  t.match([begin, end], [{ phase: 'begin', unable: ['sh-b'] }, { phase: 'end' }]);
  t.notOk('to' in (begin as object));
  t.notOk('unable' in (end as object));

  after(1);
  planned([]);
  after(2_000);
  answer(new Map());
  await nextTurn();
  t.match(after(1), [{ phase: 'begin', to: 'sh-b' }], 'what nobody tells is as planned');
  watch.applyPlans(new Map([['a.example', []]]));
  t.equal(asked.length, 2);
});
