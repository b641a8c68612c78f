import { gzipSync } from 'node:zlib';
import { field } from '../../../src/xds/wire/varint.ts';
import { type Attack, stillOpen, type Target } from './attack.ts';
import { deltaRequest, framed, methods, nodeOf, openHttp2 } from './call.ts';
import { pause } from './ends.ts';
import { onCall } from './once.ts';

const mib = 2 ** 20;

/** A first request that is taken. */
export const firstRequest = (target: Target, id: string) =>
  deltaRequest({ node: nodeOf(id, target.scope), names: ['*'] });

/** A Value of protobuf's that has so many lists in each other. */
function deepValue(levels: number): Buffer {
  let value = field(3, 'x');
  for (let i = 0; i < levels; i += 1) value = field(6, field(1, value));
  return value;
}

/** Much of something: bytes of a message, of a field, of what is unfinished. */
export const sizeAttacks: readonly Attack[] = [
  onCall({
    name: 'a type URL of 31 MiB from a client that is known',
    endsWith: /status 3: type_url has \d+ bytes/,
    untilEnd: true,
    waitMs: 30_000,
    async send(call, target) {
      await call.send(firstRequest(target, 'long-type'));
      await pause(100);
      await call.send(deltaRequest({ type: 'x'.repeat(31 * mib) }));
    },
  }),
  onCall({
    name: 'a first message of 9 MiB',
    endsWith: /status 8: a request has \d+ bytes/,
    send: (call) => void call.send(Buffer.alloc(9 * mib)),
  }),
  {
    name: 'unfinished messages of 32 MiB on 12 calls that are known',
    endsWith: /^status [48]: ./,
    open: 'up to 64 MiB of them may wait for 30 s',
    async run(target) {
      const connection = openHttp2(target.at);
      const calls = Array.from({ length: 12 }, () => connection.call(methods.delta));
      const whole = framed(Buffer.alloc(32 * mib));
      await Promise.all(
        calls.map(async (call, i) => {
          await call.send(firstRequest(target, `unfinished-${i}`));
          void call.bytes(whole.subarray(0, whole.length - 1));
        }),
      );
      await Promise.race([...calls.map(({ ended }) => ended), pause(25_000)]);
      const ends = await Promise.all(calls.map((call) => (call.hasEnded() ? call.ended : stillOpen)));
      connection.close();
      // One of them must have been the largest.
      return ends.some((end) => end !== stillOpen) ? ends : ['none has ended'];
    },
  },
  onCall({
    name: 'a first request in DATA frames of one byte, as it may be',
    endsWith: /answered/,
    async send(call, target) {
      for (const byte of framed(firstRequest(target, 'one-byte'))) await call.bytes(Buffer.from([byte]));
    },
  }),
  onCall({
    name: 'a gzip bomb of 64 MiB',
    endsWith: /status 8: a request has more than \d+ bytes/,
    send: (call) => call.bytes(framed(gzipSync(Buffer.alloc(64 * mib)), 'gzip')),
  }),
  onCall({
    name: 'what is said to be compressed and is not',
    endsWith: /status 3: a compressed request is neither/,
    send: (call) => call.bytes(framed(Buffer.from('no gzip'), 'gzip')),
  }),
  onCall({
    name: 'a node of 2 MiB',
    endsWith: /status 3: the node has \d+ bytes/,
    send: (call, { scope }) =>
      call.send(deltaRequest({ node: Buffer.concat([nodeOf('big', scope), field(2, 'x'.repeat(2 * mib))]) })),
  }),
  onCall({
    name: 'metadata 5,000 levels deep',
    endsWith: /status 3: .*levels/,
    send(call) {
      const entry = Buffer.concat([field(1, 'a'), field(2, deepValue(5_000))]);
      const node = Buffer.concat([field(1, 'deep'), field(3, field(1, entry))]);
      return call.send(deltaRequest({ node }));
    },
  }),
  onCall({
    name: 'a node id of control characters',
    endsWith: /status 3: node\.id must be at most \d+ printable bytes: \\u\{1b\}/,
    send: (call, { scope }) => call.send(deltaRequest({ node: nodeOf('\u001b[2J\n\r', scope) })),
  }),
  onCall({
    name: 'a type URL of control characters',
    endsWith: /status 3: [\x20-\x7e]*$/,
    send: (call, { scope }) =>
      call.send(deltaRequest({ node: nodeOf('odd-type', scope), type: '\u001b[2J\n\r\u202e' })),
  }),
  onCall({
    name: 'metadata of control characters',
    endsWith: /status 3: [\x20-\x7e]*$/,
    send: (call, { scope }) =>
      call.send(deltaRequest({ node: nodeOf('odd-role', { ...scope, role: '\u001b[2J\n\u202e' }) })),
  }),
  onCall({
    name: 'a nonce of 1 MiB',
    endsWith: /status 3: response_nonce has \d+ bytes/,
    send: (call, { scope }) =>
      call.send(deltaRequest({ node: nodeOf('nonce', scope), nonce: 'n'.repeat(mib) })),
  }),
  onCall({
    name: 'a NACK with 1 MiB of words',
    endsWith: /answered/,
    send: (call, target) =>
      call.send(
        Buffer.concat([firstRequest(target, 'wordy'), field(7, field(2, '\u001b\n'.repeat(mib / 2)))]),
      ),
  }),
  onCall({
    name: 'a stream that says nothing',
    endsWith: /status 4: no whole message within/,
    isSlow: true,
    waitMs: 45_000,
    send() {},
  }),
  onCall({
    name: 'a byte of a message each second',
    endsWith: /status 4: no whole message within/,
    isSlow: true,
    async send(call, target) {
      for (const byte of framed(firstRequest(target, 'drop by drop')).subarray(0, 45)) {
        if (call.hasEnded()) return;
        void call.bytes(Buffer.from([byte]));
        await pause(1_000);
      }
    },
  }),
];
