import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** How a file is replaced. */
interface Replacement {
  /** Permissions of a new file; default: only its owner may read and write it. */
  readonly mode?: number;
  /** Whether the content and its name in the folder are on the disk when the call is done. Default: not. */
  readonly isDurable?: boolean;
  /** Whether other processes may replace the file at the same time. Default: not. */
  readonly isShared?: boolean;
}

/**
 * Replaces a file, or creates it: readers see the old content or the new one, never a part. The content is
 * written to a hidden file in the same folder, which is then renamed. Rejects with the system's error; the
 * old file stays. One call at a time for a file of this process.
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array | readonly Uint8Array[],
  how: Replacement = {},
): Promise<void> {
  const beside = besideOf(file, how);
  try {
    const handle = await open(beside, 'w', how.mode ?? ownerOnly);
    try {
      await handle.writeFile(content);
      if (how.isDurable) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
  } catch (reason) {
    await unlink(beside).catch(() => {});
    throw reason;
  }
  if (!how.isDurable) return;
  const folder = await open(dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}

/** The same, synchronously: throws the system's error. */
export function replaceFileSync(file: string, text: string, how: Replacement = {}): void {
  const beside = besideOf(file, how);
  try {
    const handle = openSync(beside, 'w', how.mode ?? ownerOnly);
    try {
      writeFileSync(handle, text);
      if (how.isDurable) fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(beside, file);
  } catch (reason) {
    removeQuietly(beside);
    throw reason;
  }
  if (!how.isDurable) return;
  const folder = openSync(dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

const ownerOnly = 0o600;

function besideOf(file: string, { isShared = false }: Replacement): string {
  return join(dirname(file), `.${basename(file)}${isShared ? `.${process.pid}` : ''}.new`);
}

function removeQuietly(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // It was not created, or the folder is gone: the caller gets the first error.
  }
}
