import { join } from 'node:path';
import type { Drafts } from '../../agreement/agreement.ts';
import { MeshError } from '../../base/error.ts';
import { describeErrorCode } from '../../base/system-error.ts';
import type { Finding, Severity } from '../../model/finding.ts';
import type { FindingCode } from '../../model/finding-codes.ts';
import type { Kind, MeshObject } from '../../model/object.ts';
import { renderPath } from '../../model/values/field-path.ts';
import { confirmWords } from '../lastgood/confirm-words.ts';
import { type DelayedDeletions, describeDelay } from '../lastgood/describe-delay.ts';
import { findingOf } from '../parse/fault.ts';
import type { Draft } from '../parse/object.ts';
import { kindNames } from '../parse/object.ts';
import { type FileContent, findingAt, type ObjectEntry } from './documents.ts';
import type { FileState } from './file-reader.ts';
import { type CrossFault, refLabel } from './objects-in-force.ts';

/** The input of a report. Paths are below the root. */
interface ReportInput {
  /** The folder, as messages name it. */
  readonly folder: string;
  /** Why the folder cannot be read. */
  readonly unreachable: string | undefined;
  /** Why changes are noticed late. */
  readonly unwatched: string | undefined;
  readonly unreadable: ReadonlyMap<string, string>;
  /** Whether the folder can be read and holds no file that is read. */
  readonly isEmpty: boolean;
  readonly files: ReadonlyMap<string, FileState>;
  /** Paths of files with something to report. */
  readonly withFindings: ReadonlySet<string>;
  readonly faults: readonly CrossFault[];
  /** Objects whose deletion is held, and all in force. */
  readonly held: number;
  readonly inForce: number;
  /** Absent: none is. */
  readonly delayed?: DelayedDeletions;
}

/** Errors between objects with a column: each takes a slow parse of its document. */
const locatedMax = 200;
const located = new WeakMap<FileContent, Map<string, Finding>>();

/** All current problems of a folder, its own first, then by file. */
export function reportFindings(input: ReportInput): Finding[] {
  const { folder } = input;
  const problems: Finding[] = [];
  const add = (code: FindingCode, severity: Severity, where: string, message: string) =>
    problems.push({ code, severity, where, path: '', message });
  if (input.unreachable !== undefined) {
    const why = describeErrorCode(input.unreachable);
    add(
      'FolderUnreadable',
      'error',
      folder,
      `the folder cannot be read: ${why}. All objects stay in force as they are. Bring it back.`,
    );
  }
  if (input.isEmpty) problems.push(emptyFolder(folder));
  if (input.held > 0) add('DeletionsHeld', 'error', folder, heldMessage(input.held, input.inForce));
  if (input.delayed !== undefined && input.delayed.objects.size > 0)
    add('DeletionDelayed', 'warning', folder, describeDelay(input.delayed, 'in no file any more'));
  if (input.unwatched !== undefined) {
    const why =
      input.unwatched === 'ENOSPC' ? 'the limit fs.inotify.max_user_watches is reached' : input.unwatched;
    add(
      'FolderNotWatched',
      'warning',
      folder,
      `changes are noticed late, as folders cannot be watched: ${why}. Raise the limit.`,
    );
  }
  for (const [path, code] of input.unreadable) {
    add(
      'FileUnreadable',
      'error',
      join(folder, path),
      `cannot be read: ${describeErrorCode(code)}. What was read before stays in force.`,
    );
  }
  for (const path of [...input.withFindings].sort()) {
    const state = input.files.get(path);
    // Scan errors are reported already.
    if (state?.readError !== undefined && !input.unreadable.has(path)) {
      const message = `cannot be read: ${describeErrorCode(state.readError)}. What was read before stays in force.`;
      add('FileUnreadable', 'error', join(folder, path), message);
    }
    if (state?.content !== undefined) for (const problem of state.content.problems) problems.push(problem);
    if (state?.kept !== undefined && state.kept.length > 0)
      add('ObjectsKept', 'warning', join(folder, path), keptMessage(state.kept));
  }
  for (const fault of firstCauses(input.faults, incompleteKindsOf(input)))
    problems.push(crossProblem(input, fault, problems.length < locatedMax));
  return problems;
}

/** The finding on a folder without a file that is read. */
export function emptyFolder(folder: string): Finding {
  const message = 'the folder holds no .yaml, .yml or .json file: is it the right one?';
  return { code: 'FolderEmpty', severity: 'warning', where: folder, path: '', message };
}

/** Errors without those caused by objects that may be missing because of a reported error. */
function firstCauses(
  faults: readonly CrossFault[],
  incompleteKinds: ReadonlySet<Kind>,
): readonly CrossFault[] {
  return faults.filter(({ fault }) => fault.lacks === undefined || !incompleteKinds.has(fault.lacks));
}

/**
 * Kinds of which an object may be missing because of its own error: errors about its absence are
 * consequences. An unreadable file or document may have been of any kind.
 */
export function incompleteKindsOf({
  unreadable,
  files,
  withFindings,
  faults,
}: ReadErrors): ReadonlySet<Kind> {
  const states = [...withFindings].map((path) => files.get(path)).filter((state) => state !== undefined);
  const isUnclear = ({ readError: trouble, content }: FileState) =>
    trouble !== undefined || (content !== undefined && content.unclear.length > 0);
  if (unreadable.size > 0 || states.some(isUnclear)) return new Set(kindNames);
  const faulty = states.flatMap(({ content }) => content?.entries.filter(({ object }) => !object) ?? []);
  const rejected = faults.filter(({ fault }) => fault.severity === 'error').map(({ entry }) => entry);
  return new Set([...faulty, ...rejected].map(({ ref }) => ref.kind));
}

/** Objects that are not in force for a fault of their own, and the fields that have one. */
export function draftsOf(files: Iterable<FileState>, objects: Iterable<MeshObject>): Drafts {
  const inForce = new Set(objects);
  const drafts = new Map<MeshObject, Draft['faulty']>();
  for (const { entries } of files) {
    for (const { object, draft } of entries) {
      if (draft !== undefined) drafts.set(draft.object, draft.faulty);
      else if (object !== undefined && !inForce.has(object)) drafts.set(object, []);
    }
  }
  return drafts;
}

type ReadErrors = Pick<ReportInput, 'unreadable' | 'files' | 'withFindings' | 'faults'>;

/** Most objects named in a message. */
const namedMax = 10;

function keptMessage(held: readonly ObjectEntry[]): string {
  const names = held
    .map(({ ref }) => refLabel(ref))
    .sort()
    .slice(0, namedMax);
  const more = held.length > namedMax ? ` and ${held.length - namedMax} more` : '';
  return `not seen in it now, and in force as they were, as what cannot be read here may be just these: ${names.join(', ')}${more}. Correct the file; those that are gone from it then go.`;
}

function heldMessage(held: number, inForce: number): string {
  return (
    `${held} of ${inForce} objects were deleted at once: their deletion is held, their last good versions stay in force. ` +
    `Bring the files back; or, if they are meant to be deleted, ${confirmWords}.`
  );
}

function crossProblem(input: ReportInput, { file, entry, fault }: CrossFault, exact: boolean): Finding {
  const content = input.files.get(file)?.content;
  if (!exact || content === undefined) {
    return findingOf(fault, entry.origin, entry.ref);
  }
  const known = located.get(content) ?? new Map<string, Finding>();
  located.set(content, known);
  const key = `${entry.key} ${renderPath(fault.path)} ${fault.message}`;
  const problem = known.get(key) ?? findingAt(join(input.folder, file), content, entry, fault);
  known.set(key, problem);
  return problem;
}

/** The error for a folder that is missing or unreadable at the start, by the system's code. */
export function unreadableFolder(folder: string, code: string): MeshError {
  const isMissing = code === 'ENOENT';
  const advice = isMissing
    ? 'create it, or correct the path'
    : code === 'ENOTDIR'
      ? 'give a folder: of a file, the one that it stands in'
      : 'correct the path or its permissions';
  const message = `the folder ${folder} cannot be read: ${describeErrorCode(code)}; ${advice}`;
  return new MeshError(isMissing ? 'not-found' : 'unavailable', message, { ref: folder });
}
