import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { notRegularFile, systemErrorCode } from '../../base/system-error.ts';
import { compareText } from '../../base/text/compare-text.ts';

/** The content of a folder and its sub-folders. */
export interface Scan {
  /** Path below the root, with `/` → signature, for each file to read. */
  readonly files: ReadonlyMap<string, string>;
  /** Path below the root ('' is the root) → identity, for each folder. */
  readonly folders: ReadonlyMap<string, string>;
  /** Path below the root of what could not be read → the reason. Its content is unknown, not deleted. */
  readonly unreadable: ReadonlyMap<string, string>;
}

/**
 * Whether the registry reads a file of this name: YAML or JSON, not hidden, not an editor's backup or lock.
 */
export function isRegistryFile(name: string): boolean {
  return /\.(?:ya?ml|json)$/.test(name) && !/^[.#]/.test(name);
}

/** Whether a folder of this name is skipped. */
export function isHidden(name: string): boolean {
  return name.startsWith('.');
}

/** Changes when a file does; a collision would need equal size within one clock tick. */
export function signatureOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
}

/** The identity of a folder: changes when another is mounted or linked there. */
function identityOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}`;
}

/** Most folders scanned: links to each other multiply a few without bound. */
const foldersMax = 10_000;

/**
 * Scans a folder, its sub-folders and the targets of symbolic links. Throws Node's error if the root cannot
 * be read, and one with a message if there are too many folders.
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
    // A link to a parent folder would recurse without end.
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
      else if (wanted) unreadable.set(path, notRegularFile);
    } catch (reason) {
      // Deleted meanwhile, or a dangling link: does not exist.
      if (systemErrorCode(reason) !== 'ENOENT') unreadable.set(path, systemErrorCode(reason));
    }
  }

  await visit('', new Set());
  if (visits > foldersMax) throw new Error(tooMany);
  return { files: new Map([...files].sort(([a], [b]) => compareText(a, b))), folders, unreadable };
}

const tooMany = `there are more than ${foldersMax} folders, those that links lead to counted each time; do links in it lead to each other?`;
