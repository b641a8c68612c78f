import { join } from 'node:path';
import { checkAgreement } from '../../agreement/agreement.ts';
import type { Lint } from '../../agreement/lint.ts';
import { systemClock } from '../../base/clock.ts';
import { compareText } from '../../base/text/compare-text.ts';
import type { Finding } from '../../model/finding.ts';
import { type MeshObject, refOf } from '../../model/object.ts';
import { findingOf } from '../parse/fault.ts';
import { findingAt, type ObjectEntry } from './documents.ts';
import { createFolder, type Folder } from './folder.ts';
import { draftsOf, incompleteKindsOf, reportFindings, unreadableFolder } from './folder-report.ts';

/** The result of checking a folder once. */
export interface FolderCheck {
  /** Errors, warnings and notes, by file; those of the folder first. */
  readonly problems: readonly Finding[];
  /** The objects that would be in force. */
  readonly objects: readonly MeshObject[];
}

/**
 * Reads a folder once and checks its objects, individually and together. Throws a MeshError if the folder is
 * missing or unreadable.
 */
export async function checkFolder(path: string, wallMs = systemClock.wall()): Promise<FolderCheck> {
  // A single check has no later one: the current content applies.
  const folder = createFolder(path, { unchangedMs: 0, unchangedMsMax: 0 });
  const files = await folder.rescan();
  if (folder.unreachable !== undefined) throw unreadableFolder(path, folder.unreachable);
  await folder.read(files, 0);
  await folder.read(folder.halfWritten, 0);
  folder.catalog.applyClaims([]);
  const input = {
    folder: path,
    unreachable: undefined,
    unwatched: undefined,
    unreadable: folder.scan.unreadable,
    isEmpty: folder.scan.files.size === 0,
    files: folder.files,
    withFindings: folder.withFindings,
    faults: folder.catalog.faults(),
    held: 0,
    inForce: folder.catalog.size,
  };
  const problems: Finding[] = reportFindings(input);
  const objects = [...folder.catalog.objects()];
  const drafts = draftsOf(folder.files.values(), objects);
  const lints = checkAgreement({ objects, drafts, incompleteKinds: incompleteKindsOf(input), wallMs });
  problems.push(...lintProblems(path, folder, lints));
  return { problems: sorted(problems, path), objects };
}

/** By file, line and column; those of the folder first. Stable at one position. */
function sorted(problems: readonly Finding[], folder: string): readonly Finding[] {
  const placed = problems.map((problem) => {
    const [, file = problem.where, line, column] = /^(.*?)(?::(\d+))?(?::(\d+))?$/s.exec(problem.where) ?? [];
    return {
      problem,
      file: problem.where === folder ? '' : file,
      line: Number(line),
      column: Number(column),
    };
  });
  // Without a line: the whole file.
  const before = (a: number, b: number) => (a || 0) - (b || 0);
  return placed
    .sort((a, b) => compareText(a.file, b.file) || before(a.line, b.line) || before(a.column, b.column))
    .map(({ problem }) => problem);
}

/** Lints with a column: each takes a slow parse of its document. */
const locatedMax = 200;

function lintProblems(path: string, folder: Folder, lints: readonly Lint[]): Finding[] {
  const places = new Map<MeshObject, { file: string; entry: ObjectEntry }>();
  for (const [file, { entries }] of folder.files) {
    for (const entry of entries) {
      const object = entry.object ?? entry.draft?.object;
      if (object !== undefined) places.set(object, { file, entry });
    }
  }
  return lints.map((lint, index): Finding => {
    const { code, severity = 'warning' } = lint;
    const fault = { code, severity: 'warning', path: lint.path, message: lint.message } as const;
    const place = index < locatedMax ? places.get(lint.object) : undefined;
    const content = place && folder.files.get(place.file)?.content;
    if (place !== undefined && content !== undefined) {
      return { ...findingAt(join(path, place.file), content, place.entry, fault), severity };
    }
    return { ...findingOf(fault, lint.object.meta.origin, refOf(lint.object)), severity };
  });
}
