import t from 'tap';
import { judgeLeaving, judgeReturn } from '../../src/cli/evacuation-room.ts';
import {
  countsBetween,
  type ProxyCounts,
  p99Of,
  parseAbortOn,
  sumOf,
  violationOf,
} from '../../src/cli/evacuation-watch.ts';

const counts = (requests: number, more: Partial<ProxyCounts> = {}): ProxyCounts => ({
  ...{ requests, errors: 0, nobody: 0, overflow: 0, took: new Map() },
  ...more,
});

t.test('conditions are read, and what is none is refused', async (t) => {
  t.strictSame(parseAbortOn('p99>500ms or errors > 0.1%,no-idc>1%'), [
    { what: 'p99', limit: 500 },
    { what: 'errors', limit: 0.001 },
    { what: 'no-idc', limit: 0.01 },
  ]);
  for (const text of ['', 'p99', 'p99>5', 'errors>5ms', 'p50>1s', 'errors<1%'])
    t.throws(() => parseAbortOn(text), { code: 'invalid', message: /is no condition/ }, text);
});

t.test('each condition counts, from so many requests on', async (t) => {
  const why = (seen: ProxyCounts, text: string) => violationOf(seen, parseAbortOn(text));
  t.equal(why(counts(200, { errors: 3 }), 'errors>1%'), 'errors is 1.5 %, more than 1 %');
  t.equal(why(counts(200, { errors: 2 }), 'errors>1%'), undefined);
  t.equal(why(counts(19, { errors: 19 }), 'errors>1%'), undefined, 'too few');
  t.match(why(counts(100, { nobody: 5 }), 'errors>1% or no-idc>1%'), /no-idc is 5 %/);
  t.match(why(counts(100, { overflow: 5 }), 'spill-limit>1%'), /spill-limit is 5 %/);
  const took = new Map([
    [10, 98],
    [50, 99],
    [100, 100],
  ]);
  t.equal(p99Of(counts(100, { took })), 50);
  t.match(why(counts(100, { took }), 'p99>20ms'), /p99 is 50 ms, more than 20 ms/);
});

t.test('what was counted before is not counted, and a proxy that began anew is from 0', async (t) => {
  const before = counts(100, { errors: 9, took: new Map([[10, 100]]) });
  t.match(countsBetween(before, counts(150, { errors: 10, took: new Map([[10, 120]]) })), {
    ...{ requests: 50, errors: 1, took: new Map([[10, 20]]) },
  });
  t.match(countsBetween(before, counts(30, { errors: 1 })), { requests: 30, errors: 1 });
  t.match(sumOf([before, before]), { requests: 200, errors: 18, took: new Map([[10, 200]]) });
});

t.test('room is what the others let in, of each Group', async (t) => {
  const home = { idc: 'a', room: [{ host: 'x', instances: 2, well: 2, slots: 20, takes: 20 }] };
  const other = (takes?: number) => ({
    idc: 'b',
    room: [{ host: 'x', instances: 1, well: 1, ...(takes === undefined ? {} : { slots: takes, takes }) }],
  });
  t.strictSame(judgeLeaving('a', ['x'], 100, [home, other(20)]), { short: [], unknown: [] });
  t.match(judgeLeaving('a', ['x'], 100, [home, other(19)]).short, [/up to 20 .* take 19/]);
  t.strictSame(judgeLeaving('a', ['x'], 95, [home, other(19)]).short, []);
  t.strictSame(judgeLeaving('a', ['x'], 100, [home, other(10), { ...other(10), idc: 'c' }]).short, []);
  for (const idcs of [[home], [home, other()], [other(20)]])
    t.strictSame(judgeLeaving('a', ['x'], 100, idcs), { short: [], unknown: ['x'] });
  t.strictSame(judgeReturn('a', [home]), []);
  const left = (instances: number, well: number) => ({ idc: 'a', room: [{ host: 'x', instances, well }] });
  t.strictSame(judgeReturn('a', [left(0, 0)]), ['x (no instance)']);
  t.strictSame(judgeReturn('a', [left(4, 1)]), ['x (1 of 4 instances are well)']);
  t.strictSame(judgeReturn('a', [left(4, 2)]), [], 'half are enough');
  t.strictSame(judgeReturn('a', [left(4, 4), left(4, 1)]), ['x (1 of 4 instances are well)']);
});
