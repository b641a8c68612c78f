import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { noFile, systemErrorCode } from '../../base/system-error.ts';

/** What a folder and the folders in it hold, as far as the registry reads it. */
export interface Scan {
  /** Path below the root, with `/` → signature, for each file to read. */
  readonly files: ReadonlyMap<string, string>;
  /** Path below the root ('' is the root) → identity, for each folder. */
  readonly folders: ReadonlyMap<string, string>;
  /**
   * Path below the root of what could not be looked at → the reason. What lies there is unknown, not gone.
   */
  readonly unreadable: ReadonlyMap<string, string>;
}

/** Whether a name is one that the registry reads: YAML or JSON, not hidden, no editor's backup or lock. */
export function isRegistryFile(name: string): boolean {
  return /\.(?:ya?ml|json)$/.test(name) && !/^[.#]/.test(name);
}

/** Whether a folder's name says that what is in it is not meant to be read. */
export function isHidden(name: string): boolean {
  return name.startsWith('.');
}

/**
 * Changes whenever a file does; equal signatures of different content would need one clock tick and one size.
 */
export function signatureOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
}

/** Which folder it is: another one, when something else is mounted or linked there. */
export function identityOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}`;
}

/**
 * Most folders that are looked at: links that lead to each other make more of a few than there is time for.
 */
const foldersMax = 10_000;

/**
 * Looks at a folder, its sub-folders and where their symbolic links lead. Throws Node's own error when the
 * root cannot be read, and one in words when there are too many folders.
 */
export async function scanFolder(root: string): Promise<Scan> {
  const files = new Map<string, string>();
  const folders = new Map<string, string>();
  const unreadable = new Map<string, string>();
  let visits = 0;

  async function visit(folder: string, above: ReadonlySet<string>): Promise<void> {
    visits += 1;
    if (visits > foldersMax) return;
    const identity = identityOf(await stat(join(root, folder)));
    // A link to a folder that it lies in would go on for ever.
    if (above.has(identity)) return;
    const items = await readdir(join(root, folder), { withFileTypes: true });
    folders.set(folder, identity);
    const path = new Set([...above, identity]);
    await Promise.all(items.map((item) => visitItem(item, folder, path)));
  }

  async function visitItem(item: Dirent, folder: string, above: ReadonlySet<string>): Promise<void> {
    const wanted = isRegistryFile(item.name);
    if (isHidden(item.name) || (item.isFile() && !wanted)) return;
    const path = folder === '' ? item.name : `${folder}/${item.name}`;
    try {
      const isFolder = item.isDirectory();
      const stats = isFolder ? undefined : await stat(join(root, path));
      if (isFolder || stats?.isDirectory()) await visit(path, above);
      else if (wanted && stats?.isFile()) files.set(path, signatureOf(stats));
      else if (wanted) unreadable.set(path, noFile);
    } catch (reason) {
      // What went between the look and now, and a link that leads nowhere, are gone.
      if (systemErrorCode(reason) !== 'ENOENT') unreadable.set(path, systemErrorCode(reason));
    }
  }

  await visit('', new Set());
  if (visits > foldersMax) throw new Error(tooMany);
  return { files: new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1))), folders, unreadable };
}

const tooMany = `there are more than ${foldersMax} folders, those that links lead to counted each time; do links in it lead to each other?`;
