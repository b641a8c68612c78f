import { lstatSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * The user's folder for what can be made again: `isthmus` in XDG_CACHE_HOME, else in ~/.cache. It is created.
 * Its content is executed, so it must be this user's own, and writable by nobody else; undefined: it is not,
 * or there can be none.
 */
export function userCacheFolder(cache: string | undefined = process.env.XDG_CACHE_HOME): string | undefined {
  try {
    const folder = join(cache || join(homedir(), '.cache'), 'isthmus');
    // A relative path would depend on the working directory, which others may own (XDG Base Directory
    // Specification).
    if (!isAbsolute(folder)) return undefined;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    const isOwn = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
    return isOwn ? folder : undefined;
  } catch {
    // No home, or it cannot be written to.
    return undefined;
  }
}
