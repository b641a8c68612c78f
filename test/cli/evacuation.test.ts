import t from 'tap';
import { judgeFleet } from '../../src/cli/envoys/fleet-watch.ts';
import {
  countsBetween,
  crossingShare,
  judgeCounts,
  noCounts,
  type ProxyCounts,
  percentileOf,
  sumOfCounts,
  triesOf,
} from '../../src/cli/envoys/proxy-counts.ts';
import { returnWords } from '../../src/cli/evacuate/evacuation-steps.ts';
import { judgeCapacity, judgeReturn } from '../../src/cli/evacuate/idc-capacity.ts';
import { parseAbortOn } from '../../src/cli/options/abort-on.ts';
import type { GroupCapacity } from '../../src/plan/evacuation/evacuation-capacity.ts';

const counts = (requests: number, more: Partial<ProxyCounts> = {}): ProxyCounts => ({
  ...{ ...noCounts, requests },
  ...more,
});
/** Counts of requests of which `all` took up to 10 ms, but for so many that took up to 50, and up to 100. */
const timed = (all: number, upTo50 = 0, upTo100 = 0) =>
  counts(all, {
    latencies: new Map([
      [10, all - upTo50 - upTo100],
      [50, all - upTo100],
      [100, all],
    ]),
  });
const only = (text: string) => {
  const expression = parseAbortOn(text);
  if (!('measure' in expression)) throw new Error(text);
  return expression;
};
const found = (seen: ProxyCounts, text: string) => judgeCounts(seen, only(text));

t.test('a share counts from so many requests on, and one failure alone decides nothing', async (t) => {
  t.strictSame(found(counts(200, { errors: 3 }), 'errors>1%'), {
    outcome: 'so',
    words: 'errors is 1.5 % (3 of 200), more than 1 %',
  });
  t.strictSame(found(counts(200, { errors: 2 }), 'errors>1%'), { outcome: 'not so' });
  t.strictSame(found(counts(19, { errors: 19 }), 'errors>1%'), {
    outcome: 'unknown',
    words: '19 of the 20 requests that errors needs',
  });
  t.strictSame(
    found(counts(30, { errors: 1 }), 'errors>0.1%'),
    { outcome: 'not so' },
    'one of 30 is not 0.1 %',
  );
  t.match(found(counts(30, { errors: 2 }), 'errors>0.1%'), { outcome: 'so' });
  t.match(found(counts(30, { errors: 1 }), 'errors>0%'), { outcome: 'so' }, 'but where none is allowed');
  t.strictSame(found(counts(30), 'errors>0%'), { outcome: 'not so' });
  t.match(found(counts(100, { nobody: 5 }), 'no-idc>1%'), { words: /no-idc is 5 % \(5 of 100\)/ });
  t.match(found(counts(100, { overflow: 5 }), 'spill-limit>1%'), { words: /spill-limit is 5 %/ });
  t.match(found(counts(100, { retries: 60 }), 'tries>1.5'), {
    words: 'tries are 1.60 a request, more than 1.5',
  });
  t.strictSame(found(counts(100, { retries: 50 }), 'tries>1.5'), { outcome: 'not so' });
});

t.test('a percentile needs the requests that can tell it, and is the bound of a bucket', async (t) => {
  t.equal(percentileOf(timed(100, 1, 1), 0.99), 50);
  t.equal(percentileOf(timed(100, 0, 2), 0.99), 100);
  t.equal(percentileOf(timed(100), 0.5), 10);
  t.equal(percentileOf(noCounts, 0.99), 0);
  t.strictSame(found(timed(100, 0, 2), 'p99>50ms'), {
    outcome: 'so',
    words: 'p99 is up to 100 ms, more than 50 ms',
  });
  t.strictSame(found(timed(100, 0, 2), 'p99>100ms'), { outcome: 'not so' });
  t.strictSame(found(timed(99, 0, 99), 'p99>50ms'), {
    outcome: 'unknown',
    words: '99 of the 100 requests that p99 needs',
  });
  t.match(found(timed(20, 0, 20), 'p50>50ms'), { outcome: 'so' });
  t.match(found(timed(19, 0, 19), 'p50>50ms'), { outcome: 'unknown' });
  t.match(found(timed(999), 'p999>1s'), { words: '999 of the 1000 requests that p999 needs' });
  t.strictSame(found(timed(1_000), 'p999>1s'), { outcome: 'not so' });
  t.match(
    found(counts(500), 'p99>1s'),
    { outcome: 'unknown' },
    'those that no histogram has yet are not timed',
  );
});

t.test('counts before the reading are excluded, and a restarted proxy counts from 0', async (t) => {
  const before = counts(100, { errors: 9, local: 70, latencies: new Map([[10, 100]]) });
  const after = counts(150, { errors: 10, local: 40, latencies: new Map([[10, 120]]) });
  t.match(countsBetween(before, after), { requests: 50, errors: 1, latencies: new Map([[10, 20]]) });
  t.equal(countsBetween(before, after).local, 0, 'a cluster that went takes its counts with it');
  t.match(countsBetween(before, counts(30, { errors: 1 })), { requests: 30, errors: 1 });
  t.match(sumOfCounts([before, before]), { requests: 200, errors: 18, latencies: new Map([[10, 200]]) });
  t.equal(triesOf(counts(10, { retries: 5 })), 1.5);
  t.equal(triesOf(noCounts), 0);
  t.equal(crossingShare(counts(4, { local: 3, crossing: 1 })), 0.25);
  t.equal(crossingShare(noCounts), 0);
});

t.test('the users of each IDC are judged by themselves', async (t) => {
  const abortOn = parseAbortOn('errors>1% or no-idc>1%');
  const seen = (a: ProxyCounts, b: ProxyCounts) =>
    judgeFleet(
      new Map([
        ['a', a],
        ['b', b],
      ]),
      'a',
      abortOn,
    );
  t.strictSame(seen(counts(1_000), counts(1_000)), { outcome: 'not so' });
  t.match(seen(counts(10_000), counts(100, { errors: 50 })), { words: /^users of b: errors is 50 %/ });
  t.match(seen(counts(100, { errors: 50 }), counts(9_000)), { words: /^users of a: errors/ });
  t.strictSame(seen(counts(1_000), counts(3)), { outcome: 'not so' }, 'nobody uses b');
  t.match(seen(counts(3), counts(1_000)), { outcome: 'unknown', words: /3 of the 20 requests/ });
  t.match(seen(counts(100), counts(0, { nobody: 9 })), { words: /users of a: no-idc is 9 %/ }, 'on the way');
  t.match(judgeFleet(new Map(), 'a', abortOn), { outcome: 'unknown', words: /no Envoy of a is read/ });
});

t.test('the room of a Group is what the other IDCs accept', async (t) => {
  const home = { idc: 'a', room: [{ host: 'x', instances: 2, well: 2, slots: 20, takes: 20 }] };
  const other = (takes?: number) => ({
    idc: 'b',
    room: [{ host: 'x', instances: 1, well: 1, ...(takes === undefined ? {} : { slots: takes, takes }) }],
  });
  t.strictSame(judgeCapacity('a', ['x'], 100, [home, other(20)]), { short: [], unknown: [] });
  t.match(judgeCapacity('a', ['x'], 100, [home, other(19)]).short, [/up to 20 .* take 19/]);
  t.strictSame(judgeCapacity('a', ['x'], 95, [home, other(19)]).short, []);
  t.strictSame(judgeCapacity('a', ['x'], 100, [home, other(10), { ...other(10), idc: 'c' }]).short, []);
  for (const idcs of [[home], [home, other()], [other(20)]])
    t.strictSame(judgeCapacity('a', ['x'], 100, idcs), { short: [], unknown: ['x'] });
});

t.test('returning requests need instances with enough capacity', async (t) => {
  const none = { short: [], stayAway: 0 };
  const back = (percent: number, ...rooms: GroupCapacity[]) =>
    judgeReturn(
      'a',
      percent,
      rooms.map((room) => ({ idc: 'a', room: [room] })),
    );
  const left = (instances: number, well: number) => ({ host: 'x', instances, well });
  t.strictSame(back(0, left(0, 0)), { short: ['x (no instance)'], stayAway: 100 });
  t.strictSame(back(0, left(4, 1)), { short: ['x (1 of 4 instances are healthy)'], stayAway: 100 });
  t.strictSame(back(0, left(4, 2)), none, 'half are enough where nobody has said what they bear');
  t.match(back(0, left(4, 4), left(4, 1)).short, ['x (1 of 4 instances are healthy)']);
  const declared = (instances: number, well: number, more: Partial<GroupCapacity> = {}) => ({
    ...{ ...left(instances, well), slots: 10 * instances, bears: 10 * well },
    ...more,
  });
  t.strictSame(back(0, declared(4, 4)), none);
  const short = ['x (serves 30 of up to 40 requests at once)'];
  t.strictSame(back(0, declared(4, 3)), { short, stayAway: 25 });
  t.strictSame(back(25, declared(4, 3)), none, 'so much may come');
  t.strictSame(back(24, declared(4, 3)), { short, stayAway: 25 });
  const gone = declared(2, 2, { slotsBefore: 60 });
  t.strictSame(back(0, gone), { short: ['x (serves 20 of up to 60 requests at once)'], stayAway: 67 });
  t.strictSame(back(0, declared(2, 2)), none, 'the control: nobody noted what they were before');
  t.strictSame(back(0, declared(4, 3, { slotsBefore: 30 })), none, 'there are more now');
  t.strictSame(returnWords('a', 0, { short, stayAway: 25 }, false), [
    'a cannot take back the requests of x (serves 30 of up to 40 requests at once)',
    'nothing was done: start more instances there, return what fits with --percent 25, or continue all the same with --force',
  ]);
  t.match(returnWords('a', 0, { short, stayAway: 25 }, true), [/; continuing all the same$/]);
  t.strictSame(returnWords('a', 0, none, false), []);
});
