import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Clock, keepProcess, sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { makeFolder } from '../../base/files/make-folder.ts';
import type { Logger } from '../../base/log.ts';
import { describeSystemError } from '../../base/system-error.ts';

/** A control plane that is just ending still has the folder for a moment. Milliseconds. */
const busyMsMax = 5_000;
const busyPauseMs = 50;

/** A folder that no other control plane has. */
export interface StateFolder {
  /** Lets another control plane have it. The end of the process does so too, however it ends. */
  release(): void;
}

/**
 * Makes the folder of `--state` and locks it: two control planes in one would overwrite each other's state.
 * The lock is the system's on `lock` in the folder, held by a SQLite connection, as Node has no call for it.
 * Waits 5 s for one that is ending. Throws MeshError `unavailable` if the folder cannot be made, or another
 * control plane has it. Where there are no locks, as on some network file systems, this is logged.
 */
export async function claimStateFolder(
  folder: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<StateFolder> {
  try {
    makeFolder(folder);
  } catch (cause) {
    const message = `the folder of --state cannot be made: ${folder}: ${describeSystemError(cause)}; give another one, or make this one writable`;
    throw new MeshError('unavailable', message, { cause });
  }
  const since = clock.now();
  for (let tries = 0; ; tries += 1) {
    const lock = tryLock(join(folder, 'lock'));
    if (!(lock instanceof Error)) return { release: () => lock.close() };
    if (!isBusy(lock)) {
      const fields = { folder, error: lock.message };
      logger.warn('the folder of --state cannot be locked: start no second control plane in it', fields);
      return { release() {} };
    }
    if (clock.now() - since >= busyMsMax) {
      const message = `another control plane has the folder of --state, ${folder}: stop it, or give each one of its own`;
      throw new MeshError('unavailable', message, { ref: folder });
    }
    if (tries === 0)
      logger.info('waiting: another control plane has the folder of --state', { folder, mostMs: busyMsMax });
    const letEnd = keepProcess();
    await sleep(clock, busyPauseMs).finally(letEnd);
  }
}

/** The connection that has the lock, or why there is none. */
function tryLock(file: string): DatabaseSync | Error {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { timeout: 0 });
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (reason) {
    db?.close();
    return reason as Error;
  }
}

/** SQLITE_BUSY, with its extended codes. */
function isBusy(error: Error & { errcode?: number }): boolean {
  return error.errcode !== undefined && (error.errcode & 0xff) === 5;
}
