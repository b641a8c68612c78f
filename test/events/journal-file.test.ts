import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { earlierIn } from '../../src/events/earlier.ts';
import { createEventJournal } from '../../src/events/journal.ts';
import { journalFileLimits, openJournalFile } from '../../src/events/journal-file.ts';
import { until } from '../support/mesh.ts';

const whole = { limit: Number.POSITIVE_INFINITY };

/** A folder of state, and control planes that run in it one after another. */
function setup(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-events-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const told: string[] = [];
  const note = (message: string, fields?: object) => void told.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { ...silentLogger, info: note, warn: note };
  const start = (at = folder) => {
    const file = openJournalFile({ folder: at, clock: systemClock, logger });
    const journal = createEventJournal({ clock: systemClock, file });
    return {
      ...{ file, journal },
      add: (object: string) => journal.add({ kind: 'change', source: 'files', change: 'added', object }),
      objects: () => journal.read(whole).events.map((one) => ('object' in one ? one.object : one.kind)),
    };
  };
  return { folder, told, start, newest: join(folder, 'events.jsonl'), older: join(folder, 'events.1.jsonl') };
}

t.test('a control plane that died was alive until then, though nothing happened', async (t) => {
  const { start, newest } = setup(t);
  const first = start();
  t.equal(earlierIn(first.journal, systemClock.wall()).lastHeardAt, undefined);
  first.add('a');
  await until('it is written', () => (statSync(newest, { throwIfNoEntry: false })?.size ?? 0) > 0);
  const [event] = first.journal.read(whole).events;
  const written = statSync(newest).mtimeMs;
  await until('it is alive', () => statSync(newest).mtimeMs > written, 10 * journalFileLimits.alive);
  const wall = systemClock.wall();
  const { lastHeardAt = '' } = earlierIn(start().journal, wall);
  t.ok(Date.parse(lastHeardAt) > Date.parse(event?.at ?? '') + journalFileLimits.alive / 2, lastHeardAt);
  t.ok(Date.parse(lastHeardAt) <= wall);
  t.equal(earlierIn(start().journal, 0).lastHeardAt, event?.at, 'a clock that was set back');
  await first.journal.close();
});

t.test('events survive a restart, also one without a word', async (t) => {
  const { start, newest } = setup(t);
  const first = start();
  first.add('a');
  first.add('b');
  await first.journal.close();
  t.equal(statSync(newest).mode & 0o777, 0o600, 'for the owner alone');
  const second = start();
  t.strictSame(second.objects(), ['a', 'b']);
  second.add('c');
  await until('it is on disk', () => /"object":"c"/.test(readFileSync(newest, 'utf8')));
  // Nothing is closed, as after SIGKILL.
  t.strictSame(start().objects(), ['a', 'b', 'c']);
  await second.journal.close();
  second.add('too late');
  t.equal(second.file.state().dropped, 1);
});

t.test('a torn last line costs this line alone, and so do others that are none', async (t) => {
  const { start, newest, told } = setup(t);
  const first = start();
  for (const name of ['a', 'b', 'c']) first.add(name);
  await first.journal.close();
  writeFileSync(newest, readFileSync(newest, 'utf8').slice(0, -10));
  const second = start();
  t.strictSame(second.objects(), ['a', 'b']);
  t.match(told, [/not whole.*"lines":1/]);
  second.add('d');
  await second.journal.close();
  t.strictSame(start().objects(), ['a', 'b', 'd'], 'what comes after it is on a line of its own');
  appendFileSync(newest, 'null\n[]\n{"id":"1"}\n{"id":1,"at":"never","kind":"push"}\n\u0000\u0001\n');
  t.strictSame(start().objects(), ['a', 'b', 'd']);
});

t.test('two files of a bounded length are kept', async (t) => {
  const { start, newest, older } = setup(t);
  const one = start();
  const text = 'x'.repeat(10_000);
  const rounds = Math.ceil((3 * journalFileLimits.bytes) / (100 * text.length));
  for (let round = 0; round < rounds; round += 1) {
    for (let i = 0; i < 100; i += 1)
      one.file.write({ id: round * 100 + i + 1, at: new Date().toISOString(), kind: 'change', source: text });
    await until(
      'it is written',
      () =>
        one.file.state().dropped > 0 ||
        statSync(newest, { throwIfNoEntry: false }) === undefined ||
        /"id":\d+/.test(readFileSync(newest, 'utf8').slice(-text.length * 2)),
    );
    await new Promise((resolve) => setTimeout(resolve, 2 * journalFileLimits.collect));
  }
  await one.journal.close();
  t.ok(statSync(newest, { throwIfNoEntry: false })?.size ?? 0 <= journalFileLimits.bytes);
  // A file is put aside when it has reached the limit: one lot of events more at most.
  t.ok(statSync(older).size < journalFileLimits.bytes + 200 * text.length);
  t.ok(statSync(older).size >= journalFileLimits.bytes);
  const ids = openJournalFile({
    folder: join(newest, '..'),
    clock: systemClock,
    logger: silentLogger,
  }).read.map(({ id }) => id);
  t.equal(ids.at(-1), rounds * 100, 'the newest are there');
  t.ok((ids[0] ?? 0) > 1, 'the oldest are gone');
  t.strictSame(
    ids,
    [...ids].sort((a, b) => a - b),
  );
});

t.test(
  'a folder that cannot be written is told once, events stay in memory and are written later',
  async (t) => {
    const { folder, start, told } = setup(t);
    // A file where the folder of state should be: also root cannot write into it.
    const blocked = join(folder, 'state');
    writeFileSync(blocked, '');
    const one = start(blocked);
    one.add('a');
    await until('it is told', () => told.some((line) => line.startsWith('events are not written')));
    t.match(one.journal.state(), { kept: 'memory', keptWhy: /ENOTDIR|EEXIST/ });
    t.strictSame(one.objects(), ['a'], 'and is there');
    one.add('b');
    rmSync(blocked);
    mkdirSync(blocked);
    await until(
      'it is told again',
      () => told.some((line) => line.startsWith('events are written again')),
      20_000,
    );
    t.match(one.journal.state(), { kept: 'disk', dropped: 0 });
    await one.journal.close();
    t.strictSame(start(blocked).objects(), ['a', 'b'], 'nothing was lost');
    t.equal(told.filter((line) => line.startsWith('events are not written')).length, 1);
  },
);

t.test('what the disk does not take is dropped beyond a limit, and counted', async (t) => {
  const { folder, start, told } = setup(t);
  const blocked = join(folder, 'state');
  writeFileSync(blocked, '');
  const { file } = start(blocked);
  const event = { at: new Date().toISOString(), kind: 'change', source: 'files' } as const;
  for (let id = 1; id <= journalFileLimits.pending + 7; id += 1) file.write({ id, ...event });
  t.equal(file.state().dropped, 7);
  await until('it is told', () => told.length > 0);
  const begin = systemClock.now();
  await file.close();
  t.ok(systemClock.now() - begin < 10 * journalFileLimits.close, 'the end does not wait for it');
});

t.test('an unreadable file counts as empty', async (t) => {
  const { start, newest, told } = setup(t);
  mkdirSync(newest);
  const one = start();
  t.strictSame(one.objects(), []);
  t.match(told, [/not read/]);
  chmodSync(newest, 0o700);
  await one.journal.close();
});
