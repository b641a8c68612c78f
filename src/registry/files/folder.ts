import { lstat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemErrorCode } from '../../base/system-error.ts';
import { createFileReader, type FileState, type HalfWrittenRule } from './file-reader.ts';
import { createObjectsInForce, type ObjectsInForce } from './objects-in-force.ts';
import { isHidden, isRegistryFile, type Scan, scanFolder } from './scan.ts';

/** A folder as last read; it neither watches nor waits. All times are the clock's, in milliseconds. */
interface Folder {
  /** The objects of its files. */
  readonly catalog: ObjectsInForce;
  readonly files: ReadonlyMap<string, FileState>;
  /** Paths of files that may be half-written: read them again soon. */
  readonly halfWritten: ReadonlySet<string>;
  /** Paths of files with something to report. */
  readonly withFindings: ReadonlySet<string>;
  /** Of the last successful scan. */
  readonly scan: Scan;
  /** The code of the system error for which the folder cannot be read. */
  readonly unreachable: string | undefined;
  /** Scans the whole folder; returns the files to read. Deleted files are forgotten. */
  rescan(): Promise<string[]>;
  /** Reads files; returns whether the report may have changed. */
  read(paths: Iterable<string>, now: number): Promise<boolean>;
  /** What an event at a path requires. */
  classify(path: string): Promise<'file' | 'folder' | 'nothing'>;
  /** Treats all files as deleted. */
  clear(): void;
}

/** Concurrent reads of files. */
const readsMax = 32;

/** Creates an unread folder; messages name it as `path`. */
export function createFolder(path: string, rule: HalfWrittenRule): Folder {
  const catalog = createObjectsInForce();
  const reader = createFileReader(path, path, rule);
  let scan: Scan = { files: new Map(), folders: new Map(), unreadable: new Map() };
  let unreachable: string | undefined;

  function forget(file: string): void {
    reader.forget(file);
    catalog.setFile(file, []);
  }

  async function readOne(file: string, now: number): Promise<boolean> {
    const result = await reader.read(file, now);
    if (result === 'changed' || result === 'gone')
      catalog.setFile(file, reader.files.get(file)?.entries ?? []);
    return result === 'changed' || result === 'gone';
  }

  return {
    catalog,
    files: reader.files,
    halfWritten: reader.halfWritten,
    withFindings: reader.withFindings,
    get scan() {
      return scan;
    },
    get unreachable() {
      return unreachable;
    },
    async rescan() {
      try {
        scan = await scanFolder(path);
        unreachable = undefined;
      } catch (reason) {
        unreachable = systemErrorCode(reason);
        return [];
      }
      for (const file of [...reader.files.keys()]) {
        if (!scan.files.has(file) && !isBelow(file, scan.unreadable)) forget(file);
      }
      return [...scan.files].flatMap(([file, signature]) => {
        const state = reader.files.get(file);
        return state?.signature === signature && state.readError === undefined ? [] : [file];
      });
    },
    async read(paths, now) {
      let changed = false;
      const sorted = [...paths].sort();
      for (let next = 0; next < sorted.length; next += readsMax) {
        const looks = await Promise.all(
          sorted.slice(next, next + readsMax).map((file) => readOne(file, now)),
        );
        changed ||= looks.includes(true);
      }
      return changed;
    },
    async classify(at) {
      const name = basename(at);
      // The files of a ConfigMap change by swapping the link `..data`, without events of their own.
      if (name.startsWith('..')) return 'folder';
      if (at.split('/').some(isHidden)) return 'nothing';
      // Paths that could not be read need a scan.
      if (scan.folders.has(at) || scan.unreadable.has(at)) return 'folder';
      try {
        const stats = await lstat(join(path, at));
        if (stats.isDirectory()) return 'folder';
        // A pipe, a socket or a device is reported by the scan, and never opened.
        if (!stats.isFile() && !stats.isSymbolicLink()) return isRegistryFile(name) ? 'folder' : 'nothing';
        // A link with another name may lead to a folder.
        return isRegistryFile(name) ? 'file' : stats.isSymbolicLink() ? 'folder' : 'nothing';
      } catch {
        return isRegistryFile(name) ? 'file' : 'nothing';
      }
    },
    clear() {
      for (const file of [...reader.files.keys()]) forget(file);
    },
  };
}

/** Whether a path is unreadable, or below one that is. */
function isBelow(path: string, unreadable: ReadonlyMap<string, string>): boolean {
  for (const top of unreadable.keys()) if (path === top || path.startsWith(`${top}/`)) return true;
  return false;
}
