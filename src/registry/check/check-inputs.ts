import { checkAgreement } from '../../agreement/agreement.ts';
import type { Lint } from '../../agreement/lint.ts';
import { systemClock } from '../../base/clock.ts';
import { compareText } from '../../base/text/compare-text.ts';
import type { Finding } from '../../model/finding.ts';
import { type MeshObject, refOf } from '../../model/object.ts';
import { type FileContent, findingAt, type ObjectEntry } from '../files/documents.ts';
import { draftsOf, emptyFolder, incompleteKindsOf, reportFindings } from '../files/folder-report.ts';
import { createObjectsInForce } from '../files/objects-in-force.ts';
import { findingOf } from '../parse/fault.ts';
import { applyAgainst, type HeldObjects, lookAgainst, type Replaced } from './held-objects.ts';
import { type ReadInputs, readInputs } from './read-inputs.ts';

/** The result of checking objects once. */
export interface Check {
  /** Errors, warnings and notes, by file; those of folders first. */
  readonly problems: readonly Finding[];
  /** The objects that would be in force; of a check against others, those that were read. */
  readonly objects: readonly MeshObject[];
  /** What the objects change where they were checked against others. */
  readonly replaced?: Replaced;
}

/**
 * Reads a folder once and checks its objects, individually and together. Throws a MeshError if the folder is
 * missing or unreadable.
 */
export async function checkFolder(path: string, wallMs = systemClock.wall()): Promise<Check> {
  return checkInputs(await readInputs([path], noInput), wallMs);
}

const noInput = async () => Buffer.alloc(0);

/**
 * Checks the objects that were read, individually and together. With `held`: beside what a control plane
 * holds, as if they were added to its folder, in place of objects of the same names. Then the findings on its
 * own objects are those that it would not have without them.
 */
export function checkInputs(read: ReadInputs, wallMs: number, held?: HeldObjects): Check {
  const inForce = createObjectsInForce();
  const replaced = applyAgainst(inForce, read.files, held);
  const input = {
    ...{ folder: '', unreachable: undefined, unwatched: undefined, isEmpty: false, held: 0 },
    ...{ files: read.files, unreadable: read.unreadable, withFindings: read.withFindings },
    ...{ faults: inForce.faults(), inForce: inForce.size },
  };
  const all = [...inForce.objects()];
  const drafts = draftsOf(read.files.values(), all);
  const incompleteKinds = incompleteKindsOf(input);
  const places = placesOf(read);
  const look = held && lookAgainst(held, all, wallMs);
  const lints = checkAgreement({ objects: look?.objects ?? all, drafts, incompleteKinds, wallMs });
  const problems = [
    ...read.emptyFolders.map(emptyFolder),
    ...reportFindings(input),
    ...placedLints(
      lints.filter((lint) => places.has(lint.object) || look === undefined || look.isNew(lint)),
      places,
    ),
    ...(look?.overruled ?? []),
  ];
  return {
    problems: sorted(problems, new Set(read.emptyFolders)),
    objects: held === undefined ? all : all.filter((object) => places.has(object)),
    ...(replaced && { replaced }),
  };
}

/** By file, line and column; those of folders first. Stable at one position. */
function sorted(problems: readonly Finding[], folders: ReadonlySet<string>): readonly Finding[] {
  const placed = problems.map((problem) => {
    const [, file = problem.where, line, column] = /^(.*?)(?::(\d+))?(?::(\d+))?$/s.exec(problem.where) ?? [];
    return {
      problem,
      file: folders.has(problem.where) ? '' : file,
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

/** Where an object was read. */
interface Place {
  readonly file: string;
  readonly entry: ObjectEntry;
  readonly content: FileContent | undefined;
}

type Places = ReadonlyMap<MeshObject, Place>;

function placesOf({ files }: ReadInputs): Places {
  const places = new Map<MeshObject, Place>();
  for (const [file, { entries, content }] of files) {
    for (const entry of entries) {
      const object = entry.object ?? entry.draft?.object;
      if (object !== undefined) places.set(object, { file, entry, content });
    }
  }
  return places;
}

function placedLints(lints: readonly Lint[], places: Places): Finding[] {
  return lints.map((lint, index): Finding => {
    const { code, severity = 'warning' } = lint;
    const fault = { code, severity: 'warning', path: lint.path, message: lint.message } as const;
    const place = index < locatedMax ? places.get(lint.object) : undefined;
    if (place?.content !== undefined)
      return { ...findingAt(place.file, place.content, place.entry, fault), severity };
    return { ...findingOf(fault, lint.object.meta.origin, refOf(lint.object)), severity };
  });
}
