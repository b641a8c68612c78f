/**
 * A copy with memory of its own. A view keeps the whole message alive, and a small pooled Buffer the 64 KiB
 * pool that it shares (`Buffer.poolSize`).
 */
export function ownBytes(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
