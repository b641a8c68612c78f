/**
 * A copy of bytes that stay: it keeps nothing else alive. A part of a message keeps the message, and a small
 * buffer the 64 KiB that it shares with whatever else was made then (`Buffer.poolSize`).
 */
export function ownBytes(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
