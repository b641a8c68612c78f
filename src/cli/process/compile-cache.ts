import { lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Enables Node's compile cache in a folder of the user's, which halves the start of a command. Its content is
 * executed, so the folder must be this user's own. Off if NODE_COMPILE_CACHE names another folder, or with
 * NODE_DISABLE_COMPILE_CACHE; without a folder there is no cache.
 */
export function useCompileCache(): void {
  const { NODE_COMPILE_CACHE: given, NODE_V8_COVERAGE: coverage, XDG_CACHE_HOME: cache } = process.env;
  if (given !== undefined || coverage !== undefined) return;
  try {
    const folder = join(cache || join(homedir(), '.cache'), 'isthmus');
    // A relative path would depend on the working directory, which others may own (XDG Base Directory
    // Specification).
    if (!isAbsolute(folder)) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    const isOwn = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
    if (isOwn) enableCompileCache(folder);
  } catch {
    // No home, or it cannot be written to.
  }
}
