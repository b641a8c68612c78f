import { constants } from 'node:http2';

/**
 * The bytes that refuse an HTTP/2 client: empty SETTINGS, and GOAWAY with a reason (RFC 9113, 6.5 and 6.8).
 */
export function goaway(words: string): Buffer {
  const reason = Buffer.from(words);
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const frame = Buffer.alloc(9 + 8);
  frame.writeUIntBE(8 + reason.length, 0, 3);
  frame[3] = 7;
  frame.writeUInt32BE(constants.NGHTTP2_ENHANCE_YOUR_CALM, 13);
  return Buffer.concat([settings, frame, reason]);
}
