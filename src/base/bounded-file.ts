import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { noFile } from './system-error.ts';

/** Bytes that are asked for at a time. */
const pieceBytes = 64 * 1024;

/** How long is waited between two looks at a pipe that has nothing yet, and for how many looks in a row. */
const [waitMs, waitsMax] = [20, 1_500];

/**
 * Reads a file that a user names, whole: also a pipe, as of `<(command)`, once it ends. Throws a system error
 * where it cannot be read, and an Error in words where it is larger than `bytesMax`, a device that has no
 * end, or a pipe into which nothing comes for 30 s.
 */
export function readBounded(path: string, bytesMax: number): Buffer {
  // Without O_NONBLOCK the open of a pipe waits for a writer, for ever.
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
  throw new Error(`nothing is written to it for ${(waitMs * waitsMax) / 1_000} s`);
}

/**
 * Opens a file that belongs to this process's own folders, or stands in a registry's. Rejects with a system
 * error where it cannot be opened, and with an Error in words where it is a pipe, a socket or a device: none
 * of these is waited for.
 */
export async function openRegular(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw Object.assign(new Error(path), { code: 'EISDIR' });
    if (!stats.isFile()) throw new Error(noFile);
    return handle;
  } catch (reason) {
    await handle.close();
    throw reason;
  }
}

/** What a file holds that is opened. Rejects with an Error in words where that is more than `bytesMax`. */
export async function readOpened(handle: FileHandle, bytesMax: number): Promise<Buffer> {
  const { size } = await handle.stat();
  if (size > bytesMax) throw tooLarge(bytesMax);
  const pieces: Buffer[] = [];
  // One more than there should be, so that a file that does not grow is read at once.
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
