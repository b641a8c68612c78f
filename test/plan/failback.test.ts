import t from 'tap';
import { seededRandom } from '../../src/base/random.ts';
import {
  atHome,
  endEvacuation,
  type FailbackState,
  failbackLimits,
  type HealthObservation,
  holdMsAfter,
  localShareAt,
  mirrorPercentAt,
  resumeFailback,
  saveFailback,
  stepFailback,
} from '../../src/plan/failback.ts';

const times = { rampMs: 10_000, holdMs: 3_000 };
const everyMs = 250;
const seen = (now: number, passing: number, all = 4, good = passing): HealthObservation => ({
  now,
  registered: all,
  passing,
  good,
});

/** Sees `passing` of four from `from` on, for so long; the last state and when it was. */
function during(state: FailbackState, from: number, ms: number, passing: number): [FailbackState, number] {
  let [last, now] = [state, from];
  for (; now < from + ms; now += everyMs) last = stepFailback(last, seen(now, passing), times);
  return [last, now];
}

t.test('an outage, and the return', async (t) => {
  let [state, now] = during(atHome, 0, 1_000, 4);
  t.equal(localShareAt(state, now, times), undefined, 'all as ever');
  [state, now] = during(state, now, 750, 0);
  t.equal(state.at, 'home', 'a restart is no outage');
  [state, now] = during(state, now, 5_000, 0);
  t.equal(localShareAt(state, now, times), 1, 'held low before anybody is back');
  [state, now] = during(state, now, 2_000, 4);
  t.equal(localShareAt(state, now, times), 1, 'held on');
  [state, now] = during(state, now, 1_500, 4);
  t.equal(state.at, 'ramp');
  const shares: number[] = [];
  for (let i = 0; i < 40; i += 1) {
    [state, now] = during(state, now, everyMs, 4);
    shares.push(localShareAt(state, now, times) ?? 200);
  }
  t.strictSame(
    shares,
    [...shares].sort((a, b) => a - b),
    'it grows',
  );
  t.ok(
    shares.every((share, i) => share === 200 || share - (shares[i - 1] ?? share) <= 5),
    'a twentieth each half second',
  );
  t.equal(state.at, 'home');
});

t.test('one of four instances is held; two are enough', async (t) => {
  const [away] = during(atHome, 0, 3_000, 0);
  t.equal(during(away, 3_000, 60_000, 1)[0].at, 'away');
  t.equal(during(away, 3_000, 4_000, 2)[0].at, 'ramp');
});

t.test('a failure on the way goes back to 1, and doubles the hold', async (t) => {
  let [state, now] = during(atHome, 0, 3_000, 0);
  for (const failures of [0, 1, 2, 3, 4, 5, 6]) {
    const hold = 3_000 * Math.min(2 ** failures, 32);
    t.equal(holdMsAfter(times, failures), hold);
    [state, now] = during(state, now, hold - everyMs, 4);
    t.equal(state.at, 'away', `${failures} failures: held for ${hold}`);
    [state, now] = during(state, now, 3_000, 4);
    t.equal(state.at, 'ramp');
    [state, now] = during(state, now, everyMs, 0);
    t.equal(localShareAt(state, now, times), 1);
  }
});

t.test('an outage right after the ramp is a failure on the way; one long after is not', async (t) => {
  let [state, now] = during(atHome, 0, 3_000, 0);
  [state, now] = during(state, now, 14_000, 4);
  t.equal(state.at, 'home');
  const [soon] = during(state, now, 2_000, 0);
  t.match(soon, { at: 'away', failures: 1 });
  [state, now] = during(state, now, failbackLimits.forgivenAfterHolds * 3_000, 4);
  t.match(during(state, now, 2_000, 0)[0], { at: 'away', failures: 0 });
});

t.test('one check that fails does not end the ramp of many; nobody passing does', async (t) => {
  const ramp: FailbackState = { at: 'ramp', failures: 0, from: 0 };
  t.equal(stepFailback(ramp, { now: 500, registered: 2, passing: 1, good: 2 }, times).at, 'ramp');
  t.equal(stepFailback(ramp, { now: 500, registered: 2, passing: 0, good: 2 }, times).at, 'away');
  t.equal(stepFailback(ramp, { now: 500, registered: 4, passing: 1, good: 1 }, times).at, 'away');
});

t.test('a warm-up: reads are mirrored in steps, and then all come home at once', async (t) => {
  const warming = { ...times, warmup: 'mirror' } as const;
  let state: FailbackState = { at: 'away', failures: 0, good: 4, goodAt: 0 };
  state = stepFailback(state, seen(3_000, 4), warming);
  t.equal(state.at, 'warm');
  const steps = [3_000, 5_500, 8_000, 10_500, 12_999].map((now) => mirrorPercentAt(state, now, warming));
  t.strictSame(steps, [30, 55, 80, 100, 100]);
  t.equal(localShareAt(state, 12_999, warming), 1);
  t.match(stepFailback(state, seen(8_000, 0), warming), { at: 'away', failures: 1 });
  const saved = saveFailback(state, 8_000, warming);
  t.match(saved, { at: 'warm', rampedMs: 5_000, share: 1 });
  t.equal(mirrorPercentAt(resumeFailback(saved as NonNullable<typeof saved>, 50_000), 50_000, warming), 80);
  const there = stepFailback(state, seen(13_000, 4), warming);
  t.strictSame([there.at, mirrorPercentAt(there, 13_000, warming)], ['home', undefined]);
});

t.test(
  'an evacuation ends: home from the share that was kept, once its instances are seen to be good',
  async (t) => {
    const due = endEvacuation(atHome, 40);
    t.equal(localShareAt(due, 5_000, times), 40, 'what was there');
    const ramp = stepFailback(due, seen(5_000, 4), times);
    t.equal(ramp.at, 'ramp');
    t.equal(localShareAt(ramp, 5_000, times), 40);
    t.equal(localShareAt(ramp, 8_000, times), 70);
    t.equal(stepFailback(ramp, seen(11_000, 4), times).at, 'home', 'the rest of the ramp');
    t.match(stepFailback(due, seen(5_000, 1), times), { at: 'away', failures: 0 }, 'not to one of four');
    t.match(endEvacuation(ramp, 20), { at: 'due', share: 20 }, 'from what was there');
    const away: FailbackState = { at: 'away', failures: 2, good: 1 };
    t.equal(endEvacuation(away, 0), away, 'who is away is not hastened');
  },
);

t.test(
  'after an evacuation of all, reads are mirrored first; of a part, they have been served all the while',
  async (t) => {
    const warming = { ...times, warmup: 'mirror' } as const;
    t.match(stepFailback(endEvacuation(atHome, 0), seen(5, 4), warming), { at: 'warm', from: 5 });
    t.equal(stepFailback(endEvacuation(atHome, 30), seen(5, 4), warming).at, 'ramp');
  },
);

t.test(
  'while it is evacuated, the share is written down: it may end while no control plane runs',
  async (t) => {
    const saved = { at: 'due', failures: 0, rampedMs: 0, share: 10 } as const;
    t.strictSame(saveFailback(atHome, 0, times, 10), saved);
    t.strictSame(resumeFailback(saved, 77), { at: 'due', failures: 0, share: 10 });
    t.strictSame(saveFailback({ at: 'ramp', failures: 0, from: 0 }, 5_000, times, 10), saved);
    t.match(saveFailback({ at: 'ramp', failures: 0, from: 0 }, 500, times, 10), { at: 'ramp', share: 5 });
    t.match(saveFailback({ at: 'away', failures: 1, good: 0 }, 0, times, 10), { at: 'away', failures: 1 });
  },
);

t.test('a control plane that starts again goes on where the one before stopped', async (t) => {
  const ramp: FailbackState = { at: 'ramp', failures: 2, from: 1_000 };
  const saved = saveFailback(ramp, 6_000, times);
  t.strictSame(saved, { at: 'ramp', failures: 2, rampedMs: 5_000, share: 50 });
  const resumed = resumeFailback(saved as NonNullable<typeof saved>, 77_000);
  t.equal(localShareAt(resumed, 77_000, times), localShareAt(ramp, 6_000, times));
  t.equal(localShareAt(resumed, 78_000, times), localShareAt(ramp, 7_000, times));
  t.equal(saveFailback(atHome, 0, times), undefined);
  t.match(resumeFailback({ at: 'away', failures: 1, rampedMs: 0, share: 1 }, 5), { at: 'away', failures: 1 });
});

t.test('in random sequences the share never jumps, and a healthy IDC returns to 100 %', async (t) => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seededRandom(seed);
    let state: FailbackState = atHome;
    let now = 0;
    let share: number | undefined;
    let wasHeld = false;
    for (let episode = 0; episode < 20; episode += 1) {
      const [passing, lasts] = [Math.floor(random() * 5), random() * 20_000];
      for (const end = now + lasts; now < end; now += everyMs) {
        if (random() < 0.02) {
          const saved = saveFailback(state, now, times);
          if (saved !== undefined) state = resumeFailback(saved, now);
        }
        state = stepFailback(state, seen(now, passing), times);
        const next = localShareAt(state, now, times);
        if (wasHeld && next !== undefined && share !== undefined)
          if (next - share > 5) t.fail(`seed ${seed}: from ${share} to ${next}`);
        if (wasHeld && next === undefined && (share ?? 0) < 95) t.fail(`seed ${seed}: home from ${share}`);
        if (state.at === 'ramp' && passing < 2) t.fail(`seed ${seed}: ramps with ${passing}`);
        [share, wasHeld] = [next, next !== undefined];
      }
    }
    for (const end = now + holdMsAfter(times, 20) + times.rampMs + 1_000; now < end; now += everyMs)
      state = stepFailback(state, seen(now, 4), times);
    t.equal(state.at, 'home', `seed ${seed}`);
  }
});
