import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Test } from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A text that is added to a file, before another that stands there just once; no `before`: a new file. */
export interface Plant {
  readonly file: string;
  readonly before?: string;
  readonly text: string;
}

/** A copy of the sources with something added. */
export interface PlantedSources {
  readonly dir: string;
  /** Imports one of its modules. */
  // biome-ignore lint/suspicious/noExplicitAny: a module that the compiler does not see
  load(path: string): Promise<any>;
}

/** Copies the sources, and plants what is given: what a list of "to add" names, and nothing else. */
export function plantSources(t: Test, ...plants: readonly Plant[]): PlantedSources {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const dir = mkdtempSync(join(root, '.cache', 'planted-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  cpSync(join(root, 'src'), join(dir, 'src'), { recursive: true });
  for (const name of ['protos', 'wasm', 'package.json']) symlinkSync(join(root, name), join(dir, name));
  for (const { file, before, text } of plants) {
    const path = join(dir, file);
    if (before === undefined) {
      writeFileSync(path, text);
      continue;
    }
    const old = readFileSync(path, 'utf8');
    t.equal(old.split(before).length, 2, `${file} has one place for it`);
    writeFileSync(
      path,
      old.replace(before, () => `${text}${before}`),
    );
  }
  return { dir, load: (path) => import(pathToFileURL(join(dir, path)).href) };
}
