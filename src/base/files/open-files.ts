import { readFileSync } from 'node:fs';

/** The limit on open files and sockets of this process; if unknown (not Linux), 1,024. */
export function filesMax(): number {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft ?? 1_024);
  } catch {
    return 1_024;
  }
}

/**
 * The URL of a file that is started and not imported, a thread's or a process's: `.ts` in the source tree,
 * `.js` in what is published, as the file at `here` is. `path` has no extension and is relative to it.
 */
export function siblingUrl(here: string, path: string): URL {
  return new URL(`${path}${here.endsWith('.ts') ? '.ts' : '.js'}`, here);
}
