import t from 'tap';
import type { PlaneEvent } from '../../src/contract/events.ts';
import { earlierIn } from '../../src/events/earlier.ts';
import type { NewEvent } from '../../src/events/event.ts';
import { createEventJournal, journalLimits } from '../../src/events/journal.ts';
import { manualClock } from '../support/manual-clock.ts';

const change = (object: string): NewEvent => ({ kind: 'change', source: 'files', change: 'added', object });
const started: NewEvent = { kind: 'controlplane', phase: 'started' };
const whole = { limit: Number.POSITIVE_INFINITY };

/** A journal in memory whose time passes fast enough for its rates. */
function setup(read: readonly PlaneEvent[] = []) {
  const clock = manualClock();
  const written: PlaneEvent[] = [];
  const file = {
    ...{ read, write: (event: PlaneEvent) => void written.push(event) },
    ...{ aliveAt: undefined, state: () => ({ why: undefined, dropped: 0 }), close: async () => {} },
  };
  return { clock, written, journal: createEventJournal({ clock, file }) };
}

t.test('events have numbers that grow, and are read by time, number, kind and length', async (t) => {
  const { clock, journal, written } = setup();
  t.equal(journal.last(), 0);
  journal.add(started);
  journal.add(change('a'));
  clock.pass(10_000);
  journal.add(change('b'));
  const { events, isCut } = journal.read(whole);
  t.equal(isCut, false);
  t.match(events, [{ kind: 'controlplane' }, { object: 'a' }, { object: 'b', at: /^2026-01-01T00:00:10/ }]);
  const [first, second, third] = events.map(({ id }) => id) as [number, number, number];
  t.ok(first < second && second < third, 'at one time too');
  t.equal(journal.last(), third);
  t.match(journal.read({ ...whole, after: second }).events, [{ object: 'b' }]);
  t.match(journal.read({ ...whole, since: clock.wall() - 5_000 }).events, [{ object: 'b' }]);
  t.match(journal.read({ ...whole, kinds: new Set(['controlplane']) }).events, [started]);
  t.strictSame(journal.read({ limit: 2 }), { events: events.slice(0, 2), isCut: true });
  t.strictSame(journal.read({ limit: 3 }), { events, isCut: false });
  t.strictSame(written, events, 'and each is on its way to the disk');
});

t.test('a number is never used again, whatever the clock does', async (t) => {
  const { clock, journal } = setup();
  journal.add(change('a'));
  const before = journal.last();
  const next = createEventJournal({
    clock: { ...clock, wall: () => clock.wall() - 3_600_000 },
    file: {
      read: journal.read(whole).events,
      ...{
        write() {},
        aliveAt: undefined,
        state: () => ({ why: undefined, dropped: 0 }),
        close: async () => {},
      },
    },
  });
  next.add(change('b'));
  t.ok(next.last() > before, 'the clock was set back');
  const lost = setup();
  lost.clock.pass(1);
  lost.journal.add(change('c'));
  t.ok(lost.journal.last() > before, 'the journal was lost');
});

t.test('of a kind that comes too often some are left out, counted, and others are not', async (t) => {
  const { clock, journal } = setup();
  for (let i = 0; i < journalLimits.burst + 100; i += 1) journal.add(change(`o${i}`));
  journal.add(started);
  const { events } = journal.read(whole);
  t.equal(events.length, journalLimits.burst + 1);
  t.equal(events.at(-1)?.kind, 'controlplane');
  t.equal(journal.state().dropped, 100);
  clock.pass(60_000);
  for (let i = 0; i < 100; i += 1) journal.add(change('later'));
  const later = journal.read({ ...whole, after: events.at(-1)?.id }).events;
  t.equal(later.length, journalLimits.perMinute);
  t.match(later[0], { object: 'later', notNoted: 100 });
  t.notOk('notNoted' in (later[1] as object));
});

t.test('the oldest are forgotten: by number, of a kind, and by age', async (t) => {
  const { clock, journal } = setup();
  journal.add(started);
  const stepMs = 60_000 / journalLimits.perMinute;
  const more = 50;
  for (let i = 0; i < journalLimits.ofKind + more; i += 1) {
    clock.pass(stepMs);
    journal.add(change(`o${i}`));
  }
  const { events } = journal.read(whole);
  t.equal(events.length, journalLimits.ofKind + 1);
  t.equal(events[0]?.kind, 'controlplane', 'a storm of one kind does not push out the others');
  t.match(events[1], { object: `o${more}` });
  t.equal(journal.oldest()?.id, events[0]?.id);
  clock.pass(journalLimits.ageMs - 100 * stepMs);
  t.equal(journal.read(whole).events.length, 101);
  clock.pass(journalLimits.ageMs);
  t.strictSame(journal.read(whole).events, []);
  t.equal(journal.oldest(), undefined);
});

t.test('never more than the limit are kept', async (t) => {
  const { clock } = setup();
  const wall = clock.wall();
  const at = new Date(wall).toISOString();
  const kinds = ['change', 'push', 'nack', 'reach'] as const;
  const read = Array.from({ length: 2 * journalLimits.events }, (_, i) => ({
    ...{ id: wall * 1_000 + i, at, kind: kinds[i % kinds.length] },
  })) as unknown as PlaneEvent[];
  const { journal } = setup(read);
  t.equal(journal.read(whole).events.length, journalLimits.events);
  t.equal(journal.last(), read.at(-1)?.id);
});

t.test('who waits is told at the next event, or after the time; not too many may wait', async (t) => {
  const { clock, journal } = setup();
  const { signal } = new AbortController();
  journal.add(change('a'));
  const last = journal.last();
  await journal.next(0, 30_000, signal);
  let woken = false;
  const waiting = journal.next(last, 30_000, signal).then(() => {
    woken = true;
  });
  await new Promise(setImmediate);
  t.notOk(woken);
  journal.add(change('b'));
  await waiting;
  const late = journal.next(journal.last(), 30_000, signal);
  clock.pass(30_000);
  await late;
  const gone = new AbortController();
  const all = Array.from({ length: journalLimits.waiting }, () =>
    journal.next(journal.last(), 30_000, gone.signal),
  );
  await t.rejects(journal.next(journal.last(), 30_000, signal), { code: 'exhausted' });
  gone.abort();
  await Promise.all(all);
  const free = journal.next(journal.last(), 30_000, signal);
  journal.add(change('c'));
  await free;
  t.equal(clock.pending, 0, 'no timer is left');
});

t.test('without a folder events are in memory, and it says so', async (t) => {
  const journal = createEventJournal({ clock: manualClock() });
  t.match(journal.state(), { kept: 'memory', keptWhy: /--state/, dropped: 0 });
  t.match(setup().journal.state(), { kept: 'disk' });
});

t.test('what an earlier control plane left: how it ended, and failovers that go on', async (t) => {
  const { clock, journal } = setup();
  t.match(earlierIn(journal, clock.wall()), { before: undefined, failovers: new Map() });
  journal.add(started);
  const begin = { kind: 'failover', phase: 'begin', why: 'checks', instances: 2 } as const;
  journal.add({ ...begin, group: 'shop/a:80' });
  journal.add({ ...begin, group: 'shop/b:80' });
  clock.pass(5_000);
  journal.add({ kind: 'failover', phase: 'returning', group: 'shop/a:80', instances: 2 });
  journal.add({ kind: 'failover', phase: 'end', group: 'shop/b:80', instances: 2 });
  const died = earlierIn(journal, clock.wall());
  t.equal(died.before, 'died');
  t.strictSame(died.failovers, new Map([['shop/a:80', { why: 'checks', forMs: 5_000 }]]));
  journal.add({ kind: 'controlplane', phase: 'stopping' });
  t.equal(earlierIn(journal, clock.wall()).before, 'stopped');
});
