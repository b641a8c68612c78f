import type { Attack } from './attack.ts';
import { methods } from './call.ts';
import { onConnection } from './once.ts';
import { endHeaders, frameOf, headerBlock, headerField, frameTypes as types } from './raw.ts';

const repeat = (bytes: Buffer, times: number) => Buffer.concat(Array<Buffer>(times).fill(bytes));
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const setting = (id: number, value: number) =>
  frameOf(types.settings, 0, 0, Buffer.concat([Buffer.from([0, id]), u32(value)]));
const open = (stream: number, flags = endHeaders) =>
  frameOf(types.headers, flags, stream, headerBlock(methods.delta));
const ping = Buffer.alloc(8);
// RFC 9113, 5.5: frames of unknown types are discarded.
const unknownType = 0xbb;

/** A connection error of HTTP/2, by its code (RFC 9113, 7); a reset of TCP may overtake its GOAWAY. */
const connectionError = (...codes: readonly number[]) =>
  new RegExp(`GOAWAY (${codes.join('|')})\\b|^closed$`);
const protocolError = connectionError(1);
const flowControlError = connectionError(3);
const frameSizeError = connectionError(6);
// nghttp2 has limits of its own on what waits for an answer: INTERNAL_ERROR; NO_ERROR, where it does not let
// go on.
const flooded = connectionError(0, 1, 2, 11);

/** What HTTP/2 itself forbids, or allows in small numbers only (RFC 9113, 10.5). */
export const frameAttacks: readonly Attack[] = [
  onConnection({
    name: '2,000,000 SETTINGS',
    ...{ endsWith: flooded, parts: 2_000, part: () => repeat(setting(3, 100), 1_000) },
  }),
  onConnection({
    name: 'CONTINUATION without an end, 16 MiB',
    ...{ endsWith: flooded, parts: 1_500 },
    part: (i) =>
      i === 0
        ? open(1, 0)
        : frameOf(types.continuation, 0, 1, repeat(headerField('x-more', 'y'.repeat(100)), 100)),
  }),
  onConnection({
    name: '2,000,000 DATA frames of nothing',
    ...{ endsWith: flooded, parts: 2_001 },
    part: (i) => (i === 0 ? open(1) : repeat(frameOf(types.data, 0, 1), 1_000)),
  }),
  onConnection({
    name: '3,000,000 frames of no known type',
    ...{ endsWith: flooded, parts: 3_000, part: () => repeat(frameOf(unknownType, 0, 0), 1_000) },
  }),
  onConnection({
    name: '2,000,000 PRIORITY frames',
    ...{ endsWith: flooded, parts: 2_000 },
    // Of a stream that was never opened: exclusive, of weight 16.
    part: (i) => repeat(frameOf(types.priority, 0, 2 * i + 1, Buffer.from([128, 0, 0, 0, 15])), 1_000),
  }),
  onConnection({
    name: '2,000,000 acknowledgements of SETTINGS that were not sent',
    ...{ endsWith: flooded, parts: 2_000, part: () => repeat(frameOf(types.settings, 1, 0), 1_000) },
  }),
  onConnection({
    name: 'an answer to a PING that was not sent',
    ...{ endsWith: connectionError(1, 2), part: () => frameOf(types.ping, 1, 0, ping) },
  }),
  onConnection({
    name: 'a reset of a stream that was never opened',
    ...{ endsWith: protocolError, part: () => frameOf(types.reset, 0, 7, u32(8)) },
  }),
  onConnection({
    name: 'GOAWAY 100,000 times',
    // Node ends a connection at the first that tells of an error, without a word.
    ...{ endsWith: flooded, parts: 100 },
    part: () => repeat(frameOf(types.goaway, 0, 0, Buffer.concat([u32(0), u32(11)])), 1_000),
  }),
  onConnection({
    name: 'a header block without an end, then silence',
    ...{ endsWith: flooded, part: () => open(1, 0) },
    open: 'a connection may be without a stream for 5 minutes, 10 s if many are, and has to answer pings',
  }),
  onConnection({
    name: '1,000 headers of 1 KB',
    // Of the stream alone: ENHANCE_YOUR_CALM.
    endsWith: /GOAWAY (1|2|9|11)\b|^RST_STREAM 11$|^closed$/,
    part() {
      const big = repeat(headerField('x-big', 'y'.repeat(1_000)), 1_000);
      const chunks = [open(1, 0)];
      for (let at = 0; at < big.length; at += 16_000)
        chunks.push(frameOf(types.continuation, 0, 1, big.subarray(at, at + 16_000)));
      return Buffer.concat([...chunks, frameOf(types.continuation, endHeaders, 1)]);
    },
  }),
  onConnection({
    name: 'a window that overflows',
    ...{ endsWith: flowControlError, part: () => repeat(frameOf(types.window, 0, 0, u32(2 ** 31 - 1)), 2) },
  }),
  onConnection({
    name: 'a window update of 0',
    ...{ endsWith: protocolError, part: () => frameOf(types.window, 0, 0, u32(0)) },
  }),
  onConnection({
    name: 'a frame longer than allowed',
    endsWith: frameSizeError,
    part: () => Buffer.concat([open(1), frameOf(types.data, 0, 1, Buffer.alloc(100_000))]),
  }),
  onConnection({
    name: 'DATA on stream 0',
    ...{ endsWith: protocolError, part: () => frameOf(types.data, 0, 0, ping) },
  }),
  onConnection({
    name: 'DATA on a stream that is not open',
    ...{ endsWith: protocolError, part: () => frameOf(types.data, 0, 99, ping) },
  }),
  onConnection({ name: 'a stream with an even number', endsWith: protocolError, part: () => open(2) }),
  onConnection({
    name: 'numbers of streams that go down',
    // nghttp2 takes the lower one for a stream that was closed, and passes over it.
    ...{ endsWith: protocolError, open: 'the higher one is a stream that has 30 s for its first message' },
    part: () => Buffer.concat([open(9), open(3)]),
  }),
  onConnection({
    name: 'header compression that is none',
    endsWith: connectionError(9),
    part: () => frameOf(types.headers, endHeaders, 1, Buffer.alloc(64, 0xff)),
  }),
  onConnection({
    name: 'a header block that another frame cuts',
    endsWith: protocolError,
    part: () => Buffer.concat([open(1, 0), frameOf(types.ping, 0, 0, ping)]),
  }),
  onConnection({
    name: 'a PING of 7 bytes',
    ...{ endsWith: frameSizeError, part: () => frameOf(types.ping, 0, 0, ping.subarray(1)) },
  }),
  onConnection({
    name: 'a PUSH_PROMISE of a client',
    endsWith: protocolError,
    part: () => Buffer.concat([open(1), frameOf(types.push, endHeaders, 1, u32(2))]),
  }),
  onConnection({
    name: 'a setting out of range',
    ...{ endsWith: flowControlError, part: () => setting(4, 2 ** 31) },
  }),
  // Where a connection does not begin as HTTP/2 does, Node says INTERNAL_ERROR.
  onConnection({
    name: 'HTTP/1.1 instead of HTTP/2',
    ...{ endsWith: connectionError(1, 2), hello: false },
    part: () => Buffer.from('GET /status HTTP/1.1\r\nHost: a\r\n\r\n'),
  }),
  onConnection({
    name: 'HTTP/1.1 that asks to go on as HTTP/2',
    ...{ endsWith: connectionError(1, 2), hello: false },
    part: () =>
      Buffer.from(
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n',
      ),
  }),
  onConnection({
    name: 'a TLS handshake without TLS',
    ...{ endsWith: connectionError(1, 2), hello: false },
    part: () => Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(508)]),
  }),
];
