import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Finding } from '../../model/finding.ts';
import type { Change, MeshObject } from '../../model/object.ts';
import type { LossRule } from './loss-guard.ts';
import { readHeader, readSnapshot, type SavedSnapshot, setAside } from './snapshot-file.ts';

interface SavedStateOptions {
  /** The snapshot; the folder that it is in is created. */
  readonly file: string;
  readonly idc: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What an earlier process left. */
interface SavedState {
  /** Undefined: there is none, or none that can be used. Rejects if the folder cannot be made. */
  find(): Promise<SavedSnapshot | undefined>;
  /** Its objects; undefined: they cannot be used. `onIdcs` gets the Idcs first. */
  read(onIdcs?: (idcs: readonly MeshObject[]) => void): Promise<readonly MeshObject[] | undefined>;
  /** Why it was set aside, if it was. */
  readonly refusal: Finding | undefined;
}

/** Reads the last good state. An unusable file is told of and set aside; the start goes on without it. */
export function createSavedState({ file, idc, clock, logger }: SavedStateOptions): SavedState {
  let refusal: Finding | undefined;

  async function refusing<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (cause) {
      const aside = await setAside(file, clock.wall()).catch(() => file);
      const message = `${MeshError.from(cause).message}. It was set aside.`;
      refusal = { code: 'SnapshotRefused', severity: 'error', where: aside, path: '', message };
      logger.error('last good state refused', { file: aside, reason: message });
      return undefined;
    }
  }

  return {
    async find() {
      await mkdir(dirname(file), { recursive: true }).catch((cause: Error) => {
        const message = `the folder of --state cannot be made: ${cause.message}; give another one, or make this one writable`;
        throw new MeshError('unavailable', message, { cause });
      });
      return refusing(async () => {
        const found = await readHeader(file);
        if (found !== undefined && found.header.idc !== idc)
          throw new MeshError('invalid', `the last good state is not used: it is of IDC ${found.header.idc}`);
        return found;
      });
    },
    read: async (onIdcs) => (await refusing(() => readSnapshot(file, onIdcs)))?.contents,
    get refusal() {
      return refusal;
    },
  };
}

/**
 * Whether a source that told of `batch` has so much less than a snapshot that the snapshot is read and
 * compared.
 */
export function looksLost(
  batch: readonly Change[],
  header: SavedSnapshot['header'],
  { objectsMin, shareMax, soleMs }: LossRule,
): boolean {
  const found = batch.filter(({ type }) => type === 'upsert').length;
  const instances = batch.filter(
    (one) => one.type === 'upsert' && one.object.kind === 'WorkloadEntry',
  ).length;
  const lost = header.objects - found;
  return (
    (soleMs > 0 && lost > 0) ||
    (found === 0 && lost > 0) ||
    (instances === 0 && header.instances > 1) ||
    (lost >= objectsMin && lost > header.objects * shareMax)
  );
}
