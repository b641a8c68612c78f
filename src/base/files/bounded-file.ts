import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { notRegularFile } from '../system-error.ts';

/** Bytes per read. */
const pieceBytes = 64 * 1024;

/** Pause before an empty pipe is read again, and how many times in a row. */
const [waitMs, waitsMax] = [20, 1_500];

/**
 * Reads a whole file named by a user, also a pipe such as `<(command)`, to its end. Throws a system error if
 * it cannot be read, and an Error with a message if it is larger than `bytesMax`, an endless device, or a
 * pipe without input for 30 s.
 */
export function readBounded(path: string, bytesMax: number): Buffer {
  // Without O_NONBLOCK, opening a pipe waits for a writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (stats.isFile() && stats.size > bytesMax) throw tooLarge(bytesMax);
    const pieces: Buffer[] = [];
    for (let total = 0; total <= bytesMax; ) {
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, bytesMax + 1 - total));
      const length = readPiece(fd, piece);
      if (length === 0) return Buffer.concat(pieces);
      total += length;
      pieces.push(piece.subarray(0, length));
    }
    throw tooLarge(bytesMax);
  } finally {
    closeSync(fd);
  }
}

function readPiece(fd: number, piece: Buffer): number {
  for (let waits = 0; waits < waitsMax; waits += 1) {
    try {
      return readSync(fd, piece);
    } catch (reason) {
      if ((reason as NodeJS.ErrnoException).code !== 'EAGAIN') throw reason;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
    }
  }
  throw new Error(`nothing was written to it for ${(waitMs * waitsMax) / 1_000} s`);
}

/**
 * Opens a file in a folder of this process or of a registry. Rejects with a system error if it cannot be
 * opened, and with an Error with a message if it is a pipe, a socket or a device, which could block.
 */
export async function openRegular(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw Object.assign(new Error(path), { code: 'EISDIR' });
    if (!stats.isFile()) throw new Error(notRegularFile);
    return handle;
  } catch (reason) {
    await handle.close();
    throw reason;
  }
}

/** The content of an open file. Rejects with an Error if it is more than `bytesMax`. */
export async function readOpened(handle: FileHandle, bytesMax: number): Promise<Buffer> {
  const { size } = await handle.stat();
  if (size > bytesMax) throw tooLarge(bytesMax);
  const pieces: Buffer[] = [];
  // One byte more than expected, so that a file of constant size is read in one call.
  for (let total = 0; total <= bytesMax; ) {
    const piece = Buffer.allocUnsafe(Math.min(Math.max(pieceBytes, size + 1 - total), bytesMax + 1 - total));
    const { bytesRead } = await handle.read(piece, 0, piece.length);
    if (bytesRead === 0) return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
    total += bytesRead;
    pieces.push(piece.subarray(0, bytesRead));
  }
  throw tooLarge(bytesMax);
}

function tooLarge(bytesMax: number): Error {
  const mib = bytesMax / 2 ** 20;
  return new Error(`it is larger than ${mib >= 1 ? `${mib} MiB` : `${bytesMax / 1024} KiB`}`);
}
