import { createHash } from 'node:crypto';
import { type FileHandle, rename, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../base/error.ts';
import { openRegular } from '../../base/files/bounded-file.ts';
import { replaceFile } from '../../base/files/replace-file.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import type { MeshObject } from '../../model/object.ts';

/** The first line of a snapshot. */
interface SnapshotHeader {
  readonly format: 'isthmus registry snapshot';
  /** Of the rest; other versions are not read. Increment it when an object of `model/` changes its fields. */
  readonly version: 1;
  readonly idc: string;
  readonly source: string;
  /** When it was written, in milliseconds since the epoch. */
  readonly writtenAt: number;
  readonly objects: number;
  /** WorkloadEntries among them. */
  readonly instances: number;
  /** Of the bytes after the first line. */
  readonly bytes: number;
  readonly sha256: string;
}

/** A valid snapshot. */
export interface SavedSnapshot {
  readonly header: SnapshotHeader;
  /** When it last equalled the source's state, in milliseconds since the epoch. */
  readonly knownGoodAt: number;
}

const format = 'isthmus registry snapshot';
const version = 1;
// Objects per line: long lines make JSON fast, short ones keep the process responsive.
const lineObjects = 500;

/**
 * Replaces `file`, durably (`replaceFile`). In slices, so that pushes go on.
 * Rejects with MeshError `unavailable` if the disk fails; the old file stays.
 */
export async function writeSnapshot(
  file: string,
  objects: readonly MeshObject[],
  about: { readonly idc: string; readonly source: string; readonly wallMs: number },
): Promise<SnapshotHeader> {
  const hash = createHash('sha256');
  // IDCs are in the first line, so that compiling filters can begin early.
  const isIdc = ({ kind }: MeshObject) => kind === 'Idc';
  const [idcs, others] = [objects.filter(isIdc), objects.filter((object) => !isIdc(object))];
  const lines: Buffer[] = [];
  let bytes = 0;
  let instances = 0;
  const slices = [idcs];
  for (let start = 0; start < others.length; start += lineObjects)
    slices.push(others.slice(start, start + lineObjects));
  for (const slice of slices) {
    for (const object of slice) if (object.kind === 'WorkloadEntry') instances += 1;
    const line = Buffer.from(`${JSON.stringify(slice)}\n`);
    hash.update(line);
    bytes += line.length;
    lines.push(line);
    await yieldToEventLoop();
  }
  const { idc, source, wallMs: writtenAt } = about;
  const sha256 = hash.digest('hex');
  const counts = { objects: objects.length, instances, bytes, sha256 };
  const header: SnapshotHeader = { format, version, idc, source, writtenAt, ...counts };
  try {
    const content = [Buffer.from(`${JSON.stringify(header)}\n`), ...lines];
    await replaceFile(file, content, { isDurable: true });
  } catch (cause) {
    const message = `cannot write the last good state: ${(cause as Error).message}; free or mend the disk`;
    throw new MeshError('unavailable', message, { ref: file, cause });
  }
  return header;
}

/** Marks the snapshot as still current, by the file's time. */
export async function confirmSnapshot(file: string, wallMs: number): Promise<void> {
  await utimes(file, wallMs / 1000, wallMs / 1000);
}

/**
 * Reads only a snapshot's header. Resolves to undefined if there is none. Rejects with MeshError `invalid` if
 * its first line is not one.
 */
export async function readHeader(file: string): Promise<SavedSnapshot | undefined> {
  let handle: FileHandle;
  try {
    handle = await openRegular(file);
  } catch (reason) {
    if ((reason as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new MeshError('unavailable', `cannot be read: ${(reason as Error).message}`, {
      ref: file,
      cause: reason,
    });
  }
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    const header = parseHeader(file, buffer.subarray(0, bytesRead));
    return { header, knownGoodAt: (await handle.stat()).mtimeMs };
  } finally {
    await handle.close();
  }
}

/**
 * Reads and checks a whole snapshot: length, hash, number of objects. Rejects with MeshError `invalid` and
 * the reason unless all is right: never partial. `onIdcs` gets the Idcs once the checks have passed, before
 * the other objects are parsed.
 */
export async function readSnapshot(
  file: string,
  onIdcs: (idcs: readonly MeshObject[]) => void = () => {},
): Promise<SavedSnapshot & { readonly contents: readonly MeshObject[] }> {
  const handle = await openRegular(file);
  const data = await handle.readFile().finally(() => handle.close());
  const header = parseHeader(file, data);
  const body = data.subarray(data.indexOf(0x0a) + 1);
  if (body.length !== header.bytes)
    throw corrupt(file, `it has ${body.length} bytes of objects, not the ${header.bytes} that were written`);
  if (createHash('sha256').update(body).digest('hex') !== header.sha256)
    throw corrupt(file, 'its contents do not match their checksum');
  const contents: MeshObject[] = [];
  for (let start = 0; start < body.length; ) {
    const end = body.indexOf(0x0a, start);
    const slice = JSON.parse(body.toString('utf8', start, end)) as MeshObject[];
    if (start === 0) onIdcs(slice);
    for (const object of slice) contents.push(object);
    start = end + 1;
    await yieldToEventLoop();
  }
  if (contents.length !== header.objects)
    throw corrupt(file, `it has ${contents.length} objects, not the ${header.objects} that it names`);
  return { header, knownGoodAt: (await stat(file)).mtimeMs, contents };
}

function parseHeader(file: string, data: Buffer): SnapshotHeader {
  const end = data.indexOf(0x0a);
  let header: Partial<SnapshotHeader> | undefined;
  try {
    header = JSON.parse(data.toString('utf8', 0, Math.max(end, 0)));
  } catch {
    // Reported below, with other errors.
  }
  if (header?.format !== format) throw corrupt(file, 'its first line is not the one of a registry snapshot');
  if (header.version !== version)
    throw corrupt(file, `it is of version ${header.version}; this program reads version ${version}`);
  return header as SnapshotHeader;
}

function corrupt(file: string, why: string): MeshError {
  return new MeshError('invalid', `the last good state is not used: ${why}`, { ref: file });
}

/** Sets an unusable snapshot aside, for inspection; resolves to its new name. */
export async function setAside(file: string, wallMs: number): Promise<string> {
  const aside = `${file}.refused-${new Date(wallMs).toISOString().replaceAll(':', '')}`;
  await rename(file, aside);
  return aside;
}

/** The file of a source's snapshot. */
export function snapshotPath(folder: string, source: string): string {
  return join(folder, `registry-${encodeURIComponent(source)}.jsonl`);
}
