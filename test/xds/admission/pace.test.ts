import { Client, credentials, type StatusObject, status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { MeshError } from '../../../src/base/error.ts';
import { type Pace, Paces } from '../../../src/xds/admission/pace.ts';
import { listen } from '../../../src/xds/transport/grpc-server.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { limits, waitMs } from './pace-fixture.ts';

t.test('a connection may take a burst, then its share', async (t) => {
  const clock = manualClock();
  const pace = new Paces(clock, limits).of({});
  const work = (ms: number) => pace.run(() => clock.pass(ms));
  work(900);
  t.equal(waitMs(clock, pace), 0);
  work(200);
  // 1,100 ms, of which none was given back while it worked.
  t.equal(waitMs(clock, pace), 400);
  t.equal(waitMs(clock, pace), 0);
  // What it did not use adds up to the burst and no further.
  clock.pass(1_000_000);
  work(1_001);
  t.equal(waitMs(clock, pace), 4);
  // What is done for it elsewhere counts as well.
  pace.charge(100);
  t.equal(waitMs(clock, pace), 400);
});

t.test('a connection that never stops exceeding its share is refused; one that stops is not', async (t) => {
  const clock = manualClock();
  const paces = new Paces(clock, limits);
  const ask = (pace: Pace, pauseMs: number) => {
    for (const end = clock.now() + 300_000; clock.now() < end; ) {
      pace.run(() => clock.pass(100));
      waitMs(clock, pace);
      clock.pass(pauseMs);
    }
  };
  t.throws(() => ask(paces.of({}), 0), {
    code: 'exhausted',
    message: /more than 25 % of a processor for 60 s/,
  });
  t.ok(clock.now() < 75_000);
  // A burst each 20 s is not that.
  const other = paces.of({});
  for (let i = 0; i < 20; i++) {
    for (let n = 0; n < 15; n++) {
      other.run(() => clock.pass(100));
      waitMs(clock, other);
    }
    clock.pass(20_000);
  }
  t.ok(paces.waits > 20);
});

t.test('time counts even if the work fails', async (t) => {
  const clock = manualClock();
  const pace = new Paces(clock, limits).of({});
  t.throws(() =>
    pace.run(() => {
      clock.pass(2_000);
      throw new MeshError('invalid', 'no');
    }),
  );
  t.equal(waitMs(clock, pace), 4_000);
});

t.test(
  'many dear connections share what all may take, in turns, and those who ask for little go before',
  async (t) => {
    const clock = manualClock();
    const paces = new Paces(clock, { ...limits, burstMs: 1e9, allBurstMs: 500, allShare: 0.5 });
    const done: string[] = [];
    /** Asks for messages of 20 ms without an end, as its turns come. */
    const ask = (name: string) => {
      const pace = paces.of({ name });
      const next = () => {
        while (pace.mustWait(10, next) === undefined) {
          pace.run(() => clock.stall(20));
          done.push(name);
          if (done.length > 100_000) throw new Error('nobody waits');
        }
      };
      next();
    };
    const names = Array.from({ length: 20 }, (_, i) => `greedy ${i}`);
    // Each begins by itself, and is stopped once the burst of all is used up.
    for (const name of names) ask(name);
    t.ok(done.length <= 90, `${done.length} messages before all wait`);
    done.length = 0;
    const modest = paces.of({ name: 'modest' });
    let kept = 0;
    const begin = clock.now();
    while (clock.now() - begin < 20_000) {
      clock.pass(10);
      if (modest.mustWait(10, () => {}) !== undefined) kept += 1;
      else modest.run(() => clock.stall(0.05));
    }
    t.equal(kept, 0, 'who asks for little never waits');
    const used = (20 * done.length) / (clock.now() - begin);
    t.ok(used > 0.3 && used < 0.55, `the greedy had ${used.toFixed(2)} of a processor`);
    const counts = names.map((name) => done.filter((one) => one === name).length);
    t.ok(Math.max(...counts) - Math.min(...counts) <= 4, `turns: ${counts.join(' ')}`);
    // A long message is none of little, whoever sends it.
    t.not(
      paces.of({ name: 'new' }).mustWait(1_001, () => {}),
      undefined,
    );
  },
);

t.test('a waiting client gets its turn, though others keep using up the budget', async (t) => {
  const clock = manualClock();
  const paces = new Paces(clock, { ...limits, burstMs: 1e9, allBurstMs: 10, allShare: 0.5 });
  paces.of({}).run(() => clock.stall(10_000));
  let turns = 0;
  const dear = paces.of({ name: 'dear' });
  const ask = () => {
    if (dear.mustWait(1_001, ask) !== undefined) return;
    dear.run(() => {});
    turns += 1;
    ask();
  };
  ask();
  t.equal(turns, 0);
  // A crowd of which each asks for little, and together for more than there is.
  for (let i = 0; i < 100; i++) {
    paces.of({ i }).run(() => clock.stall(4));
    clock.pass(6);
  }
  t.ok(turns >= 3 && turns <= 4, `${turns} turns in a second`);
});

t.test(
  'in one turn of the event loop the dear have some milliseconds, and go on in the next ones',
  async (t) => {
    const clock = manualClock();
    const paces = new Paces(clock, { ...limits, burstMs: 1e9, loopMs: 5 });
    let done = 0;
    for (let i = 0; i < 10; i++) {
      const pace = paces.of({ i });
      const ask = () => {
        if (pace.mustWait(1_001, ask) !== undefined) return;
        pace.run(() => {
          clock.leap(4);
        });
        done += 1;
      };
      ask();
    }
    t.equal(done, 2, 'the others wait, though all together may take more');
    t.equal(paces.waiting, 8);
    const little = paces.of({});
    t.equal(
      little.mustWait(10, () => {}),
      undefined,
      'who asks for little does not',
    );
    let turns = 0;
    for (let before = done; done < 10 && turns < 100; before = done, turns++) {
      clock.pass(1);
      t.ok(done - before <= 2, `${done - before} in a turn`);
    }
    t.ok(turns >= 4 && turns < 60, `${turns} turns`);
  },
);

t.test('after a message of any length, others get as much time', async (t) => {
  const clock = manualClock();
  const paces = new Paces(clock, { ...limits, burstMs: 1e9, allBurstMs: 10, allShare: 0.5 });
  paces.of({}).run(() => clock.stall(10_000));
  const turns: number[] = [];
  for (const name of ['one', 'two', 'three']) {
    const pace = paces.of({ name });
    const ask = () => {
      if (pace.mustWait(1_001, ask) !== undefined) return;
      pace.run(() => clock.stall(1_000));
      turns.push(clock.now());
      ask();
    };
    ask();
  }
  for (let i = 0; i < 10_000 && turns.length < 5; i++) clock.pass(10);
  const gaps = turns.slice(1).map((at, i) => at - (turns[i] ?? 0));
  t.ok(turns.length === 5 && Math.min(...gaps) >= 2_000, `${gaps}`);
});

t.test('expensive requests leave others as much time as they took, even within the budget', async (t) => {
  const clock = manualClock();
  const paces = new Paces(clock, { ...limits, burstMs: 1e9, loopMs: 5 });
  const begun: number[] = [];
  for (const name of ['one', 'two', 'three']) {
    const pace = paces.of({ name });
    const ask = () => {
      if (pace.mustWait(1_001, ask) !== undefined) return;
      begun.push(clock.now());
      pace.run(() => clock.leap(40));
      ask();
    };
    ask();
  }
  for (let i = 0; i < 400; i++) clock.pass(1);
  const gaps = begun.slice(1).map((at, i) => at - (begun[i] ?? 0));
  t.ok(gaps.length >= 5 && Math.min(...gaps) >= 80, `40 ms each ${gaps} ms`);
  t.equal(
    paces.of({}).mustWait(10, () => {}),
    undefined,
    'who asks for little does not wait',
  );
});

t.test('a client that no longer waits is skipped', async (t) => {
  const clock = manualClock();
  const paces = new Paces(clock, { ...limits, burstMs: 1e9, allBurstMs: 10, allShare: 0.5 });
  paces.of({}).run(() => clock.stall(200));
  const called: number[] = [];
  const waits = [1, 2, 3].map((n) => paces.of({}).mustWait(1_001, () => called.push(n)));
  t.equal(paces.waiting, 3);
  waits[1]?.cancel();
  clock.pass(1_000);
  t.same(called, [1, 3]);
  t.equal(paces.waiting, 0);
});

const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';

/**
 * A server on which each message takes 199 ms, the messages that it took of each client, and 40 messages from
 * one.
 */
async function sendMany(t: Test) {
  const clock = manualClock();
  const taken: string[] = [];
  const open = () => ({
    receive(bytes: Buffer) {
      taken.push(bytes.toString().slice(0, 5));
      if (bytes[0] === 'g'.charCodeAt(0)) clock.pass(199);
    },
    closed: () => {},
  });
  const server = await listen('127.0.0.1:0', undefined, clock, new Map([[path, open]]), {
    limits: { pace: { allBurstMs: 1e9, loopMs: 1e9 } },
  });
  const clients: Client[] = [];
  t.teardown(async () => {
    for (const client of clients) client.close();
    const closed = server.close(100);
    clock.pass(100);
    await closed;
  });
  const call = (name: string) => {
    // A connection of its own.
    const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure(), { name });
    clients.push(client);
    const same = (bytes: Buffer) => bytes;
    const made = client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same);
    const ended = new Promise<StatusObject>((resolve) => made.once('status', resolve).resume());
    made.on('error', () => {});
    return { write: (text: string) => made.write(Buffer.from(text)), ended };
  };
  const greedy = call('greedy');
  for (let i = 0; i < 40; i++) greedy.write(`greed${'y'.repeat(i)}`);
  const count = (who: string) => taken.filter((one) => one === who).length;
  const until = async (who: string, n: number) => {
    for (let i = 0; count(who) < n && i < 2_000; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    // More than is awaited would have come with it, or soon.
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.equal(count(who), n);
  };
  return { clock, call, greedy, until };
}

t.test('expensive requests wait, others do not, and none is lost', async (t) => {
  const { clock, call, greedy, until } = await sendMany(t);
  // The burst of 2,000 ms is used up by the tenth; the eleventh is over it.
  await until('greed', 11);
  const modest = call('modest');
  for (let i = 0; i < 40; i++) modest.write('modes');
  await until('modes', 40);
  // At a quarter of the time, 199 ms take less than 800.
  clock.pass(800);
  await until('greed', 12);
  for (let n = 13; n <= 40; n++) {
    clock.pass(800);
    await until('greed', n);
  }
  clock.pass(800);
  greedy.write('greed');
  await until('greed', 41);
});

t.test('a client over its share for a minute is refused with a reason', async (t) => {
  const { clock, greedy } = await sendMany(t);
  const writing = setInterval(() => {
    greedy.write('greed');
    clock.pass(800);
  }, 5);
  const { code, details } = await greedy.ended;
  clearInterval(writing);
  t.equal(code, status.RESOURCE_EXHAUSTED);
  t.match(details, /took more than 25 % of a processor for 60 s: send fewer, or smaller ones/);
});

t.test('work is suspended after a slice, and continues in its turn', async (t) => {
  const clock = manualClock();
  const paces = new Paces(clock, { ...limits, allBurstMs: 0, allShare: 0.5 });
  const [pace, other] = [paces.of({}), paces.of({})];
  function* work(ms: number, log: string[], name: string) {
    for (let i = 0; i < ms; i += 1) {
      clock.leap(1);
      log.push(name);
      yield;
    }
  }
  const log: string[] = [];
  const goOn = (one: Pace, some: ReturnType<typeof work>) => {
    if (!one.slice(some)) one.nextSlice(() => goOn(one, some));
  };
  goOn(pace, work(100, log, 'a'));
  t.equal(log.length, 2);
  goOn(other, work(100, log, 'b'));
  for (let i = 0; i < 50; i += 1) clock.pass(1);
  t.match(log.join(''), /^(aabb)+/, 'by turns');
  // Half of the processor is left to others, though nothing of the burst is.
  t.ok(log.length > 15 && log.length < 60, `${log.length} ms in ${clock.now()}`);
  for (let i = 0; i < 1_000; i += 1) clock.pass(1);
  t.equal(log.length, 200);
});

t.test('while they are held, who asks for much waits, and who asks for little does not', async (t) => {
  const clock = manualClock();
  const paces = new Paces(clock, limits);
  const [greedy, modest] = [paces.of({}), paces.of({})];
  const went: string[] = [];
  paces.hold(true);
  t.equal(
    modest.mustWait(500, () => {}),
    undefined,
  );
  t.ok(
    modest.mustWait(2_000, () => went.push('a large message')),
    'a large message',
  );
  greedy.nextSlice(() => went.push('a slice'));
  clock.pass(10_000);
  t.strictSame(went, []);
  paces.hold(false);
  clock.pass(1_000);
  t.strictSame(went, ['a large message', 'a slice']);
});

t.test('short messages that come at once are read in several turns of the event loop', async (t) => {
  const clock = manualClock();
  const paces = new Paces(clock, { ...limits, loopMs: 5 });
  const [first, second] = [paces.of({}), paces.of({})];
  /** Messages of 0.125 ms that are read before the connection has to wait for the next turn. */
  const read = (pace: Pace) => {
    for (let count = 0; ; count += 1) {
      const wait = pace.mustWait(100, () => {});
      if (wait !== undefined) {
        wait.cancel();
        return count;
      }
      pace.run(() => clock.leap(0.125));
    }
  };
  t.equal(read(first), 40);
  t.equal(read(first), 0, 'in this turn');
  t.equal(read(second), 2, 'who has had nothing of it is heard');
  clock.pass(1);
  t.equal(read(first), 40);
});
