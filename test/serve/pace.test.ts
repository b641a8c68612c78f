import {
  Client,
  credentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { MeshError } from '../../src/base/error.ts';
import { Paces } from '../../src/serve/pace.ts';
import { listen } from '../../src/serve/server.ts';
import { manualClock } from '../support/manual-clock.ts';

const limits = { burstMs: 1_000, share: 0.25, overMsMax: 60_000 };

t.test('a connection may take a burst, then its share', async (t) => {
  const clock = manualClock();
  const pace = new Paces(clock, limits).of({});
  const work = (ms: number) => pace.run(() => clock.pass(ms));
  work(900);
  t.equal(pace.waitMs(), 0);
  work(200);
  // 1,100 ms, of which none was given back while it worked.
  t.equal(pace.waitMs(), 400);
  clock.pass(400);
  t.equal(pace.waitMs(), 0);
  // What it did not use adds up to the burst and no further.
  clock.pass(1_000_000);
  work(1_001);
  t.equal(pace.waitMs(), 4);
});

t.test('a connection that never ends asking for more is refused; one that does is not', async (t) => {
  const clock = manualClock();
  const paces = new Paces(clock, limits);
  const ask = (pace: ReturnType<Paces['of']>, pauseMs: number) => {
    for (const end = clock.now() + 300_000; clock.now() < end; ) {
      pace.run(() => clock.pass(100));
      clock.pass(pace.waitMs() + pauseMs);
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
      clock.pass(other.waitMs());
    }
    clock.pass(20_000);
  }
  t.ok(paces.waits > 20);
});

t.test('time is counted though the work fails', async (t) => {
  const clock = manualClock();
  const pace = new Paces(clock, limits).of({});
  t.throws(() =>
    pace.run(() => {
      clock.pass(2_000);
      throw new MeshError('invalid', 'no');
    }),
  );
  t.equal(pace.waitMs(), 4_000);
});

const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';

/** A server on which each message takes 200 ms, the messages that it took of each client, and 40 messages from one. */
async function sendMany(t: Test, interceptors: ServerInterceptor[] = []) {
  const clock = manualClock();
  const taken: string[] = [];
  const open = () => ({
    receive(bytes: Buffer) {
      taken.push(bytes.toString().slice(0, 5));
      if (bytes[0] === 'g'.charCodeAt(0)) clock.pass(200);
    },
    closed: () => {},
  });
  const server = await listen('127.0.0.1:0', undefined, clock, new Map([[path, open]]), interceptors);
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

const hidden: ServerInterceptor = (_, call) => new ServerInterceptingCall(call);

for (const [name, interceptors] of [
  ['read here', []],
  ['through grpc-js alone', [hidden]],
] as [string, ServerInterceptor[]][])
  t.test(`dear requests wait, others do not, and none is lost: ${name}`, async (t) => {
    const { clock, call, greedy, until } = await sendMany(t, interceptors);
    // The burst of 2,000 ms is used up by the tenth; the eleventh is over it.
    await until('greed', 11);
    const modest = call('modest');
    for (let i = 0; i < 40; i++) modest.write('modes');
    await until('modes', 40);
    // At a quarter of the time, 200 ms take 800.
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

t.test('a client that goes on for a minute is refused in words', async (t) => {
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
