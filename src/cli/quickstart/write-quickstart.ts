import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../../base/error.ts';
import { makeFolder } from '../../base/files/make-folder.ts';
import { describeSystemError, systemErrorCode } from '../../base/system-error.ts';
import { bootstrapCommand } from '../commands/bootstrap.ts';
import { appText } from './app.ts';
import { quickObjects } from './objects.ts';
import { quickReadme } from './readme.ts';
import { runScript } from './run-script.ts';
import { type QuickEnvoy, quickEnvoys, quickTokenFile } from './world.ts';

/**
 * Writes the quickstart into a folder, which is made unless it exists and is empty. Rejects with MeshError
 * `conflict` if it has anything in it, `invalid` if it is no folder or cannot be written.
 */
export async function writeQuickstart(dir: string): Promise<void> {
  const bootstraps = await Promise.all(quickEnvoys.map(bootstrapText));
  const isthmus = [process.execPath, realpathSync(process.argv[1] ?? '')];
  const files: [path: string, text: string][] = [
    ...Object.entries(quickObjects()).map(([name, text]): [string, string] => [`config/${name}`, text]),
    ...quickEnvoys.map(({ file }, i): [string, string] => [file, bootstraps[i] ?? '']),
    ['app.mjs', appText],
    ['README.md', quickReadme()],
    ['run.sh', runScript(isthmus, process.execPath)],
  ];
  try {
    makeFolder(dir);
    checkEmpty(dir);
    for (const below of ['config', 'envoy', 'log', 'run', 'state']) mkdirSync(join(dir, below));
    for (const [path, text] of files) writeFileSync(join(dir, path), text);
    // Whoever has it may change what the control planes do.
    writeFileSync(join(dir, quickTokenFile), `${randomBytes(16).toString('hex')}\n`, { mode: 0o600 });
    chmodSync(join(dir, 'run.sh'), 0o755);
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    // A file in the place of the folder, or of one above it.
    const why = ['EEXIST', 'ENOTDIR'].includes(systemErrorCode(cause))
      ? 'it, or a part of its path, is a file'
      : describeSystemError(cause);
    throw new MeshError('invalid', `${dir} cannot be written: ${why}. Name another folder.`, { cause });
  }
}

function checkEmpty(dir: string): void {
  const there = readdirSync(dir);
  if (there.length > 0) {
    throw new MeshError(
      'conflict',
      `${dir} is not empty (it has ${there[0]}): nothing is overwritten. Name a new folder, or remove this one.`,
    );
  }
}

/** What `isthmus bootstrap` prints for an Envoy: the command itself is run. */
async function bootstrapText({ bootstrap }: QuickEnvoy): Promise<string> {
  let text = '';
  const [, , ...args] = bootstrap.join(' ').split(' ');
  await bootstrapCommand((part) => {
    text += part;
  }).parseAsync(args, { from: 'user' });
  return text;
}
