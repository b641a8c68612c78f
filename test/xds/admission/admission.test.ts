import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { Socket } from 'node:net';
import { type StatusObject, status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/error.ts';
import { Admission } from '../../../src/xds/admission/admission.ts';
import {
  type AdmissionLimits,
  admissionLimits,
  type TurnedAway,
} from '../../../src/xds/admission/admission-limits.ts';
import { listen, type Stream } from '../../../src/xds/transport/grpc-server.ts';
import { framed, methods, openHttp2, type RawCall } from '../../support/attacks/call.ts';
import { pause } from '../../support/attacks/ends.ts';
import { connectRaw, frameTypes } from '../../support/attacks/raw.ts';
import { connectXds } from '../../support/clients/xds-client.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/mesh.ts';

/** A server with these limits, on which every client is known at once. */
async function start(t: Test, admission: Partial<AdmissionLimits>) {
  const away: TurnedAway[] = [];
  let taken = 0;
  const open = (stream: Stream) => ({
    receive() {
      taken += 1;
      stream.known();
    },
    closed() {},
  });
  const server = await listen(
    '127.0.0.1:0',
    undefined,
    systemClock,
    new Map([
      [methods.delta, open],
      [methods.sotw, open],
    ]),
    { limits: { admission }, turnedAway: (one) => away.push(one) },
  );
  t.teardown(() => server.close(100));
  const at = { address: '127.0.0.1', port: server.port };
  return { server, away, at, taken: () => taken, levels: () => server.levels() };
}

/** A call that has been served. */
async function served(call: RawCall, taken: () => number): Promise<RawCall> {
  const before = taken();
  await call.send(Buffer.from('hello'));
  await until('it is served', async () => taken() > before);
  return call;
}

t.test('total connections: one address cannot keep out another', async (t) => {
  const { at, away, levels, taken } = await start(t, { connectionsMax: 6 });
  const idle = await Promise.all(Array.from({ length: 5 }, () => connectRaw(at)));
  const works = openHttp2(at);
  const call = await served(works.call(methods.delta), taken);
  await until('all are in', async () => levels().connections === 6);
  const more = await connectRaw(at);
  t.match(await more.ended, /GOAWAY 11: all connections are in use, and no address has more/);
  const other = openHttp2(at, '127.0.0.2');
  await served(other.call(methods.delta), taken);
  t.match(await idle[4]?.ended, /GOAWAY 11: all connections are in use, and this address has most of them/);
  t.notOk(call.hasEnded(), 'who works stays');
  t.equal(levels().connections, 6);
  t.same(
    away.map(({ limit, error }) => [limit, error.code]),
    [
      ['connections', 'exhausted'],
      ['connections', 'exhausted'],
    ],
  );
  t.equal(levels().turnedAway.connections, 2);
  for (const raw of idle) raw.socket.destroy();
  works.close();
  other.close();
});

t.test('connections per second: all are accepted, the addresses in turn', async (t) => {
  const { at, levels, taken } = await start(t, { connectionBurst: 10, connectionsPerSecond: 10 });
  const crowd = await Promise.all(Array.from({ length: 100 }, () => connectRaw(at)));
  await until('they wait', async () => levels().waiting > 50);
  const begin = performance.now();
  const other = openHttp2(at, '127.0.0.2');
  await served(other.call(methods.delta), taken);
  const tookMs = performance.now() - begin;
  t.ok(levels().waiting > 20, `${levels().waiting} of the crowd still wait after ${tookMs} ms`);
  other.close();
  for (const raw of crowd) raw.socket.destroy();
  await until('nobody waits', async () => levels().waiting === 0);
});

t.test('a connection that does not finish its handshake is closed, one that has is not', async (t) => {
  const { at, away, levels } = await start(t, { helloMsMax: 1_000 });
  const silent = await connectRaw(at, false);
  const greeted = await connectRaw(at);
  t.match(await silent.ended, /GOAWAY 11: no handshake within 1000 ms/);
  t.match(away, [{ limit: 'hello', error: { code: 'late' } }]);
  t.equal(levels().connections, 1);
  greeted.socket.destroy();
});

t.test(
  'of connections without a stream some may stay; those go first that have had none for longest',
  async (t) => {
    const { at, levels, taken } = await start(t, { streamlessMax: 2, streamlessMsMax: 500 });
    const first = await connectRaw(at);
    await until('it is in', async () => levels().streamless === 1);
    const works = openHttp2(at);
    const call = await served(works.call(methods.delta), taken);
    const others = [await connectRaw(at), await connectRaw(at)];
    t.match(await first.ended, /GOAWAY 11: no stream, and more than 2 connections without one/);
    t.equal(levels().streamless, 2);
    t.notOk(call.hasEnded());
    for (const raw of others) raw.socket.destroy();
    works.close();
  },
);

t.test('a connection without a stream is ended after a time, one with a stream stays', async (t) => {
  const { at, away, levels, taken } = await start(t, { unusedMsMax: 1_500 });
  const works = openHttp2(at);
  const call = await served(works.call(methods.delta), taken);
  const idle = await connectRaw(at);
  await until('it is in', async () => levels().streamless === 1);
  const since = performance.now();
  t.match(await idle.ended, /GOAWAY 0/);
  t.ok(performance.now() - since > 1_000, 'not at once');
  await until('its place is free', async () => levels().streamless === 0);
  t.notOk(call.hasEnded());
  t.same(away, [], 'nobody is turned away by that');
  works.close();
});

t.test('total streams: refused with a reason, and one address cannot keep out another', async (t) => {
  const { at, away, levels, taken } = await start(t, { streamsMax: 4 });
  const works = openHttp2(at);
  const call = await served(works.call(methods.delta), taken);
  const idle = [1, 2, 3].map(() => works.call(methods.delta));
  await until('all are taken', async () => levels().streams === 4);
  // What a gRPC client is told.
  const grpc = connectXds(`127.0.0.1:${at.port}`, 'delta', { id: 'n' });
  grpc.send('CDS');
  const end: StatusObject = await grpc.ended;
  t.equal(end.code, status.RESOURCE_EXHAUSTED);
  t.equal(end.details, 'all 4 streams are in use, and no address has more of them than this one');
  grpc.close();
  const other = openHttp2(at, '127.0.0.2');
  await served(other.call(methods.delta), taken);
  t.match(await idle[2]?.ended, /status 8: all 4 streams are in use, and they are in use by this address/);
  t.notOk(call.hasEnded(), 'who is known stays');
  t.same(
    away.map(({ limit }) => limit),
    ['streams', 'streams'],
  );
  works.close();
  other.close();
  await until('places are free again', async () => levels().streams === 0);
});

t.test('streams at once on a connection are limited by HTTP/2 itself', async (t) => {
  const { at } = await start(t, { connectionStreamsMax: 3 });
  const session = connectHttp2(`http://127.0.0.1:${at.port}`);
  const [settings] = await once(session, 'remoteSettings');
  t.equal(settings.maxConcurrentStreams, 3);
  session.destroy();
});

t.test(
  'a client that opens streams without end gets ENHANCE_YOUR_CALM, and its connection ends',
  async (t) => {
    for (const [name, path, ends] of [
      ['that are reset', methods.delta, false],
      ['of no method', '/no/method', true],
    ] as [string, string, boolean][]) {
      const { at, away } = await start(t, { openingBurst: 50, openingsPerSecond: 1 });
      const raw = await connectRaw(at);
      for (let stream = 1; stream < 400; stream += 2) {
        raw.open(stream, path, ends);
        if (!ends) raw.frame(frameTypes.reset, 0, stream, Buffer.from([0, 0, 0, 8]));
      }
      t.match(await raw.ended, /GOAWAY 11: streams are opened faster than 1 a second/, name);
      t.equal(away.length, 1, `${name}: told once`);
    }
  },
);

t.test(
  'a client that floods with control frames gets ENHANCE_YOUR_CALM; one with long messages does not',
  async (t) => {
    const { at, taken } = await start(t, { overheadPerSecond: 10_000 });
    const pings = await connectRaw(at);
    const long = openHttp2(at);
    const call = await served(long.call(methods.delta), taken);
    const ping = Buffer.concat([Buffer.from([0, 0, 8, frameTypes.ping, 0, 0, 0, 0, 0]), Buffer.alloc(8)]);
    const flood = setInterval(() => pings.socket.write(Buffer.concat(Array<Buffer>(1_000).fill(ping))), 20);
    const message = Buffer.alloc(4 * 2 ** 20);
    for (let i = 0; i < 10; i++) await call.send(message);
    t.match(await pings.ended, /GOAWAY 11: more than 10000 bytes a second that are no messages/);
    clearInterval(flood);
    await until('all were taken', async () => taken() === 11);
    t.notOk(call.hasEnded());
    long.close();
  },
);

t.test(
  'who sends messages in short pieces without an end is told so; whose messages have two pieces is not',
  async (t) => {
    const piece = Buffer.from([0, 0, 1, frameTypes.data, 0, 0, 0, 0, 1, 0x7a]);
    const pieces = (count: number) => Buffer.concat(Array<Buffer>(count).fill(piece));
    const { at, away, taken, levels } = await start(t, { pieceBurst: 100, piecesPerSecond: 200 });
    const raw = await connectRaw(at);
    raw.open(1, methods.delta);
    raw.frame(frameTypes.data, 0, 1, Buffer.from([0, 0, 1, 0, 0]));
    await raw.write(pieces(50));
    const whole = openHttp2(at);
    const call = await served(whole.call(methods.delta), taken);
    for (let i = 0; i < 150; i += 1) {
      await call.bytes(Buffer.from([0, 0, 0, 0, 2]));
      await call.bytes(Buffer.from('ab'));
      if (i % 10 === 9) await pause(60);
    }
    await until('each was taken', async () => taken() === 151);
    t.same(away, []);
    await raw.write(pieces(2_000));
    t.match(
      await raw.ended,
      /GOAWAY 11: messages came in short pieces, more than 200 a second: write a message as a whole/,
    );
    t.same([away.map(({ limit }) => limit), levels().turnedAway.pieces], [['pieces'], 1]);
    t.notOk(call.hasEnded());
    whole.close();
    const open = await start(t, { pieceBurst: 1e9, overheadPerSecond: 1e9 });
    const control = await connectRaw(open.at);
    control.open(1, methods.delta);
    control.frame(frameTypes.data, 0, 1, Buffer.from([0, 0, 1, 0, 0]));
    await control.write(pieces(5_000));
    await pause(500);
    t.equal(control.answer(), undefined, 'without the limit it goes on');
    control.socket.destroy();
  },
);

t.test(
  'connections that come at once are let in a few at a time, and leave half of the processor',
  async (t) => {
    const clock = manualClock();
    let letIn = 0;
    const admission = new Admission({
      ...{ clock, isPlain: true, limits: admissionLimits, turnedAway() {} },
      inject() {
        // As much again is taken by what follows.
        clock.leap(0.5);
        letIn += 1;
      },
    });
    for (let i = 0; i < 200; i += 1) admission.connected(new Socket());
    t.ok(letIn > 0 && letIn < 5, `${letIn} at once`);
    for (let i = 0; i < 100; i += 1) clock.pass(1);
    t.ok(letIn >= 40 && letIn <= 60, `${letIn} in ${clock.now()} ms`);
    for (let i = 0; i < 400; i += 1) clock.pass(1);
    t.equal(letIn, 200);
  },
);

t.test('an answered call is over, though its client keeps sending', async (t) => {
  const { at, levels } = await start(t, {});
  const client = openHttp2(at);
  const call = client.call('/no/method');
  await call.bytes(framed(Buffer.from('goes on')));
  t.match(await call.ended, /status 12/);
  await until('it is gone', async () => levels().streams === 0);
  client.close();
});

t.test('a status follows everything sent before it, though the client keeps sending', async (t) => {
  const streams: Stream[] = [];
  const open = (stream: Stream) => ({
    receive() {
      streams.push(stream);
      stream.write(Buffer.alloc(100_000));
      stream.refuse(new MeshError('invalid', 'no more'));
    },
    closed() {},
  });
  const server = await listen('127.0.0.1:0', undefined, systemClock, new Map([[methods.delta, open]]));
  t.teardown(() => server.close(100));
  for (let i = 0; i < 20; i++) {
    const client = openHttp2({ address: '127.0.0.1', port: server.port });
    const call = client.call(methods.delta);
    await call.send(Buffer.from('hello'));
    t.equal(await call.ended, 'status 3: no more');
    client.close();
  }
});
