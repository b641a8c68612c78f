import t from 'tap';
import { Paces } from '../../../src/xds/admission/pace.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { limits, waitMs } from './pace-fixture.ts';

t.test('what nobody else needs is given back sooner', async (t) => {
  const time = manualClock();
  let idleMs = 0;
  const clock = { ...time, idle: () => idleMs };
  /** For how many milliseconds a connection waits that is 100 ms over; `each`: of them idle. */
  const waited = (idleOfEach: number, idleShare = 1) => {
    const pace = new Paces(clock, { ...limits, idleShare }).of({});
    pace.run(() => clock.pass(1_100));
    let over = true;
    for (let ms = 0; ms < 1_000; ms += 1) {
      if (over) {
        over = false;
        const wait = pace.mustWait(0, () => {
          over = true;
        });
        if (wait === undefined) return ms;
      }
      idleMs += idleOfEach;
      clock.pass(1);
    }
    return undefined;
  };
  t.equal(waited(0), 400, 'the loop is busy: its share alone');
  t.equal(waited(1), 80, 'the loop is idle: its share, and all of the time');
  t.equal(waited(0.25), 200);
  t.equal(waited(1, 0), 400, 'idle time counts like any other');
});

t.test('a connection that exceeds its share is refused on an idle machine too', async (t) => {
  const time = manualClock();
  const clock = { ...time, idle: () => time.now() };
  const pace = new Paces(clock, limits).of({});
  t.throws(
    () => {
      for (const end = clock.now() + 300_000; clock.now() < end; ) {
        pace.run(() => clock.pass(100));
        waitMs(clock, pace);
      }
    },
    { code: 'exhausted' },
  );
  t.ok(clock.now() < 90_000);
});

t.test('a rest ends once the event loop has had nothing to do', async (t) => {
  const time = manualClock();
  let idleMs = 0;
  const clock = { ...time, idle: () => idleMs };
  const paces = new Paces(clock, { ...limits, burstMs: 1e9, allBurstMs: 1e9, allShare: 1, loopMs: 5 });
  const [heavy, next] = [paces.of({}), paces.of({})];
  heavy.run(() => clock.leap(200));
  let turns = 0;
  const work = function* () {
    for (;;) {
      turns += 1;
      clock.leap(2);
      yield;
    }
  };
  const steps = work();
  const goOn = () => {
    next.slice(steps);
    next.nextSlice(goOn);
  };
  next.nextSlice(goOn);
  clock.pass(20);
  t.equal(turns, 0, 'others have work: 200 ms of rest after 200 ms');
  idleMs += 1;
  clock.pass(2);
  t.equal(turns, 3, 'nobody has: slices of 2 ms until the turn of the event loop is full');
});
