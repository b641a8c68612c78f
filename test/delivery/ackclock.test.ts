import t from 'tap';
import { AckClock } from '../../src/delivery/ackclock.ts';

t.test('counts from the event, not from the sending', async (t) => {
  const seen: [string, number][] = [];
  const clock = new AckClock((_, stage, ms) => seen.push([stage, ms]));
  clock.acked({ node: 'a', kind: 'EDS', eventsAt: [100, 130], sentAt: 140, ackedAt: 150 });
  t.strictSame(seen, [
    ['queue', 40],
    ['ack', 10],
    ['total', 50],
    ['queue', 10],
    ['ack', 10],
    ['total', 20],
  ]);
  t.equal(clock.summary().count, 2);
  t.ok(Math.abs(clock.summary().maxMs - 50) < 0.5);
});

t.test('a response without events does not count', async (t) => {
  const clock = new AckClock();
  clock.acked({ node: 'a', kind: 'CDS', eventsAt: [], sentAt: 1, ackedAt: 2 });
  t.strictSame(clock.summary(), { count: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0, maxMs: 0 });
});
