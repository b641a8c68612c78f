import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../../base/package/version.ts';

/** How long git may take, in milliseconds. */
const gitMs = 5000;

/**
 * The version of Isthmus and, in a source tree, its commit: `0.1.0, commit 0123456789ab, with local changes`.
 * `root`: the top of the tree. Never throws: without git, or outside of a clone, it is the version alone.
 */
export function sourceVersion(root = fileURLToPath(new URL('../../../', import.meta.url))): string {
  // A folder above may be the clone of something else.
  if (!existsSync(`${root}/.git`)) return packageVersion;
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', root, ...args], {
      encoding: 'utf8',
      timeout: gitMs,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const commit = git('rev-parse', '--short=12', 'HEAD');
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return `${packageVersion}, commit ${commit}${changed ? ', with local changes' : ''}`;
  } catch {
    return packageVersion;
  }
}
