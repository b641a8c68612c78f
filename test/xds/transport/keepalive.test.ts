import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Session,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { type Connection, Keepalive, SessionKeepalive } from '../../../src/xds/transport/keepalive.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/mesh.ts';

const times = { quietMs: 5_000, answerMs: 8_000 };
const unused = { quietMs: 60_000, answerMs: 60_000 };

/** A connection that counts what is done to it. */
function counting(): Connection & { bytes: number; pings: number; drops: number } {
  const made = {
    bytes: 0,
    pings: 0,
    drops: 0,
    bytesRead: () => made.bytes,
    ping() {
      made.pings += 1;
    },
    drop() {
      made.drops += 1;
    },
  };
  return made;
}

t.test('a silent connection is pinged once, and dropped within 15 s', async (t) => {
  const clock = manualClock();
  const connection = counting();
  new Keepalive(clock, times).watch(connection);
  clock.pass(4_900);
  t.equal(connection.pings, 0, 'not asked yet');
  clock.pass(1_100);
  t.equal(connection.pings, 1, 'asked');
  clock.pass(6_900);
  t.same([connection.pings, connection.drops], [1, 0], 'asked once, and waited for');
  clock.pass(2_100);
  t.equal(connection.drops, 1, 'given up');
  clock.pass(60_000);
  t.same([connection.pings, connection.drops], [1, 1], 'for good');
});

t.test('any byte is a sign of life, even if the ping is not answered', async (t) => {
  const clock = manualClock();
  const connection = counting();
  new Keepalive(clock, times).watch(connection);
  for (let second = 0; second < 120; second += 6) {
    connection.bytes += 9;
    clock.pass(6_000);
  }
  t.equal(connection.drops, 0, 'kept');
  t.ok(connection.pings > 0, 'although it was quiet for long enough to be asked');
});

t.test('connections are not dropped for time in which this process was suspended', async (t) => {
  const clock = manualClock();
  const [answers, silent] = [counting(), counting()];
  const keepalive = new Keepalive(clock, times);
  for (const one of [answers, silent]) keepalive.watch(one);
  clock.pass(6_000);
  t.same([answers.pings, silent.pings], [1, 1]);
  // A machine that was suspended: timers run before anything is read.
  clock.stall(3_600_000);
  t.same([answers.drops, silent.drops], [0, 0]);
  answers.bytes += 17;
  clock.pass(9_000);
  t.same([answers.drops, silent.drops], [0, 1], 'who says nothing after it has as long as ever');
  t.equal(keepalive.dropped, 1);
});

t.test('an ended connection is not touched; the timer ends with the last one', async (t) => {
  const clock = manualClock();
  let looks = 0;
  const counted = {
    ...clock,
    after: (ms: number, fn: () => void) => {
      looks += 1;
      return clock.after(ms, fn);
    },
  };
  const keepalive = new Keepalive(counted, times);
  const connection = counting();
  keepalive.watch(connection);
  keepalive.forget(connection);
  clock.pass(30_000);
  t.same([connection.pings, connection.drops, looks], [0, 0, 1]);
});

t.test('an HTTP/2 connection whose other end goes silent is dropped, one that answers stays', async (t) => {
  const clock = manualClock();
  const keepalive = new SessionKeepalive(clock, { used: times, unused });
  const sessions: ServerHttp2Session[] = [];
  const server = createHttp2Server();
  server.on('session', (session) => {
    sessions.push(session);
    keepalive.began(session);
    keepalive.used(session);
  });
  const port = await listenOn(server);
  // What stands between: forwards until it is told to keep still, and closes nothing.
  const forwarded: Socket[] = [];
  const between = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    near.pipe(far);
    far.pipe(near);
    for (const one of [near, far]) one.on('error', () => {});
    forwarded.push(near, far);
  });
  const living = connectHttp2(`http://127.0.0.1:${port}`);
  await until('the first', () => sessions.length === 1);
  const silenced = connectHttp2(`http://127.0.0.1:${await listenOn(between)}`);
  silenced.on('error', () => {});
  await until('the second', () => sessions.length === 2);
  t.teardown(() => {
    for (const one of [living, silenced]) one.destroy();
    for (const one of forwarded) one.destroy();
    between.close();
    server.close();
  });

  await new Promise((resolve) => silenced.ping(resolve));
  for (const one of forwarded) one.unpipe().pause();
  for (let second = 0; second < 15; second++) {
    clock.pass(1_000);
    // Real bytes need real time.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await until('the drop', () => sessions[1]?.destroyed === true);
  t.notOk(sessions[0]?.destroyed, 'the one that answers');
});

t.test('a dropped client that still reads gets the reason', async (t) => {
  const clock = manualClock();
  const keepalive = new SessionKeepalive(clock, { used: times, unused });
  const server = createHttp2Server();
  let isThere = false;
  server.on('session', (session) => {
    isThere = true;
    keepalive.began(session);
    keepalive.used(session);
  });
  const peer = connect(await listenOn(server), '127.0.0.1');
  t.teardown(() => {
    peer.destroy();
    server.close();
  });
  let heard = '';
  peer
    .on('error', () => {})
    .on('data', (bytes) => {
      heard += bytes.toString('latin1');
    });
  // The preface and empty SETTINGS: an HTTP/2 client that then says nothing.
  peer.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  peer.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  await until('it is connected', () => isThere && heard !== '');
  for (let second = 0; second < 15; second++) {
    clock.pass(1_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await until('it is told', () => heard.includes('nothing was received from you for too long'));
});

async function listenOn(server: {
  listen(port: number, host: string, done: () => void): unknown;
  address(): unknown;
}) {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
