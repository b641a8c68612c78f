import t from 'tap';
import { createLeaseClock, leaseCheckMs } from '../../../src/registry/registrations/lease-clock.ts';
import { manualClock } from '../../support/manual-clock.ts';

function setup() {
  const clock = manualClock();
  const out: string[] = [];
  const leases = createLeaseClock(clock, { expired: (keys) => void out.push(...keys) });
  return { clock, leases, out };
}

t.test('a lease runs out once, after its time, unless it is renewed', async (t) => {
  const { clock, leases, out } = setup();
  leases.renew('a', 1_000);
  leases.renew('b', 1_000);
  clock.pass(900);
  leases.renew('b', 1_000);
  t.equal(leases.remainingMs('b'), 1_000);
  clock.pass(100 + leaseCheckMs);
  t.strictSame(out, ['a']);
  t.equal(leases.remainingMs('a'), undefined);
  clock.pass(1_000);
  t.strictSame(out, ['a', 'b']);
  clock.pass(10_000);
  t.strictSame(out, ['a', 'b']);
});

t.test('time in which this process was suspended does not count', async (t) => {
  const { clock, leases, out } = setup();
  for (const key of ['a', 'b', 'c']) leases.renew(key, 2_000);
  clock.pass(500);
  clock.stall(60_000);
  t.strictSame(out, [], 'a minute of sleep takes nobody out');
  clock.pass(1_000);
  leases.renew('a', 2_000);
  clock.pass(1_000);
  t.strictSame(out, ['b', 'c'], 'who is silent afterwards goes');
});

t.test('a dropped or closed lease does not expire', async (t) => {
  const { clock, leases, out } = setup();
  leases.renew('a', 1_000);
  leases.drop('a');
  clock.pass(5_000);
  leases.renew('b', 1_000);
  leases.close();
  clock.pass(5_000);
  t.strictSame(out, []);
});
