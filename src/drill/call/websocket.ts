import { createHash } from 'node:crypto';

/** Opcodes of RFC 6455, 5.2, as far as they are used. */
export const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** One frame, unmasked. Messages in several frames are not used here. */
interface WebSocketFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** What answers a `Sec-WebSocket-Key` (RFC 6455, 4.2.2). */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/**
 * A whole message as one frame, of at most 65,535 bytes; clients give a mask of four bytes (RFC 6455, 5.3),
 * servers none.
 */
export function encodeFrame(opcode: number, payload: Buffer, mask?: Buffer): Buffer {
  const { length } = payload;
  const masked = mask ? 0x80 : 0;
  const size = length < 126 ? [masked | length] : [masked | 126, length >> 8, length & 0xff];
  const head = Buffer.from([0x80 | opcode, ...size]);
  return mask ? Buffer.concat([head, mask, unmask(payload, mask)]) : Buffer.concat([head, payload]);
}

/**
 * Reads frames, masked or not, from a connection. `take` returns the complete ones; throws Error for
 * unsupported frames.
 */
export function createFrameReader(): { take(chunk: Buffer): WebSocketFrame[] } {
  let pending = Buffer.alloc(0);
  return {
    take(chunk) {
      pending = Buffer.concat([pending, chunk]);
      const frames: WebSocketFrame[] = [];
      for (let read = readFrame(pending); read; read = readFrame(pending)) {
        frames.push(read.frame);
        pending = pending.subarray(read.bytes);
      }
      return frames;
    },
  };
}

function readFrame(bytes: Buffer): { frame: WebSocketFrame; bytes: number } | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = [bytes.readUInt8(0), bytes.readUInt8(1)];
  const short = second & 0x7f;
  if ((first & 0x80) === 0 || short === 127) throw new Error('a websocket frame of a kind that is not used');
  const sizeEnd = short === 126 ? 4 : 2;
  const dataFrom = sizeEnd + ((second & 0x80) === 0 ? 0 : 4);
  if (bytes.length < dataFrom) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < dataFrom + length) return undefined;
  const data = bytes.subarray(dataFrom, dataFrom + length);
  const payload = dataFrom === sizeEnd ? data : unmask(data, bytes.subarray(sizeEnd, dataFrom));
  return { frame: { opcode: first & 0x0f, payload }, bytes: dataFrom + length };
}

function unmask(data: Buffer, mask: Buffer): Buffer {
  return Buffer.from(data.map((byte, i) => byte ^ (mask[i % 4] as number)));
}
