import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { systemErrorCode } from '../../base/system-error.ts';

/** Watches folders for changes of what is directly in them. */
interface Watchers {
  /**
   * Watches exactly these folders: path below the root → identity. A folder with a changed identity is
   * watched again. Returns whether a watch was added.
   */
  update(folders: ReadonlyMap<string, string>): boolean;
  /** Why some folder could not be watched; undefined if all are. */
  readonly problem: string | undefined;
  /** Ends all watching for good. */
  close(): void;
}

/**
 * Creates watchers below `root`. `onEvent` gets the changed path below the root; undefined if unknown. One
 * inotify watch per folder: Node's recursive mode opens one per file, and misses replaced files.
 */
export function createWatchers(root: string, onEvent: (path: string | undefined) => void): Watchers {
  const open = new Map<string, { identity: string; watcher: FSWatcher }>();
  let problem: string | undefined;
  let closed = false;

  function close(folder: string): void {
    open.get(folder)?.watcher.close();
    open.delete(folder);
  }

  function start(folder: string, identity: string): void {
    try {
      const watcher = watch(join(root, folder), (_, name) => {
        onEvent(name === null ? undefined : folder === '' ? name : `${folder}/${name}`);
      });
      // The folder or its file system is gone: the next scan shows what is left.
      watcher.on('error', () => {
        close(folder);
        onEvent(undefined);
      });
      open.set(folder, { identity, watcher });
    } catch (reason) {
      if (systemErrorCode(reason) !== 'ENOENT') problem = systemErrorCode(reason);
    }
  }

  return {
    update(folders) {
      // A scan in progress when the source was stopped must not start watching again.
      if (closed) return false;
      problem = undefined;
      for (const [folder, { identity }] of open) if (folders.get(folder) !== identity) close(folder);
      let isNew = false;
      for (const [folder, identity] of folders) {
        if (open.has(folder)) continue;
        start(folder, identity);
        isNew = true;
      }
      return isNew;
    },
    get problem() {
      return problem;
    },
    close() {
      closed = true;
      for (const folder of [...open.keys()]) close(folder);
    },
  };
}
