import t from 'tap';
import { EvacuationWatch, renewalsToldMs } from '../../src/events/evacuation-watch.ts';
import type { NewEvent } from '../../src/events/event.ts';
import type { Evacuation } from '../../src/model/evacuation.ts';
import { manualClock } from '../support/manual-clock.ts';

function setup() {
  const clock = manualClock();
  const told: NewEvent[] = [];
  const watch = new EvacuationWatch({ clock, events: { note: (event) => void told.push(event) } });
  const all = new Map<string, Evacuation>();
  const object = (more: Partial<Evacuation['spec']> = {}): Evacuation => ({
    kind: 'Evacuation',
    meta: { namespace: '', name: 'works', labels: {}, annotations: {}, origin: '' },
    spec: {
      ...{ idc: 'sh-a', groups: [], percent: 100, steps: [], stepMs: 60_000 },
      ...{ expiresAt: clock.wall() + 60_000, ...more },
    },
  });
  return {
    ...{ clock, watch, object },
    set(more?: Partial<Evacuation['spec']>, by?: string) {
      all.set('works', object(more));
      watch.apply(new Map(all), () => by);
    },
    remove(by?: string) {
      all.delete('works');
      watch.apply(new Map(all), () => by);
    },
    phases: () =>
      told
        .splice(0)
        .map((event) => ('phase' in event && 'percent' in event ? [event.phase, event.percent] : [])),
    told: () => told.splice(0),
  };
}

t.test('begun, changed and ended, by whom', async (t) => {
  const { set, remove, told, watch } = setup();
  watch.begin(new Map(), () => undefined);
  set({ reason: 'works\non the\u001bline' }, '10.9.9.9');
  t.match(told(), [
    {
      ...{ kind: 'evacuation', phase: 'begun', name: 'works', idc: 'sh-a', percent: 100 },
      ...{ until: '2026-01-01T00:01:00.000Z', by: '10.9.9.9', reason: 'works on the\\u{1b}line' },
    },
  ]);
  set({ percent: 30, groups: ['*.shop'] });
  t.match(told(), [{ phase: 'changed', percent: 30, groups: ['*.shop'] }]);
  remove('10.8.8.8');
  t.match(told(), [{ phase: 'ended', percent: 30, by: '10.8.8.8' }]);
});

t.test('what a start finds is no news, and what somebody asks for meanwhile is', async (t) => {
  const { object, phases, watch } = setup();
  const byOf = (name: string) => (name === 'asked' ? '10.9.9.9' : undefined);
  const found = object();
  watch.begin(new Map([['found', found]]), byOf);
  t.strictSame(phases(), []);
  const asked = object({ percent: 30 });
  watch.begin(
    new Map([
      ['found', found],
      ['asked', asked],
    ]),
    byOf,
  );
  t.strictSame(phases(), [['begun', 30]]);
  const both = new Map([
    ['found', found],
    ['asked', asked],
  ]);
  watch.begin(both, () => undefined);
  watch.apply(both, () => undefined);
  t.strictSame(phases(), [], 'neither is told again');
  watch.apply(new Map(), () => undefined);
  t.strictSame(
    phases(),
    [
      ['ended', 100],
      ['ended', 30],
    ],
    'the end of both is',
  );
});

t.test('what the clock does: steps, and the end', async (t) => {
  const { set, remove, phases, clock, watch } = setup();
  watch.begin(new Map(), () => undefined);
  const startsAt = clock.wall() + 20_000;
  set({ startsAt, steps: [10, 50], stepMs: 5_000, expiresAt: clock.wall() + 120_000 });
  t.strictSame(phases(), [['scheduled', 0]]);
  clock.pass(20_000);
  t.strictSame(phases(), [['begun', 10]]);
  clock.pass(10_000);
  t.strictSame(phases(), [
    ['changed', 50],
    ['changed', 100],
  ]);
  clock.pass(120_000);
  t.strictSame(phases(), [['expired', 0]]);
  remove();
  t.strictSame(phases(), [], 'its end has been told');
  t.equal(clock.pending, 0);
});

t.test('a command that renews each second is told once in a while', async (t) => {
  const { set, told, clock, watch } = setup();
  watch.begin(new Map(), () => undefined);
  set();
  told();
  for (let s = 0; s < (2 * renewalsToldMs) / 1_000; s += 1) {
    clock.pass(1_000);
    set();
  }
  const events = told();
  t.strictSame(
    events.map((event) => ('phase' in event ? event.phase : '')),
    ['renewed', 'renewed'],
  );
  t.match(events[1], { times: renewalsToldMs / 1_000 });
});

t.test('what a start finds is no news, but its end is', async (t) => {
  const { object, phases, clock, watch } = setup();
  watch.begin(new Map([['works', object()]]), () => undefined);
  t.strictSame(phases(), []);
  clock.pass(60_000);
  t.strictSame(phases(), [['expired', 0]]);
});
