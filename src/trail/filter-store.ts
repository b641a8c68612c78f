import { mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openRegular, readOpened } from '../base/files/bounded-file.ts';
import { replaceFile } from '../base/files/replace-file.ts';

/** Stored filters, a few KiB each: the four listeners of 32 policies. */
const filesMax = 128;

/** Far above the size of a filter. */
const filterBytesMax = 16 * 2 ** 20;

/** A filter stored by an earlier process; undefined if there is none. The caller has to check it. */
export async function readStored(file: string): Promise<Uint8Array | undefined> {
  try {
    const handle = await openRegular(file);
    return new Uint8Array(await readOpened(handle, filterBytesMax).finally(() => handle.close()));
  } catch {
    return undefined;
  }
}

/**
 * Stores a filter for the next process, and drops the oldest beyond `filesMax`. Rejects if the folder cannot
 * be written.
 */
export async function writeStored(file: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  await replaceFile(file, bytes, { mode: 0o666, isShared: true });
  const names = (await readdir(folder)).filter((name) => name.endsWith('.wasm'));
  if (names.length <= filesMax) return;
  // Processes may share the folder: a file dropped by another is not an error.
  const aged = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      return { path, at: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 };
    }),
  );
  aged.sort((a, b) => a.at - b.at);
  for (const { path } of aged.slice(0, names.length - filesMax)) await unlink(path).catch(() => {});
}
