import { enableCompileCache } from 'node:module';
import { userCacheFolder } from './cache-folder.ts';

/**
 * Enables Node's compile cache in the user's cache folder, which halves the start of a command. Off if
 * NODE_COMPILE_CACHE names another folder, or with NODE_DISABLE_COMPILE_CACHE; without a folder there is no
 * cache.
 */
export function useCompileCache(): void {
  const { NODE_COMPILE_CACHE: given, NODE_V8_COVERAGE: coverage } = process.env;
  if (given !== undefined || coverage !== undefined) return;
  const folder = userCacheFolder();
  if (folder !== undefined) enableCompileCache(folder);
}
