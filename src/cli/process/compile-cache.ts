import { lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Lets Node keep what it compiles, in a folder of the user's: a command starts in half of the time then. What
 * lies there is run as it is, so it is used only where it is this user's own. Off where NODE_COMPILE_CACHE
 * says another folder, or NODE_DISABLE_COMPILE_CACHE; without a folder nothing is kept.
 */
export function useCompileCache(): void {
  const { NODE_COMPILE_CACHE: given, NODE_V8_COVERAGE: coverage, XDG_CACHE_HOME: cache } = process.env;
  if (given !== undefined || coverage !== undefined) return;
  try {
    const folder = join(cache || join(homedir(), '.cache'), 'isthmus');
    // Of a relative one anybody whose folder this runs in would decide (XDG Base Directory Specification).
    if (!isAbsolute(folder)) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    const isOwn = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
    if (isOwn) enableCompileCache(folder);
  } catch {
    // No home, or nothing can be written there.
  }
}
