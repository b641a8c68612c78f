import t from 'tap';
import type { Clock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/log.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import type { PushCause } from '../../src/delivery/push-record.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';

/** A ledger whose time stands still until it is moved, over proxies of which `behind` have not ACKed. */
function story(uptimeMs = 1_000) {
  let time = uptimeMs;
  const timers: { at: number; fn: () => void }[] = [];
  const clock: Clock = {
    now: () => time,
    wall: () => 1e12 + time,
    after(delayMs, fn) {
      const timer = { at: time + delayMs, fn };
      timers.push(timer);
      return { cancel: () => void timers.splice(timers.indexOf(timer) >>> 0, 1) };
    },
  };
  const logged: string[] = [];
  const note = (message: string, fields: object = {}) =>
    void logged.push(`${message} ${JSON.stringify(fields)}`);
  const pushed: object[] = [];
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const behind = new Set<string>();
  const metrics = createMetrics('sh-a');
  const proxies = () => [...behind].map((node, id) => ({ id, node }));
  const ledger = new Ledger({
    clock,
    logger,
    events: { note: (event) => void pushed.push(event) },
    metrics,
    isAnswering: () => true,
    isConfirmed: () => behind.size === 0,
    unconfirmed: proxies,
  });
  return {
    ledger,
    logged,
    pushed,
    behind,
    text: () => metrics.registry.metrics(),
    pass(ms: number) {
      time += ms;
      for (const timer of timers.filter(({ at }) => at <= time)) {
        timers.splice(timers.indexOf(timer), 1);
        timer.fn();
      }
    },
    /** A push of one event that was read `agoMs` ago, to so many proxies. */
    push(subscriptions: Record<string, number>, agoMs = 0) {
      const push = ledger.begin('files', time - agoMs, 1, 'WorkloadEntry shop/cart-1');
      time += 2;
      push.addPart(7, subscriptions, 1);
      push.end();
      return push.cause;
    },
    ack(node: string, cause: PushCause, { type = 'EDS', sentMs = 3, ackMs = 4, superseded = false } = {}) {
      const sentAtMs = time + sentMs;
      time = sentAtMs + ackMs;
      const lists = superseded ? { causes: [], superseded: [cause] } : { causes: [cause], superseded: [] };
      ledger.acked({ node, type, sentAtMs, ackedAtMs: time, ...lists });
    },
  };
}

const line = (text: string, start: string) => text.split('\n').find((one) => one.startsWith(start));

t.test('times from the event to each node, and to the last one', async (t) => {
  const s = story();
  const cause = s.push({ EDS: 2 }, 40);
  s.ack('a', cause);
  s.ack('b', cause);
  t.equal(s.ledger.summary().count, 2);
  t.ok(Math.abs(s.ledger.summary().maxMs - 56) < 0.5, `${s.ledger.summary().maxMs}`);
  const text = await s.text();
  const labels = 'type="EDS",source="files",idc="sh-a"';
  t.match(line(text, `isthmus_event_to_ack_seconds_sum{${labels}}`), / 0\.105$/, '49 + 56 ms');
  t.match(line(text, `isthmus_event_to_last_ack_seconds_sum{${labels}}`), / 0\.056$/);
  t.match(line(text, `isthmus_event_to_last_ack_seconds_count{${labels}}`), / 1$/);
  for (const [stage, seconds] of Object.entries({ queue: 0.04, plan: 0.001, encode: 0.001 })) {
    const start = `isthmus_push_stage_seconds_sum{stage="${stage}",type="all"`;
    t.match(line(text, start), new RegExp(` ${seconds}$`), stage);
  }
  const start = (stage: string) => `isthmus_push_stage_seconds_sum{stage="${stage}",type="EDS"`;
  t.match(line(text, start('send')), / 0\.013$/, '3 + 10 ms');
  t.match(line(text, start('ack')), / 0\.008$/);
  t.match(text, /isthmus_event_to_ack_seconds_bucket\{type="EDS",source="files",le="0.05",idc="sh-a"\} 1\n/);
});

// Milliseconds: a second; where a float begins to lose what is less than a microsecond; ten years.
for (const uptimeMs of [1_000, 2 ** 34, 3_653 * 86_400_000])
  t.test(`pushes of one moment are told apart after ${uptimeMs} ms`, async (t) => {
    const s = story(uptimeMs);
    const causes = [1, 2, 3].map(() => {
      const push = s.ledger.begin('files', uptimeMs, 1, 'x');
      push.addPart(7, { EDS: 1 }, 1);
      push.end();
      return push.cause;
    });
    t.equal(new Set(causes).size, 3);
    t.same([...new Set(causes.map(({ at }) => at))], [uptimeMs], 'all of one time');
    s.behind.add('b');
    s.ack('a', causes[1] as PushCause);
    const closed = async () =>
      line(await s.text(), 'isthmus_event_to_last_ack_seconds_count{type="all",source="files"');
    t.match(await closed(), / 1$/, 'one of them has its last ACK, and the others wait');
    s.ack('a', causes[0] as PushCause);
    s.ack('a', causes[2] as PushCause);
    t.match(await closed(), / 3$/);
  });

t.test('a slow push is kept with what each stage took; a quick one is not', async (t) => {
  const s = story();
  s.ack('a', s.push({ EDS: 1 }));
  t.same(s.ledger.slowPushes(), []);
  s.ack('a', s.push({ CDS: 1 }, 100), { type: 'CDS', sentMs: 20, ackMs: 1_500 });
  t.match(s.ledger.slowPushes(), [
    {
      what: 'WorkloadEntry shop/cart-1',
      types: ['CDS'],
      queueMs: 100,
      planMs: 1,
      encodeMs: 1,
      sendMs: 20,
      ackMs: 1_500,
      totalMs: 1_622,
      lastNode: 'a',
      late: [],
    },
  ]);
  for (let i = 0; i < 100; i += 1) s.ack('a', s.push({ EDS: 1 }), { ackMs: 2_000 });
  t.equal(s.ledger.slowPushes().length, 32, 'the last of them');
});

t.test('a push is one event, when the last proxy has answered', async (t) => {
  const s = story();
  const cause = s.push({ EDS: 2, CDS: 1 });
  s.ack('a', cause);
  s.ack('b', cause);
  t.same(s.pushed, [], 'not for each proxy');
  s.ack('b', cause, { type: 'CDS' });
  const push = { source: 'files', what: 'WorkloadEntry shop/cart-1', events: 1, revision: 7 };
  t.match(s.pushed, [
    { kind: 'push', phase: 'acked', ...push, types: ['EDS', 'CDS'], subscriptions: 3, lastNode: 'b' },
  ]);
  s.behind.add('stuck');
  s.push({ EDS: 1 });
  for (let i = 0; i < 12; i += 1) s.pass(1_000);
  t.match(s.pushed[1], { kind: 'push', phase: 'late', ...push, late: ['stuck'] });
  t.equal(s.pushed.length, 2);
});

t.test(
  'a proxy that does not ACK in time is logged and counted, once; and told when it has caught up',
  async (t) => {
    const s = story();
    s.behind.add('stuck');
    for (let i = 0; i < 5; i += 1) s.ack('quick', s.push({ EDS: 2 }));
    for (let i = 0; i < 15; i += 1) s.pass(1_000);
    t.match(s.logged, [/a proxy has not ACKed a push.*"node":"stuck"/]);
    t.match(s.ledger.slowPushes()[0], { late: ['stuck'], lastNode: 'quick' });
    t.match(await s.text(), /isthmus_late_pushes_total\{source="files",idc="sh-a"\} 5\n/);
    t.match(await s.text(), /isthmus_late_proxies\{idc="sh-a"\} 1\n/);
    s.behind.clear();
    s.pass(1_000);
    t.match(s.logged.slice(1), [/caught up.*"node":"stuck"/]);
    t.match(await s.text(), /isthmus_late_proxies\{idc="sh-a"\} 0\n/);
  },
);

t.test('disconnected streams, and those with a newer state, are not waited for', async (t) => {
  const s = story();
  const cause = s.push({ EDS: 3 });
  s.ack('a', cause);
  s.ack('b', cause, { superseded: true });
  s.pass(1_500);
  t.match(line(await s.text(), 'isthmus_event_to_last_ack_seconds_count{type="EDS"'), / 1$/);
  s.pass(20_000);
  t.same(s.logged, [], 'nobody is late');
});

t.test('an ACK costs no more after many pushes', async (t) => {
  const s = story();
  s.behind.add('stuck');
  const run = () => {
    const start = process.cpuUsage();
    for (let i = 0; i < 20_000; i += 1) s.ack('a', s.push({ EDS: 2 }), { sentMs: 0, ackMs: 0 });
    const { user } = process.cpuUsage(start);
    return user;
  };
  run();
  const early = run();
  for (let i = 0; i < 3; i += 1) run();
  const late = run();
  t.ok(late < early * 5 + 50_000, `${early} → ${late} µs for 20,000 pushes and ACKs`);
  t.comment(`${late / 20_000} µs for a push and its ACK`);
});

t.test('an ACK that comes a day later counts, too', async (t) => {
  const told = story();
  const cause = told.push({ EDS: 1 });
  told.ack('late', cause, { ackMs: 86_400_000 });
  const { count, maxMs } = told.ledger.summary();
  t.equal(count, 1);
  // Three digits.
  t.ok(Math.abs(maxMs - 86_400_000) < 86_400);
});
