import { chmodSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../../base/error.ts';
import { makeFolder } from '../../base/files/make-folder.ts';
import { replaceFileSync } from '../../base/files/replace-file.ts';
import { describeSystemError } from '../../base/system-error.ts';

/** The database of an authority: roots, hashes of tokens, who has a certificate. */
export const databaseOf = (folder: string) => join(folder, 'ca.db');

const keyFileOf = (folder: string, root: number) => join(folder, `root-${root}.key`);

/** Makes the folder of an authority, which its owner alone may enter. Throws MeshError `unavailable`. */
export function makeCaFolder(folder: string): void {
  try {
    makeFolder(folder);
    chmodSync(folder, 0o700);
  } catch (cause) {
    throw new MeshError('unavailable', `${folder} cannot be made: ${describeSystemError(cause)}`, { cause });
  }
}

/** Stores the key of a root, for its owner alone. Throws MeshError `unavailable`. */
export function writeRootKey(folder: string, root: number, key: string): void {
  const file = keyFileOf(folder, root);
  try {
    replaceFileSync(file, key, { isDurable: true });
  } catch (cause) {
    throw new MeshError('unavailable', `${file} cannot be written: ${describeSystemError(cause)}`, { cause });
  }
}

/**
 * Reads the key of a root. Throws MeshError `forbidden` if others than its owner may read or write the file,
 * `unavailable` if it cannot be read.
 */
export function readRootKey(folder: string, root: number): string {
  const file = keyFileOf(folder, root);
  try {
    const { mode } = statSync(file);
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0');
      throw new MeshError(
        'forbidden',
        `${file} has mode ${shown}: others may read the key of the root, or may have. Make a new root (isthmus ca rotate start), or, if nobody has, chmod 600 ${file}`,
        { ref: file },
      );
    }
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError('unavailable', `${file} cannot be read: ${describeSystemError(cause)}`, { cause });
  }
}

/** Removes the key of a root that signs no more. */
export function removeRootKey(folder: string, root: number): void {
  rmSync(keyFileOf(folder, root), { force: true });
}
