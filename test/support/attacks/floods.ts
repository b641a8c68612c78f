import { gzipSync } from 'node:zlib';
import { endpointType, pushOrder } from '../../../src/xds/resource-types.ts';
import { field } from '../../../src/xds/wire/varint.ts';
import { type Attack, stillOpen, type Target } from './attack.ts';
import {
  deltaRequest,
  framed,
  methods,
  namesOf,
  nodeOf,
  openHttp2,
  type RawCall,
  type RawHttp2,
  readResponse,
  sotwRequest,
} from './call.ts';
import { endOf, floodEnds, pause, served, told, tooMuch, tooMuchOrWrong } from './ends.ts';
import { floodAgain, openStreams, writeAgain } from './flood.ts';
import { connectRaw, frameTypes, type RawConnection } from './raw.ts';

/** Does something with connections, again and again; what they ended with. */
async function withConnections(
  count: number,
  { at, signal }: Target,
  use: (connection: RawHttp2, i: number) => Promise<RawCall | undefined>,
): Promise<string[]> {
  const ends = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      let last = stillOpen;
      while (!signal.aborted) {
        const connection = openHttp2(at);
        const call = await use(connection, i);
        last = await endOf(call ?? connection);
        connection.close();
        // As a client that tries again.
        await pause(200);
      }
      return last;
    }),
  );
  return ends;
}

const hello = (target: Target, id: string) => nodeOf(id, target.scope);

/** Sends one message after the other on a call, one at least, until it ends. */
async function sendOn(call: RawCall, { signal }: Target, next: (i: number) => Buffer) {
  for (let i = 0; (i === 0 || !signal.aborted) && !call.hasEnded(); i++) {
    await call.send(next(i));
    if (i % 50 === 49) await pause(0);
  }
}

const interleaved: Attack = {
  name: 'names between other fields',
  endsWith: tooMuchOrWrong,
  run: (target) =>
    withConnections(1, target, async (connection) => {
      const call = connection.call(methods.sotw);
      const pair = Buffer.concat([field(3, 'n'), field(5, 'x')]);
      const body = Buffer.concat([field(4, endpointType), ...Array<Buffer>(200_000).fill(pair)]);
      await sendOn(call, target, () => body);
      await told(call);
      return call;
    }),
};

const longTypeUrl: Attack = {
  name: 'a type URL of 7 MiB',
  endsWith: /status 3: type_url has \d+ bytes/,
  run: (target) =>
    withConnections(1, target, async (connection) => {
      const call = connection.call(methods.delta);
      await call.send(deltaRequest({ node: hello(target, 'long'), type: 'x'.repeat(7 * 2 ** 20) }));
      await told(call);
      return call;
    }),
};

const oneByteFrames: Attack = {
  name: 'messages in DATA frames of one byte',
  // It sends more than its window too, as nobody may: FLOW_CONTROL_ERROR.
  endsWith: floodEnds,
  open: 'a message has 30 s to come',
  run: (target) =>
    floodAgain(target, async (raw) => {
      raw.open(1, methods.delta);
      raw.frame(frameTypes.data, 0, 1, Buffer.from([0, 0, 1, 0, 0]));
      const frame = Buffer.from([0, 0, 1, 0, 0, 0, 0, 0, 1, 0x7a]);
      // Its window: what follows waits until that is given back.
      await writeAgain(target, raw, Buffer.concat(Array<Buffer>(16_000).fill(frame)));
    }),
};

const unfinished: Attack = {
  name: 'unfinished messages of 8 MiB on 60 streams',
  endsWith: tooMuch,
  run: (target) =>
    withConnections(1, target, async (connection) => {
      const calls = Array.from({ length: 60 }, () => connection.call(methods.delta));
      const whole = framed(Buffer.alloc(8 * 2 ** 20));
      await Promise.all(calls.map((call) => call.bytes(whole.subarray(0, whole.length - 1))));
      await told(...calls);
      return calls.find((call) => call.hasEnded()) ?? calls[0];
    }),
};

const manyNames: Attack = {
  name: '100,000 names, and names after that',
  ...{ endsWith: tooMuch, open: served },
  run: (target) =>
    withConnections(4, target, async (connection, i) => {
      const call = connection.call(methods.delta);
      await call.send(
        deltaRequest({
          node: hello(target, `names-${i}`),
          type: endpointType,
          names: namesOf(100_000, `a${i}`),
        }),
      );
      await sendOn(call, target, (n) => deltaRequest({ type: endpointType, names: [`more-${n}`] }));
      return call;
    }),
};

const neverAnswers: Attack = {
  name: '20,000 names that are due, never ACKed, and requests of 75 bytes',
  ...{ endsWith: tooMuch, open: served },
  run: (target) =>
    withConnections(4, target, async (connection, i) => {
      const call = connection.call(methods.delta);
      await call.send(
        deltaRequest({ node: hello(target, `silent-${i}`), type: endpointType, names: ['one'] }),
      );
      await call.send(deltaRequest({ type: endpointType, names: namesOf(20_000, `b${i}`) }));
      await sendOn(call, target, () =>
        deltaRequest({ type: endpointType, names: ['one'], unsubscribe: ['none'] }),
      );
      return call;
    }),
};

const refusesAll: Attack = {
  name: 'everything refused, again and again',
  ...{ endsWith: tooMuch, open: served },
  run: (target) =>
    withConnections(4, target, async (connection, i) => {
      const call = connection.call(methods.delta);
      call.onMessage((message) => {
        const { nonce } = readResponse(message);
        void call.send(deltaRequest({ type: endpointType, nonce, error: 'no' }));
      });
      const names = namesOf(20_000, `c${i}`);
      await call.send(deltaRequest({ node: hello(target, `refuses-${i}`), type: endpointType, names }));
      await sendOn(call, target, (n) => deltaRequest({ type: endpointType, names: [`again-${n % 100}`] }));
      return call;
    }),
};

// 87,000 names in some 300 bytes: as much as a short message may inflate to, and each has to be read.
const bomb = framed(
  gzipSync(Buffer.concat([field(2, endpointType), ...Array<Buffer>(87_000).fill(field(4, 'a'))])),
  'gzip',
);

const gzipBombs: Attack = {
  name: 'gzip bombs',
  ...{ endsWith: tooMuch, open: served },
  run: (target) =>
    withConnections(8, target, async (connection, i) => {
      const calls = Array.from({ length: 10 }, () => connection.call(methods.delta));
      const first = deltaRequest({ node: hello(target, `bomb-${i}`), type: endpointType, names: ['a'] });
      await Promise.all(
        calls.map(async (call) => {
          await call.send(first);
          for (let n = 0; n < 4 && !target.signal.aborted; n++) await call.bytes(bomb);
        }),
      );
      return calls[0];
    }),
};

const unknownFields: Attack = {
  name: 'a million unknown fields',
  endsWith: tooMuchOrWrong,
  run: (target) =>
    withConnections(4, target, async (connection, i) => {
      const call = connection.call(methods.delta);
      const more = Buffer.concat(Array<Buffer>(1_000_000).fill(Buffer.from([0x78, 1])));
      await call.send(deltaRequest({ node: hello(target, `unknown-${i}`), names: ['*'] }));
      await sendOn(call, target, () => deltaRequest({ more }));
      await told(call);
      return call;
    }),
};

const manyTypes: Attack = {
  name: 'hundreds of type URLs',
  endsWith: tooMuchOrWrong,
  run: (target) =>
    withConnections(4, target, async (connection, i) => {
      const calls = Array.from({ length: 20 }, () => connection.call(methods.delta));
      await Promise.all(
        calls.map(async (call, n) => {
          const node = hello(target, `types-${i}-${n}`);
          const types = pushOrder.map(({ url }) => url);
          await call.send(deltaRequest({ node, type: types[0] ?? '', names: namesOf(2_000, 'n') }));
          for (const type of types.slice(1))
            await call.send(deltaRequest({ type, names: namesOf(2_000, 'n') }));
          await call.send(deltaRequest({ type: `type.googleapis.com/no.such.Type${n}` }));
        }),
      );
      await told(...calls);
      return calls.find((call) => call.hasEnded()) ?? calls[0];
    }),
};

const rapidReset: Attack = {
  name: 'rapid reset',
  endsWith: floodEnds,
  run: (target) =>
    floodAgain(target, (raw) =>
      openStreams(target, raw, (stream) => {
        raw.open(stream, methods.delta);
        raw.frame(frameTypes.reset, 0, stream, Buffer.from([0, 0, 0, 8]));
      }),
    ),
};

const openAndEnd: Attack = {
  name: 'calls of methods that there are not',
  endsWith: floodEnds,
  run: (target) =>
    floodAgain(target, (raw) => openStreams(target, raw, (stream) => raw.open(stream, '/no/method', true))),
};

const pings: Attack = {
  name: 'a flood of pings',
  // nghttp2 has a limit of its own on answers that wait: INTERNAL_ERROR.
  endsWith: floodEnds,
  run: (target) =>
    floodAgain(target, async (raw) => {
      const ping = Buffer.concat([Buffer.from([0, 0, 8, frameTypes.ping, 0, 0, 0, 0, 0]), Buffer.alloc(8)]);
      await writeAgain(target, raw, Buffer.concat(Array<Buffer>(4_000).fill(ping)));
    }),
};

// Each is legal, and none has an answer: an increment of the connection's window, of 1 byte.
const windowUpdate = Buffer.from([0, 0, 4, frameTypes.window, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

const windowUpdates: Attack = {
  name: 'a flood of window updates',
  endsWith: floodEnds,
  run: (target) =>
    floodAgain(target, (raw) =>
      writeAgain(target, raw, Buffer.concat(Array<Buffer>(5_000).fill(windowUpdate))),
    ),
};

const manyClasses: Attack = {
  name: 'hundreds of node classes',
  ...{ endsWith: tooMuch, open: served },
  async run(target) {
    const connections = Array.from({ length: 8 }, () => openHttp2(target.at));
    const calls: RawCall[] = [];
    for (let i = 0; !target.signal.aborted; i++) {
      const connection = connections[i % connections.length];
      const call = connection?.call(methods.delta);
      if (call === undefined) continue;
      calls.push(call);
      const scope = { ...target.scope, outbound: { address: '127.0.0.1', port: 1_000 + (i % 60_000) } };
      await call.send(deltaRequest({ node: nodeOf(`class-${i}`, scope), names: ['*'] }));
      if (calls.length > 700) calls.shift()?.cancel();
      await pause(5);
    }
    const ends = await Promise.all(calls.slice(-50).map(endOf));
    for (const connection of connections) connection.close();
    return ends;
  },
};

const hosts = namesOf(50_000, 'h').map((name) => `${name}.x`);

const longDependsOn: Attack = {
  name: 'dependsOn of 50,000 names',
  endsWith: /status 3: .*it has more fields than the limit/,
  run: (target) =>
    withConnections(8, target, async (connection, i) => {
      const node = nodeOf(`depends-${i}`, { ...target.scope, dependsOn: hosts });
      const calls = Array.from({ length: 10 }, () => connection.call(methods.delta));
      await Promise.all(calls.map((call) => call.send(deltaRequest({ node, names: ['*'] }))));
      await told(...calls);
      return calls.find((call) => call.hasEnded()) ?? calls[0];
    }),
};

const resubscribe: Attack = {
  name: 'State of the World asked for again and again',
  ...{ endsWith: tooMuch, open: served },
  run: (target) =>
    withConnections(4, target, async (connection, i) => {
      const call = connection.call(methods.sotw);
      await call.send(
        sotwRequest({ node: hello(target, `again-${i}`), type: endpointType, names: namesOf(50_000, 'n') }),
      );
      await sendOn(call, target, (n) =>
        sotwRequest({ type: endpointType, names: n % 2 === 0 ? ['n-1'] : namesOf(20_000, `m${n % 7}`) }),
      );
      return call;
    }),
};

const silentConnections: Attack = {
  name: 'connections that say nothing',
  endsWith: floodEnds,
  open: 'a connection has 10 s for its handshake, and as long without a stream',
  async run({ at, signal }) {
    const open: RawConnection[] = [];
    while (!signal.aborted) {
      if (open.length < 3_000) open.push(await connectRaw(at, open.length % 2 === 0));
      else await pause(50);
    }
    const ends = await Promise.all(open.slice(0, 50).map(endOf));
    for (const raw of open) raw.socket.destroy();
    return ends;
  },
};

const connectionFlood: Attack = {
  name: 'a flood of connections',
  endsWith: floodEnds,
  async run({ at, signal }) {
    const ends: string[] = [];
    const one = async () => {
      while (!signal.aborted) {
        const raw = await connectRaw(at);
        raw.open(1, '/no/method', true);
        await Promise.race([raw.ended, pause(5)]);
        raw.socket.destroy();
        ends.push(await raw.ended);
      }
    };
    await Promise.all(Array.from({ length: 50 }, one));
    return ends.slice(-50);
  },
};

/** Attacks that go on until they are stopped. */
export const floods: readonly Attack[] = [
  ...[interleaved, longTypeUrl, oneByteFrames, unfinished, manyNames, neverAnswers, refusesAll, gzipBombs],
  ...[
    unknownFields,
    manyTypes,
    rapidReset,
    openAndEnd,
    pings,
    windowUpdates,
    manyClasses,
    longDependsOn,
    resubscribe,
  ],
  ...[silentConnections, connectionFlood],
];
