import t from 'tap';
import { createDeparted, departedLimits } from '../../../src/registry/registrations/departed.ts';
import { createJournal, removedKeysMax } from '../../../src/registry/registrations/journal.ts';
import { manualClock } from '../../support/manual-clock.ts';

const minute = 60_000;

/** A book, and what it has forgotten. */
function opened(fails = () => false) {
  const clock = manualClock();
  const forgotten: string[] = [];
  const book = createDeparted(clock, async (key) => {
    if (fails()) throw new Error('the disk is full');
    forgotten.push(key);
  });
  return { clock, book, forgotten };
}

t.test('a former generation is remembered for ten minutes, or its lease and a minute', (t) => {
  const { clock, book, forgotten } = opened();
  book.add('short', 15_000);
  book.add('long', 3_600_000);
  clock.pass(9 * minute);
  t.same(forgotten, []);
  clock.pass(2 * minute);
  t.same(forgotten, ['short']);
  clock.pass(60 * minute);
  t.same([forgotten, book.size, clock.pending], [['short', 'long'], 0, 0]);
  t.end();
});

t.test('a name that comes and goes is remembered from its last departure, by one timer', (t) => {
  const { clock, book, forgotten } = opened();
  for (let life = 0; life < 100; life += 1) {
    book.add('a', 15_000);
    clock.pass(minute);
    t.same([forgotten, clock.pending], [[], 1], `life ${life}`);
    if (life < 99) book.drop('a');
  }
  clock.pass(10 * minute);
  t.same([forgotten, book.size], [['a'], 0]);
  t.end();
});

t.test('beyond 50,000 the oldest is forgotten at once', (t) => {
  const { book, forgotten } = opened();
  for (let i = 0; i < departedLimits.most + 3; i += 1) book.add(`n-${i}`, 15_000);
  t.same([book.size, forgotten], [departedLimits.most, ['n-0', 'n-1', 'n-2']]);
  t.end();
});

t.test('a failed write is retried', async (t) => {
  let isFull = true;
  const { clock, book, forgotten } = opened(() => isFull);
  book.add('a', 15_000);
  clock.pass(11 * minute);
  await new Promise(setImmediate);
  t.same([forgotten, book.size], [[], 1]);
  isFull = false;
  clock.pass(minute);
  t.same([forgotten, book.size], [['a'], 0]);
  book.add('b', 15_000);
  book.close();
  clock.pass(60 * minute);
  t.same([forgotten, clock.pending], [['a'], 0], 'closed');
});

t.test('the journal has the last thousand deleted keys', (t) => {
  const journal = createJournal(manualClock());
  for (let i = 0; i < 5_000; i += 1) journal.touch(`n-${i}`, 10);
  t.equal(journal.size, removedKeysMax + 10);
  t.equal(journal.changedSince(0), undefined, 'who asks from before gets everything');
  t.same(journal.changedSince(journal.revision - 2), ['n-4998', 'n-4999']);
  t.end();
});
