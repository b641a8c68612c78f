import { field } from '../../../src/xds/wire/varint.ts';
import type { Attack } from './attack.ts';
import { framed } from './call.ts';
import { onCall } from './once.ts';
import { firstRequest } from './sizes.ts';

const mib = 2 ** 20;
const repeat = (bytes: Buffer, times: number) => Buffer.alloc(bytes.length * times, bytes);
const notARequest = /status 3: not a discovery request: a nested message has more than \d+ fields/;

// Eight blocks of deflate with Huffman codes of their own and no content (RFC 1951, 3.2.7), none of them the
// last: the lengths of the codes are 256 times 0, then 1 for the end of a block and 1 for a distance.
const eightBlocks = Buffer.from(
  'BMCBAAAAAACQ/2sQAAcCAAAAAED+r0EAHAgAAAAAAPm/BgFwIAAAAAAA5P8aBMCBAAAAAACQ/2sQAAcCAAAA' +
    'AED+r0EAHAgAAAAAAPm/BgFwIAAAAAAA5P8a',
  'base64',
);

/** Such blocks in the form of zlib: the tables of each are built, and nothing comes out. */
function emptyBlocks(bytes: number): Buffer {
  return Buffer.concat([
    Buffer.from([0x78, 0x9c]),
    repeat(eightBlocks, Math.floor(bytes / eightBlocks.length)),
  ]);
}

/** Bytes that take more time to read than their number and what they say. */
export const dearAttacks: readonly Attack[] = [
  onCall({
    name: '900 times 4 KiB of white space as the words of one NACK',
    endsWith: /answered/,
    send: (call, target) =>
      call.send(
        Buffer.concat([
          firstRequest(target, 'white'),
          field(7, repeat(field(2, `a${' '.repeat(4_094)}a`), 900)),
        ]),
      ),
  }),
  onCall({
    name: 'a NACK with 4,000,000 details',
    endsWith: notARequest,
    send: (call, target) =>
      call.send(Buffer.concat([firstRequest(target, 'detailed'), field(7, repeat(field(3, ''), 3_900_000))])),
  }),
  onCall({
    name: 'an initial version with 4,000,000 names',
    endsWith: notARequest,
    send: (call, target) =>
      call.send(Buffer.concat([firstRequest(target, 'named'), field(5, repeat(field(1, ''), 3_900_000))])),
  }),
  onCall({
    name: 'a health check of 8 MB',
    method: '/grpc.health.v1.Health/Check',
    endsWith: /status 3: a request has \d+ bytes: at most \d+ are read here/,
    send: (call) => call.send(repeat(field(1, ''), 4_000_000)),
  }),
  onCall({
    name: '8 MB of compressed blocks of nothing',
    endsWith: /status 8: a request has \d+ bytes, compressed: at most \d+ are read/,
    headers: { 'grpc-encoding': 'deflate' },
    send: (call) => void call.bytes(framed(emptyBlocks(8 * mib - 64), 'gzip')),
  }),
];
