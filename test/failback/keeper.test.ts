import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../src/base/log.ts';
import { createFailbackKeeper, type SavedStates } from '../../src/failback/keeper.ts';
import { openFailbackStore } from '../../src/failback/store.ts';
import type { CheckTarget } from '../../src/failback/watched-group.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import { manualClock } from '../support/manual-clock.ts';
import { until } from '../support/mesh.ts';

const key = 'shop/a.example:80';

/** A plan with so many instances; of all else what the keeper looks at. */
function planOf(count: number, more: Partial<GroupPlan> = {}): GroupPlan {
  const endpoints = Array.from({ length: count }, (_, i) => ({
    address: `10.0.0.${i + 1}`,
    port: 80,
    weight: 1,
  }));
  const question = { kind: 'http', path: '/up', statuses: [{ from: 200, to: 299 }] } as const;
  return {
    group: { host: 'a.example', port: 80 },
    namespace: 'shop',
    instances: [{ name: 'sh-a', endpoints }],
    health: { question, intervalMs: 500, answerMs: 900 },
    failback: { rampMs: 4_000, holdMs: 1_000 },
    ...more,
  } as unknown as GroupPlan;
}

function world(saved?: SavedStates) {
  const clock = manualClock();
  const state = { well: true, asked: 0, pushed: 0, written: undefined as SavedStates | undefined };
  const keeper = createFailbackKeeper({
    clock,
    logger: silentLogger,
    async check(_: CheckTarget) {
      state.asked += 1;
      return state.well;
    },
    ...(saved && { saved }),
    save(states) {
      state.written = states;
    },
  });
  const start = () =>
    keeper.start(() => {
      state.pushed += 1;
    });
  const planned = (...plans: GroupPlan[]) => keeper.applyPlans(new Map([['a.example', plans]]));
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.pass(50);
      // What is asked answers between two turns of the clock.
      await new Promise(setImmediate);
    }
  };
  return { keeper, start, state, planned, pass };
}

t.test('lost, held, and returned in steps', async (t) => {
  const { keeper, start, state, planned, pass } = world();
  planned(planOf(2));
  start();
  await pass(2_000);
  t.equal(keeper.shareOf(key), undefined);
  state.well = false;
  await pass(2_500);
  t.equal(keeper.shareOf(key), 1);
  t.match(state.written, { [key]: { at: 'away', share: 1 } });
  state.well = true;
  await pass(4_000);
  const share = keeper.shareOf(key) ?? 200;
  t.ok(share > 20 && share < 80, `${share}`);
  await pass(4_000);
  t.equal(keeper.shareOf(key), undefined);
  t.strictSame(state.written, {});
  t.ok(state.pushed >= 8 && state.pushed <= 10, `${state.pushed} pushes`);
});

t.test('instances that leave the registry and come back are an outage too', async (t) => {
  const { keeper, start, planned, pass } = world();
  planned(planOf(2));
  start();
  await pass(1_000);
  planned(planOf(0));
  await pass(1_500);
  t.equal(keeper.shareOf(key), 1);
  planned(planOf(2));
  await pass(1_500);
  t.equal(keeper.shareOf(key), 1, 'held');
  await pass(5_000);
  t.equal(keeper.shareOf(key), undefined);
});

t.test('instances that were never reached from here are no outage', async (t) => {
  const { keeper, start, state, planned, pass } = world();
  state.well = false;
  planned(planOf(2));
  start();
  await pass(5_000);
  t.equal(keeper.shareOf(key), undefined);
  state.well = true;
  await pass(1_000);
  state.well = false;
  await pass(2_500);
  t.equal(keeper.shareOf(key), 1, 'once they were, they are');
});

t.test('nothing is judged before the registry is complete', async (t) => {
  const { keeper, start, planned, pass } = world();
  planned(planOf(0));
  await pass(5_000);
  t.equal(keeper.shareOf(key), undefined);
  planned(planOf(2));
  start();
  await pass(5_000);
  t.equal(keeper.shareOf(key), undefined);
});

t.test('the stored share applies from the first plan on', async (t) => {
  const { keeper, start, planned, pass } = world({
    [key]: { at: 'ramp', failures: 0, rampedMs: 2_000, share: 50 },
  });
  t.equal(keeper.shareOf(key), 50, 'before it was planned');
  planned(planOf(2));
  t.equal(keeper.shareOf(key), 50);
  start();
  await pass(3_000);
  t.equal(keeper.shareOf(key), undefined, 'the rest of the ramp');
});

/** A plan while evacuations leave so much at home. */
const evacuated = (evacuationShare: number) => planOf(2, { evacuationShare });

t.test('an evacuation ends: held from the plan that ends it, and returned in steps', async (t) => {
  const { keeper, start, state, planned, pass } = world();
  planned(planOf(2));
  start();
  await pass(1_000);
  t.equal(keeper.shareOf(key, 0), undefined);
  planned(evacuated(0));
  await pass(1_000);
  t.equal(keeper.shareOf(key), undefined, 'the evacuation says it all');
  t.match(state.written, { [key]: { at: 'due', share: 0 } });
  t.equal(keeper.shareOf(key, 100), 0, 'asked for the plan without it');
  t.equal(keeper.shareOf(key), undefined, 'which changes nothing yet');
  planned(planOf(2));
  t.equal(keeper.shareOf(key), 0);
  await pass(2_000);
  const share = keeper.shareOf(key) ?? 200;
  t.ok(share > 20 && share < 80, `${share}`);
  await pass(2_500);
  t.equal(keeper.shareOf(key), undefined);
  t.strictSame(state.written, {});
});

t.test('a part of it ends; another begins during the return', async (t) => {
  const { keeper, start, planned, pass } = world();
  planned(evacuated(20));
  start();
  await pass(1_000);
  planned(evacuated(60));
  t.equal(keeper.shareOf(key), 20);
  await pass(1_000);
  const before = keeper.shareOf(key) ?? 200;
  t.ok(before > 25 && before < 60, `${before}`);
  planned(evacuated(10));
  await pass(10_000);
  t.equal(keeper.shareOf(key), undefined, 'evacuated again, it goes on to nobody’s harm');
  planned(planOf(2));
  t.equal(keeper.shareOf(key), 10, 'and begins again where the evacuation left it');
  planned(evacuated(5));
  t.equal(keeper.shareOf(key), undefined);
});

t.test('it ended while no control plane ran, or continues', async (t) => {
  for (const goesOn of [false, true]) {
    const { keeper, start, planned, pass } = world({
      [key]: { at: 'due', failures: 0, rampedMs: 0, share: 0 },
    });
    t.equal(keeper.shareOf(key, 100), 0);
    planned(planOf(2));
    t.equal(keeper.shareOf(key, 0), 0, 'what has the evacuation may be read last');
    planned(goesOn ? evacuated(0) : planOf(2));
    start();
    await pass(2_500);
    const share = keeper.shareOf(key);
    if (goesOn) t.equal(share, undefined);
    else t.ok((share ?? 200) > 20 && (share ?? 200) < 80, `${share}`);
  }
});

t.test('an evacuation ends with unhealthy or unreachable instances', async (t) => {
  const { keeper, start, state, planned, pass } = world();
  planned(evacuated(50));
  start();
  await pass(1_000);
  t.equal(keeper.goodOf('a.example'), 2);
  t.equal(keeper.goodOf('b.example'), undefined);
  state.well = false;
  await pass(1_500);
  t.equal(keeper.goodOf('a.example'), 0);
  planned(planOf(2));
  await pass(1_500);
  t.equal(keeper.shareOf(key), 1);
  state.well = true;
  await pass(8_000);
  t.equal(keeper.shareOf(key), undefined);

  const blind = world();
  blind.state.well = false;
  blind.planned(evacuated(0));
  blind.start();
  await blind.pass(2_000);
  blind.planned(planOf(2));
  await blind.pass(500);
  t.equal(blind.keeper.shareOf(key), undefined, 'at once');
  t.equal(blind.keeper.goodOf('a.example'), undefined);
});

/** A plan of so many instances, each of which works on ten requests at once. */
const declared = (count: number, evacuationShare?: number) =>
  planOf(count, {
    spill: { limit: 1, concurrent: 10, isCritical: false },
    ...(evacuationShare === undefined ? {} : { evacuationShare }),
  });

t.test('capacity before an evacuation is compared with capacity at its end', async (t) => {
  const { keeper, start, state, planned, pass } = world();
  planned(declared(4));
  start();
  await pass(1_000);
  t.equal(keeper.slotsBeforeOf('a.example'), undefined);
  planned(declared(4, 0));
  await pass(1_000);
  t.equal(keeper.slotsBeforeOf('a.example'), 40);
  t.strictSame(keeper.shortfalls(), [], 'all are there');
  t.match(state.written, { [key]: { slots: 40 } });
  planned(declared(1, 0));
  t.strictSame(keeper.shortfalls(), [{ group: key, before: 40, bears: 10, isComing: false }]);
  planned(declared(1));
  await pass(1_500);
  t.ok((keeper.shareOf(key) ?? 0) > 0, 'it comes home all the same');
  t.strictSame(keeper.shortfalls(), [{ group: key, before: 40, bears: 10, isComing: true }]);
  await pass(4_000);
  t.equal(keeper.shareOf(key), undefined);
  t.strictSame(keeper.shortfalls(), [], 'and is home');
  t.equal(keeper.slotsBeforeOf('a.example'), undefined);
});

t.test(
  'an unhealthy instance has no capacity, and a restarted control plane knows the stored values',
  async (t) => {
    const saved = { [key]: { at: 'due', failures: 0, rampedMs: 0, share: 0, slots: 40 } } as const;
    const { keeper, start, state, planned, pass } = world(saved);
    planned(declared(2, 0));
    start();
    await pass(1_000);
    t.match(keeper.shortfalls(), [{ before: 40, bears: 20 }]);
    state.well = false;
    await pass(1_500);
    t.match(keeper.shortfalls(), [{ before: 40, bears: 0 }]);
    state.well = true;
    planned(declared(4, 0));
    await pass(1_500);
    t.strictSame(keeper.shortfalls(), [], 'as many as before');

    const without = world();
    without.planned(planOf(4, { evacuationShare: 0 }));
    without.start();
    without.planned(planOf(1, { evacuationShare: 0 }));
    await without.pass(1_000);
    t.strictSame(without.keeper.shortfalls(), [], 'nobody has declared what an instance bears');
  },
);

t.test('a Group without failback is forgotten, and no longer probed', async (t) => {
  const { keeper, start, state, planned, pass } = world();
  planned(planOf(2));
  start();
  state.well = false;
  await pass(3_000);
  const { failback: _, ...without } = planOf(2);
  planned(without as GroupPlan);
  t.equal(keeper.shareOf(key), undefined);
  const { asked } = state;
  await pass(2_000);
  t.equal(state.asked, asked);
});

t.test('with many instances each is asked less often', async (t) => {
  const { keeper, start, state, planned, pass } = world();
  planned(planOf(250), planOf(250, { group: { host: 'a.example', port: 81 } }));
  start();
  await pass(10_000);
  t.ok(state.asked <= 2_600 && state.asked >= 1_500, `${state.asked} checks in 10 s`);
  keeper.close();
  const { asked } = state;
  await pass(5_000);
  t.equal(state.asked, asked);
});

t.test('the file: written content is read, an invalid file is ignored', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-failback-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const states = { [key]: { at: 'ramp', failures: 1, rampedMs: 5, share: 3 } } as const;
  const store = openFailbackStore(join(folder, 'new'), silentLogger);
  t.strictSame(store.saved, {});
  store.save({});
  store.save(states);
  const file = join(folder, 'new', 'failback.json');
  await until('the newest is there', () => readFileSync(file, 'utf8') === JSON.stringify(states));
  t.strictSame(openFailbackStore(join(folder, 'new'), silentLogger).saved, states);
  for (const text of [
    '{',
    '[]',
    '{"a":{"at":"home"}}',
    '{"a":{"at":"ramp","failures":0,"rampedMs":"x","share":1}}',
    '{"a":{"at":"ramp","failures":0,"rampedMs":1,"share":1,"slots":"x"}}',
  ]) {
    writeFileSync(file, text);
    t.strictSame(openFailbackStore(join(folder, 'new'), silentLogger).saved, {}, text);
  }
});
