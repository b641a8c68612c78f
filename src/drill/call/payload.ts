import { createHash } from 'node:crypto';
import { seededRandom } from '../../base/random.ts';

/** Bytes of a piece: what a socket takes at once. */
const pieceBytes = 65_536;

/** A prime length, so that no two pieces of one payload are the same bytes. */
const blockBytes = 1_048_573;

let block: Buffer | undefined;

function randomBlock(): Buffer {
  if (block) return block;
  const random = seededRandom(1);
  block = Buffer.from(Uint8Array.from({ length: blockBytes }, () => random() * 256));
  return block;
}

/**
 * The payload of an id, in pieces: deterministic, so that sender and receiver can both verify it; different
 * for another id or place, so that loss, duplication or exchange changes its hash.
 *
 * @param count number of pieces of equal length (except for the last); default: as a socket takes them
 */
export function* payload(id: string, bytes: number, count?: number): Generator<Buffer, void, void> {
  const most = count === undefined ? pieceBytes : Math.max(1, Math.ceil(bytes / count));
  let at = createHash('sha256').update(id).digest().readUInt32BE(0) % blockBytes;
  for (let left = bytes; left > 0; ) {
    const length = Math.min(most, left);
    yield slice(at, length);
    left -= length;
    at = (at + length) % blockBytes;
  }
}

/** Bytes of the block, which goes on from its beginning. */
function slice(from: number, length: number): Buffer {
  const block = randomBlock();
  if (from + length <= blockBytes) return block.subarray(from, from + length);
  const parts = [block.subarray(from)];
  for (let left = length - (blockBytes - from); left > 0; left -= blockBytes)
    parts.push(block.subarray(0, Math.min(left, blockBytes)));
  return Buffer.concat(parts);
}

/** Counts and hashes what comes. */
interface Digest {
  add(piece: Uint8Array): void;
  readonly bytes: number;
  /** `BYTES:SHA256`, the hash in hexadecimal. Ends it: nothing can be added any more. */
  text(): string;
}

/** A digest of nothing yet. */
export function createDigest(): Digest {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    add(piece) {
      hash.update(piece);
      bytes += piece.length;
    },
    get bytes() {
      return bytes;
    },
    text: () => `${bytes}:${hash.digest('hex')}`,
  };
}

/** The digest of these pieces. */
export function digestOf(pieces: Iterable<Uint8Array>): string {
  const digest = createDigest();
  for (const piece of pieces) digest.add(piece);
  return digest.text();
}
