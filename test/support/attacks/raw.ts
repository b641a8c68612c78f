import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ListenAddress } from '../../../src/model/node.ts';

/** Frame types of HTTP/2 (RFC 9113, 6). */
export const frameTypes = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const;
const endStream = 1;
const endHeaders = 4;

/** An HTTP/2 connection on which a client may say whatever it likes. */
export interface RawConnection {
  readonly socket: Socket;
  frame(type: number, flags: number, stream: number, payload?: Buffer): void;
  /** Opens a stream for a gRPC method. */
  open(stream: number, path: string, ends?: boolean): void;
  /** Resolves once the connection has ended, with what its GOAWAY said, if there was one. */
  readonly ended: Promise<string>;
  /** Resolves when what was written has gone out, as far as the other end reads; or when it has ended. */
  drained(): Promise<void>;
}

/** Connects; `hello`: says what an HTTP/2 client says first. */
export async function connectRaw({ address, port }: ListenAddress, hello = true): Promise<RawConnection> {
  const socket = connect({ host: address, port, noDelay: true });
  let goaway = 'closed';
  let rest: Buffer = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const length = rest.readUIntBE(0, 3);
      const payload = rest.subarray(9, 9 + length);
      if (rest[3] === frameTypes.goaway && goaway === 'closed')
        goaway = `GOAWAY ${payload.readUInt32BE(4)}: ${payload.toString('utf8', 8)}`;
      if (rest[3] === frameTypes.settings && ((rest[4] ?? 0) & 1) === 0 && hello)
        socket.write(Buffer.from([0, 0, 0, frameTypes.settings, 1, 0, 0, 0, 0]));
      rest = rest.subarray(9 + length);
    }
  });
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(goaway)));
  const frame = (type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)) => {
    if (socket.destroyed) return;
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    socket.write(Buffer.concat([head, payload]));
  };
  await Promise.race([once(socket, 'connect'), ended]);
  if (hello) {
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    frame(frameTypes.settings, 0, 0);
  }
  return {
    ...{ socket, frame, ended },
    open: (stream, path, ends = false) =>
      frame(frameTypes.headers, endHeaders | (ends ? endStream : 0), stream, headerBlock(path)),
    drained: async () => {
      if (!socket.destroyed && socket.writableNeedDrain)
        await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), ended]);
    },
  };
}

/** Header fields as literals that are not indexed (RFC 7541, 6.2.2), all shorter than 127 bytes. */
function headerBlock(path: string): Buffer {
  const fields = {
    ...{ ':method': 'POST', ':scheme': 'http', ':authority': 'xds', ':path': path },
    ...{ 'content-type': 'application/grpc', te: 'trailers' },
  };
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}
