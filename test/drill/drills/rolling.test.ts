import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { markOf, saidAt } from '../../../src/drill/drills/rolling/life.ts';
import {
  type Replacement,
  type RollingMeasurement,
  rollingRows,
  rollingUnprotected,
} from '../../../src/drill/drills/rolling/verdict.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import { machineClock } from '../../../src/drill/time.ts';
import { goodMeasurement } from '../fixture.ts';

const instance = 'sh-a/checkout-1';
const one: Replacement = {
  instance,
  askedAt: 5000,
  freeAt: 5100,
  endedAt: 6100,
  startedAt: 6100,
  liveAt: 9000,
};

/**
 * A drill in which one instance was replaced while the other IDC served: from 5 to 10 s it has no entries.
 */
function rolling(change: Partial<Replacement> = {}): RollingMeasurement {
  return { ...goodMeasurement(), instances: [instance], replacements: [{ ...one, ...change }] };
}
const missed = (m: RollingMeasurement) =>
  rollingRows(m)
    .filter((row) => !row.ok)
    .map((row) => row.id);

/** With one entry more in the instance's log, of a request that it served before. */
function withEntry(m: RollingMeasurement, at: number): RollingMeasurement {
  const own = m.entries.get(instance) ?? [];
  const entry = { at, id: own[0]?.id ?? '', method: 'GET', path: '/', leaked: [] };
  return { ...m, entries: new Map(m.entries).set(instance, [...own, entry]) };
}

t.test('a replacement that nobody noticed passes', async (t) => {
  t.strictSame(missed(rolling()), []);
});

t.test('each row fails for its own reason', async (t) => {
  t.strictSame(missed(rolling({ liveAt: Number.NaN })), ['replaced']);
  t.strictSame(missed({ ...rolling(), instances: [instance, 'sh-b/checkout-1'] }), ['replaced']);
  t.strictSame(missed(rolling({ freeAt: Number.NaN })), ['confirmed']);
  t.strictSame(missed(rolling({ freeAt: 12_500, startedAt: 12_600 })), ['confirmed', 'after-deregistration']);
  t.ok(missed(rolling({ startedAt: 30_000 })).includes('served'));
  t.ok(missed({ ...rolling(), replacements: [] }).includes('confirmed'));
});

t.test('one request after the deregistration returned fails it', async (t) => {
  t.ok(missed(withEntry(rolling(), 5_101)).includes('after-deregistration'));
  t.notOk(missed(withEntry(rolling(), 5_099)).includes('after-deregistration'), 'not one before that');
  t.notOk(
    missed(withEntry(rolling(), 6_101)).includes('after-deregistration'),
    'nor one that the next process got',
  );
});

t.test('the control proves something only if requests failed, and because of the replacement', async (t) => {
  const against = (m: RollingMeasurement) => rollingUnprotected(m, verdictOf(rollingRows(m)));
  const failing = (from: number, to: number) => {
    const m = rolling({ freeAt: Number.NaN });
    const fail = (due: number) => due >= from && due < to;
    return {
      ...m,
      samples: m.samples.map((s) => (fail(s.due) ? { ...s, status: 503, error: 'status 503' } : s)),
    };
  };
  t.strictSame(against(failing(5000, 5050)), []);
  t.match(against(rolling()), ['no request failed']);
  t.match(against(failing(0, 5000)), [/500 of \d+ requests failed before/]);
  const idle = { ...failing(5000, 5050), replacements: [{ ...one, liveAt: Number.NaN }] };
  t.match(against(idle), ['not every instance was replaced while in use']);
});

t.test('what isthmus run said is found behind the mark, with its time', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-life-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const log = join(dir, 'x.log');
  const line = (ms: number, words: string) => `${new Date(ms).toISOString()} isthmus run: ${words}\n`;
  const now = Math.floor(machineClock.wall());
  writeFileSync(log, line(now - 9000, 'every proxy has it'));
  const mark = markOf(log);
  t.ok(Number.isNaN(saidAt(log, mark, 'live')), 'the earlier life does not count');
  writeFileSync(log, `other\n${line(now - 500, 'every proxy has it')}`, { flag: 'a' });
  const ago = machineClock.now() - saidAt(log, mark, 'live');
  t.ok(ago > 490 && ago < 5_000, `${ago} ms ago`);
});
