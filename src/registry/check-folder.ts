import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import type { MeshObject } from '../model/object.ts';
import { type Entry, problemAt } from './content.ts';
import { renderPath } from './fault.ts';
import { createFolder, type Folder } from './folder.ts';
import { lintMesh } from './lint.ts';
import type { Lint } from './lint-finding.ts';
import { doubtfulKinds, report, unreadableFolder } from './report.ts';
import type { Problem } from './source.ts';

/** What a folder holds, looked at once. */
export interface FolderCheck {
  /** Everything that is wrong or probably not meant, by file; first what concerns the folder. */
  readonly problems: readonly Problem[];
  /** The objects that would be in force. */
  readonly objects: readonly MeshObject[];
}

/**
 * Reads a folder once and checks all that is in it, each object and all together. Throws a MeshError when the
 * folder is missing or unreadable.
 */
export async function checkFolder(path: string, wallMs = systemClock.wall()): Promise<FolderCheck> {
  // Nothing is half-written for a look that happens once: what stands there is what counts.
  const folder = createFolder(path, { doubtMs: 0, doubtMsMax: 0 });
  const files = await folder.rescan();
  if (folder.unreachable !== undefined) throw unreadableFolder(path, folder.unreachable);
  await folder.read(files, 0);
  await folder.read(folder.doubtful, 0);
  folder.catalog.settle([]);
  const input = {
    folder: path,
    unreachable: undefined,
    unwatched: undefined,
    unreadable: folder.scan.unreadable,
    files: folder.files,
    troubled: folder.troubled,
    faults: folder.catalog.faults(),
    held: 0,
    inForce: folder.catalog.size,
  };
  const problems = report(input);
  const objects = [...folder.catalog.objects()];
  const doubtful = doubtfulKinds(input);
  const lints = lintMesh(objects, wallMs).filter(
    ({ lacks = [] }) => !lacks.some((kind) => doubtful.has(kind)),
  );
  problems.push(...lintProblems(path, folder, lints));
  if (folder.scan.files.size === 0) {
    const message = 'the folder holds no .yaml, .yml or .json file: is it the right one?';
    problems.push({ severity: 'warning', where: path, path: '', message });
  }
  return { problems, objects };
}

/** Most lints that are looked up to the column: each takes a slow reading of its document. */
const locatedMax = 200;

function lintProblems(path: string, folder: Folder, lints: readonly Lint[]): Problem[] {
  const places = new Map<MeshObject, { file: string; entry: Entry }>();
  for (const [file, { entries }] of folder.files) {
    for (const entry of entries) if (entry.object !== undefined) places.set(entry.object, { file, entry });
  }
  return lints.map((lint, index): Problem => {
    const fault = { severity: 'warning', path: lint.path, message: lint.message } as const;
    const place = index < locatedMax ? places.get(lint.object) : undefined;
    const content = place && folder.files.get(place.file)?.content;
    if (place !== undefined && content !== undefined) {
      return problemAt(join(path, place.file), content, place.entry, fault);
    }
    return { ...fault, where: lint.object.meta.origin, path: renderPath(lint.path) };
  });
}
