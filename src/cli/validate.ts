import { MeshError } from '../base/error.ts';
import { exitCode } from '../base/exit.ts';
import { printable } from '../base/text/safe-excerpt.ts';
import type { Finding } from '../model/finding.ts';
import { checkFolder, type FolderCheck } from '../registry/files/check-folder.ts';

/** Output format of `validate`. */
export type ValidateOutput = 'text' | 'json';

/** Output streams of `validate`. */
export interface ValidateStreams {
  out(text: string): void;
  err(text: string): void;
}

/** Reads and checks all objects of a folder. Throws a MeshError if the folder is missing or unreadable. */
export function validateFolder(dir: string): Promise<FolderCheck> {
  return checkFolder(dir);
}

/**
 * One finding as `where: severity: path: message [code]`, as compilers print theirs, so that editors can jump
 * there.
 */
export function renderProblem({ code, severity, where, path, message }: Finding): string {
  return printable(`${where}: ${severity}: ${path === '' ? '' : `${path}: `}${message} [${code}]`);
}

/** The result for people: a line for each problem, then totals. */
export function renderText({ problems, objects }: FolderCheck): string {
  const { errors, warnings, notes } = tally(problems);
  const kinds = new Map<string, number>();
  for (const { kind } of objects) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const found = [...kinds].sort().map(([kind, count]) => `${count} ${kind}`);
  const good = `${count(objects.length, 'object')} good${found.length > 0 ? ` (${found.join(', ')})` : ''}`;
  const sum = `${good}, ${count(errors, 'error')}, ${count(warnings, 'warning')}${notes > 0 ? `, ${count(notes, 'note')}` : ''}`;
  return [...problems.map(renderProblem), sum].map((line) => `${line}\n`).join('');
}

/**
 * The result for scripts: `{ok, errors, warnings, notes, objects, problems}`, objects as `{kind, namespace,
 * name, origin}`.
 */
export function renderJson({ problems, objects }: FolderCheck): string {
  const tallied = tally(problems);
  const listed = objects.map(({ kind, meta }) => {
    return { kind, namespace: meta.namespace, name: meta.name, origin: meta.origin };
  });
  const result = { ok: tallied.errors === 0, ...tallied, objects: listed, problems };
  return `${JSON.stringify(result, null, 2)}\n`;
}

/**
 * The command `isthmus validate DIR`. Returns the exit code: 0 without errors (warnings and notes are
 * allowed), 1 with errors, 2 if the folder cannot be read.
 */
export async function runValidate(
  dir: string,
  output: ValidateOutput,
  streams: ValidateStreams = processStreams,
): Promise<number> {
  let check: FolderCheck;
  try {
    check = await validateFolder(dir);
  } catch (reason) {
    const { message } = MeshError.from(reason);
    if (output === 'json') streams.out(`${JSON.stringify({ ok: false, error: message }, null, 2)}\n`);
    else streams.err(`isthmus validate: ${message}\n`);
    return exitCode.unusable;
  }
  streams.out(output === 'json' ? renderJson(check) : renderText(check));
  return check.problems.some(({ severity }) => severity === 'error') ? exitCode.failed : exitCode.ok;
}

const processStreams: ValidateStreams = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

function tally(problems: readonly Finding[]): { errors: number; warnings: number; notes: number } {
  const of = (wanted: Finding['severity']) => problems.filter(({ severity }) => severity === wanted).length;
  return { errors: of('error'), warnings: of('warning'), notes: of('note') };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
