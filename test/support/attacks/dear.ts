import { field } from '../../../src/xds/wire/varint.ts';
import { type Attack, stillOpen } from './attack.ts';
import { deltaRequest, framed, methods, nodeOf, sotwRequest } from './call.ts';
import { pause } from './ends.ts';
import { onCall } from './once.ts';
import { connectRaw, endHeaders, frameTypes, headerBlock, headerField } from './raw.ts';
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

/** A call whose response is never read. */
interface Unread {
  readonly path: string;
  /** Default: a request for clusters. */
  readonly messages?: readonly Buffer[];
  /** The client leaves its side of the stream open. */
  readonly isOpen?: boolean;
  /** Headers, as they stand on the wire. */
  readonly headers?: Buffer;
}

/** How such a call ended, after half a minute at most. */
function unread(name: string, { path, messages, isOpen, headers = Buffer.alloc(0) }: Unread): Attack {
  return {
    name,
    // Whatever it ends with cannot be read either.
    endsWith: /^RST_STREAM 11$/,
    isSlow: true,
    async run({ at, scope }) {
      const raw = await connectRaw(at);
      // SETTINGS_INITIAL_WINDOW_SIZE: 0.
      raw.frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
      raw.frame(frameTypes.headers, endHeaders, 1, Buffer.concat([headerBlock(path), headers]));
      const said = messages ?? [sotwRequest({ node: nodeOf('unread', scope) })];
      for (const [i, one] of said.entries())
        raw.frame(frameTypes.data, isOpen || i < said.length - 1 ? 0 : 1, 1, framed(one));
      for (let i = 0; i < 300 && raw.answer() === undefined && !raw.socket.destroyed; i += 1)
        await pause(100);
      const end = raw.answer() ?? (raw.socket.destroyed ? 'closed' : stillOpen);
      raw.socket.destroy();
      return [end];
    },
  };
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
  onCall({
    name: 'a deadline of 10,000 characters',
    endsWith: /status 13: grpc-timeout '.{64}… \(\d+ bytes more\)' is not valid$/,
    headers: { 'grpc-timeout': `1${'x'.repeat(10_000)}` },
    send: (call) => call.send(deltaRequest({})),
  }),
  unread('a Fetch of what is never read', {
    path: '/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters',
  }),
  unread('client status of all that is never read', {
    path: '/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus',
    messages: [Buffer.alloc(0)],
  }),
  unread('descriptors that are never read, on a stream that stays open', {
    path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    messages: Array<Buffer>(50).fill(field(4, 'envoy.config.cluster.v3.Cluster')),
    isOpen: true,
  }),
  unread('a deadline that passes while nothing is read', {
    ...{ path: methods.sotw, isOpen: true },
    headers: headerField('grpc-timeout', '2S'),
  }),
  onCall({
    name: 'a content type that begins like gRPC’s',
    endsWith: /^HTTP 415$/,
    headers: { 'content-type': 'application/grpcevil' },
    send: (call, target) => call.send(firstRequest(target, 'evil')),
  }),
];
