/**
 * The URL of a file that is started and not imported, a thread's or a process's: `.ts` in the source tree,
 * `.js` in what is published, as the file at `here` is. `path` has no extension and is relative to it.
 */
export function siblingUrl(here: string, path: string): URL {
  return new URL(`${path}${here.endsWith('.ts') ? '.ts' : '.js'}`, here);
}
