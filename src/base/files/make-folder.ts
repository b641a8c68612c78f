import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemErrorCode } from '../system-error.ts';

/**
 * Makes a folder and those above it; one that is there is left as it is. Throws the error of the system call.
 * `mkdirSync` with `recursive` never returns where a folder that exists answers ENOENT, such as /proc.
 */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (cause) {
    const code = systemErrorCode(cause);
    const above = dirname(folder);
    if (code === 'ENOENT' && above !== folder) {
      makeFolder(above);
      // Once more only: the folder above is there now.
      makeLast(folder);
    } else if (!isFolder(folder)) throw cause;
  }
}

function makeLast(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (cause) {
    if (isFolder(folder)) return;
    throw cause;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
