import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** Frame types of HTTP/2 (RFC 9113, 6). */
export const frameTypes = {
  ...{ data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goaway: 7, window: 8 },
  continuation: 9,
} as const;
export const endHeaders = 4;
const endStream = 1;

/** A frame as it stands on the wire (RFC 9113, 4.1). */
export function frameOf(type: number, flags: number, stream: number, payload: Buffer = none): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const none = Buffer.alloc(0);

/** An HTTP/2 connection on which a client may say whatever it likes. */
export interface RawConnection {
  readonly socket: Socket;
  frame(type: number, flags: number, stream: number, payload?: Buffer): void;
  /** Writes bytes as they are; resolves when the kernel has them, or the connection has ended. */
  write(bytes: Buffer): Promise<void>;
  /** Opens a stream for a gRPC method. */
  open(stream: number, path: string, ends?: boolean): void;
  /** Resolves once the connection has ended, with what its GOAWAY said, if there was one. */
  readonly ended: Promise<string>;
  /** How the server has answered so far: by GOAWAY, by `RST_STREAM` with its code, or not at all. */
  answer(): string | undefined;
  /** Resolves when what was written has gone out, as far as the other end reads; or when it has ended. */
  drained(): Promise<void>;
}

/** Connects; `hello`: says what an HTTP/2 client says first. */
export async function connectRaw({ address, port }: ListenAddress, hello = true): Promise<RawConnection> {
  const socket = connect({ host: address, port, noDelay: true });
  let goaway = 'closed';
  let reset: string | undefined;
  let rest: Buffer = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const length = rest.readUIntBE(0, 3);
      const payload = rest.subarray(9, 9 + length);
      if (rest[3] === frameTypes.goaway && goaway === 'closed')
        goaway = `GOAWAY ${payload.readUInt32BE(4)}: ${payload.toString('utf8', 8)}`;
      if (rest[3] === frameTypes.reset) reset ??= `RST_STREAM ${payload.readUInt32BE(0)}`;
      if (rest[3] === frameTypes.settings && ((rest[4] ?? 0) & 1) === 0 && hello)
        socket.write(Buffer.from([0, 0, 0, frameTypes.settings, 1, 0, 0, 0, 0]));
      // Who answers pings may be silent for long.
      if (rest[3] === frameTypes.ping && ((rest[4] ?? 0) & 1) === 0 && hello)
        socket.write(frameOf(frameTypes.ping, 1, 0, payload));
      rest = rest.subarray(9 + length);
    }
  });
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(goaway)));
  const frame = (type: number, flags: number, stream: number, payload?: Buffer) => {
    if (!socket.destroyed) socket.write(frameOf(type, flags, stream, payload));
  };
  await Promise.race([once(socket, 'connect'), ended]);
  if (hello) {
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    frame(frameTypes.settings, 0, 0);
  }
  return {
    ...{ socket, frame, ended },
    answer: () => (goaway === 'closed' ? reset : goaway),
    async write(bytes) {
      if (socket.destroyed) return;
      await Promise.race([new Promise<void>((resolve) => socket.write(bytes, () => resolve())), ended]);
    },
    open: (stream, path, ends = false) =>
      frame(frameTypes.headers, endHeaders | (ends ? endStream : 0), stream, headerBlock(path)),
    drained: async () => {
      if (!socket.destroyed && socket.writableNeedDrain)
        await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), ended]);
    },
  };
}

/** The header block that opens a call of a gRPC method. */
export function headerBlock(path: string): Buffer {
  const fields = {
    ...{ ':method': 'POST', ':scheme': 'http', ':authority': 'xds', ':path': path },
    ...{ 'content-type': 'application/grpc', te: 'trailers' },
  };
  return Buffer.concat(Object.entries(fields).map(([name, value]) => headerField(name, value)));
}

/** A header field as a literal that is not indexed, without Huffman (RFC 7541, 6.2.2). */
export function headerField(name: string, value: string): Buffer {
  const text = (of: string) => Buffer.concat([prefixed(Buffer.byteLength(of)), Buffer.from(of)]);
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

/** A length with a prefix of seven bits (RFC 7541, 5.1). */
function prefixed(length: number): Buffer {
  if (length < 127) return Buffer.from([length]);
  const bytes = [127];
  let rest = length - 127;
  for (; rest > 127; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}
