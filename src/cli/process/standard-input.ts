import { streamBytesMax } from '../../registry/check/read-inputs.ts';

/**
 * Reads standard input to its end. Rejects with the system's error, and with an Error with a message if it is
 * empty, or larger than `streamBytesMax`.
 */
export async function readStandardInput(): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of process.stdin) {
    bytes += (piece as Buffer).length;
    if (bytes > streamBytesMax) throw new Error(`it is larger than ${streamBytesMax / 2 ** 20} MiB`);
    pieces.push(piece as Buffer);
  }
  // Nothing wrong is not what an empty pipe says: the command before it has failed.
  if (bytes === 0) throw new Error('it is empty');
  return Buffer.concat(pieces);
}
