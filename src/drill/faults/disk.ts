import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MeshError } from '../../base/error.ts';

/**
 * Mounts a disk of so many KiB, in memory, at a folder, which it makes. Throws MeshError 'unsupported' when
 * it may not.
 */
export function mountDisk(dir: string, kib: number): void {
  mkdirSync(dir, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k,mode=700`, 'tmpfs', dir], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  } catch (cause) {
    const [said = ''] = String((cause as { stderr?: unknown }).stderr ?? '')
      .trim()
      .split('\n');
    const why = (said || (cause as Error).message).replace(/\.$/, '');
    const message = `Cannot mount a small disk: ${why}. To fill a disk (\`fill\`) a drill needs Linux and root.`;
    throw new MeshError('unsupported', message, { cause });
  }
}

/**
 * Whether this machine lets us mount one. Throws MeshError 'unsupported' that says what is missing, having
 * left nothing.
 */
export function checkDisk(): void {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-disk-'));
  try {
    mountDisk(dir, 64);
    unmountDisks(dir);
  } finally {
    rmdirSync(dir);
  }
}

/** Unmounts every disk at or below a folder, also such that are in use. */
export function unmountDisks(dir: string): void {
  for (const line of mounts()) {
    const at = line.split(' ')[1] ?? '';
    if (at !== dir && !at.startsWith(`${dir}/`)) continue;
    try {
      execFileSync('umount', ['--lazy', at], { stdio: 'ignore' });
    } catch {
      // Unmounted by another process of the drill meanwhile.
    }
  }
}

function mounts(): string[] {
  try {
    return readFileSync('/proc/self/mounts', 'utf8').split('\n');
  } catch {
    return [];
  }
}

const fillerOf = (dir: string) => join(dir, 'filler');

/**
 * Writes to a disk until it has no room left, and resolves with how many bytes it took. Throws MeshError
 * 'internal' when it takes more than `bytesMax`: then it is not the small disk of a drill.
 */
export function fillDisk(dir: string, bytesMax: number): number {
  const file = openSync(fillerOf(dir), 'a');
  let taken = 0;
  try {
    // Down to the last page: what is left must not do for another row.
    for (const size of [65_536, 4096, 1]) {
      const piece = Buffer.alloc(size);
      while (taken <= bytesMax) {
        try {
          taken += writeSync(file, piece);
        } catch (reason) {
          if ((reason as NodeJS.ErrnoException).code === 'ENOSPC') break;
          throw reason;
        }
      }
    }
  } finally {
    closeSync(file);
  }
  if (taken > bytesMax) throw new MeshError('internal', `${dir} took ${taken} bytes and is not full`);
  return taken;
}

/** Gives its room back. */
export function freeDisk(dir: string): void {
  rmSync(fillerOf(dir), { force: true });
}
