import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MeshError } from '../../base/error.ts';
import { readBounded } from '../../base/files/bounded-file.ts';
import { decodeText } from '../../base/files/encoding.ts';
import { describeSystemError, systemErrorCode } from '../../base/system-error.ts';
import { misencodedContent, readContent } from '../files/documents.ts';
import { type FileState, registryFileBytesMax } from '../files/file-reader.ts';
import { createFolder } from '../files/folder.ts';
import { unreadableFolder } from '../files/folder-report.ts';

/** What was read for a check. Files have the names that messages give them. */
export interface ReadInputs {
  /** Folders that hold no file that is read. */
  readonly emptyFolders: readonly string[];
  readonly files: ReadonlyMap<string, FileState>;
  /** Files in folders that cannot be read, with the reason or the code of the system's error. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** Files with something to report. */
  readonly withFindings: ReadonlySet<string>;
}

/** The path that stands for standard input, and its name in messages. */
const standardInput = { path: '-', name: '<stdin>' } as const;

/** Largest standard input, pipe or device, in bytes: it has no size that could be looked at before. */
export const streamBytesMax = 64 * 2 ** 20;

/**
 * Reads files, folders with all below them, and standard input (`-`). A file that is named is read whatever
 * its name, also a pipe such as `<(command)`; one that is named twice, or is in a named folder, counts once.
 * `stdin` reads standard input. Throws a MeshError with a line for each path that cannot be read.
 */
export async function readInputs(
  paths: readonly string[],
  stdin: () => Promise<Buffer>,
): Promise<ReadInputs> {
  const reading = new Reading(stdin);
  const failures: MeshError[] = [];
  for (const path of new Set(paths)) {
    try {
      await reading.read(path);
    } catch (reason) {
      failures.push(MeshError.from(reason));
    }
  }
  const [first] = failures;
  if (first === undefined) return reading;
  if (failures.length === 1) throw first;
  throw new MeshError(first.code, failures.map(({ message }) => message).join('\n'));
}

class Reading implements ReadInputs {
  readonly emptyFolders: string[] = [];
  readonly files = new Map<string, FileState>();
  readonly unreadable = new Map<string, string>();
  readonly withFindings = new Set<string>();
  readonly #resolved = new Set<string>();
  readonly #stdin: () => Promise<Buffer>;

  constructor(stdin: () => Promise<Buffer>) {
    this.#stdin = stdin;
  }

  async read(path: string): Promise<void> {
    if (path === standardInput.path) return this.#readText(standardInput.name, await readWhole(this.#stdin));
    const isFolder = await isFolderAt(path);
    if (isFolder) return this.#readFolder(path);
    const name = join(path);
    if (this.#isNew(name)) await this.#readText(name, await readWhole(() => readNamed(path), path));
  }

  async #readText(name: string, bytes: Buffer): Promise<void> {
    const decoded = decodeText(bytes);
    const content =
      'text' in decoded
        ? await readContent(name, decoded.text)
        : misencodedContent(name, bytes.toString('latin1'), decoded.encoding);
    this.#add(name, { signature: '', content, entries: content.entries });
  }

  async #readFolder(path: string): Promise<void> {
    // A single check has no later one: the current content applies.
    const folder = createFolder(path, { unchangedMs: 0, unchangedMsMax: 0 });
    const found = await folder.rescan();
    if (folder.unreachable !== undefined) throw unreadableFolder(path, folder.unreachable);
    await folder.read(found, 0);
    await folder.read(folder.halfWritten, 0);
    if (folder.scan.files.size === 0) this.emptyFolders.push(path);
    for (const [below, code] of folder.scan.unreadable) this.unreadable.set(join(path, below), code);
    for (const [below, state] of folder.files) {
      const name = join(path, below);
      if (this.#isNew(name)) this.#add(name, state);
    }
  }

  #add(name: string, state: FileState): void {
    this.files.set(name, state);
    const isTold = state.readError !== undefined || (state.content?.problems.length ?? 0) > 0;
    if (isTold) this.withFindings.add(name);
  }

  #isNew(name: string): boolean {
    const whole = resolve(name);
    if (this.#resolved.has(whole)) return false;
    this.#resolved.add(whole);
    return true;
  }
}

async function isFolderAt(path: string): Promise<boolean> {
  try {
    const stats = await stat(path);
    if (stats.isBlockDevice()) throw new Error('it is a disk');
    return stats.isDirectory();
  } catch (reason) {
    throw unreadable(path, reason);
  }
}

/** Reads a file, a pipe or a device to its end. Nothing from a pipe is a fault of the command before it. */
async function readNamed(path: string): Promise<Buffer> {
  const stats = await stat(path);
  const bytes = readBounded(path, stats.isFile() ? registryFileBytesMax : streamBytesMax);
  if (bytes.length === 0 && stats.isFIFO()) throw new Error('it is a pipe, and nothing was written to it');
  return bytes;
}

async function readWhole(read: () => Promise<Buffer>, path = 'standard input'): Promise<Buffer> {
  try {
    return await read();
  } catch (reason) {
    throw unreadable(path, reason);
  }
}

function unreadable(path: string, reason: unknown): MeshError {
  const isMissing = systemErrorCode(reason) === 'ENOENT';
  const advice = isMissing ? '; correct the path' : '';
  const message = `${path} cannot be read: ${describeSystemError(reason)}${advice}`;
  return new MeshError(isMissing ? 'not-found' : 'unavailable', message, { ref: path, cause: reason });
}
