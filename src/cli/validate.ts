import { systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { exitCode } from '../base/exit.ts';
import { counted } from '../base/text/counted.ts';
import { printable } from '../base/text/safe-excerpt.ts';
import { textTable } from '../base/text/text-table.ts';
import { askRegistry } from '../client/registry-client.ts';
import type { Finding } from '../model/finding.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { type Check, checkInputs } from '../registry/check/check-inputs.ts';
import { readInputs } from '../registry/check/read-inputs.ts';
import { dataText, isData, type OutputFormat } from './options/output.ts';
import { readStandardInput } from './process/standard-input.ts';

/** How `validate` checks, and shows what it finds. */
export interface ValidateOptions {
  readonly output: OutputFormat;
  /** Warnings fail, too. */
  readonly strict?: boolean;
  /** The control plane whose objects are checked together with these. */
  readonly live?: ListenAddress;
}

/** Output streams of `validate`. */
export interface ValidateStreams {
  out(text: string): void;
  err(text: string): void;
}

/**
 * One finding as `where: severity: path: message [code]`, as compilers print theirs, so that editors can jump
 * there.
 */
export function renderProblem({ code, severity, where, path, message }: Finding): string {
  return printable(`${where}: ${severity}: ${path === '' ? '' : `${path}: `}${message} [${code}]`);
}

/** The result for people: a line for each problem, `wide` also for each object, then totals. */
function renderText({ problems, objects, replaced }: Check, { live, output }: ValidateOptions): string {
  const { errors, warnings, notes } = tally(problems);
  const kinds = new Map<string, number>();
  for (const { kind } of objects) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const found = [...kinds].sort().map(([kind, count]) => `${count} ${kind}`);
  const good = `${counted(objects.length, 'object')} good${found.length > 0 ? ` (${found.join(', ')})` : ''}`;
  const sum = `${good}, ${counted(errors, 'error')}, ${counted(warnings, 'warning')}${notes > 0 ? `, ${counted(notes, 'note')}` : ''}`;
  const lines = [...problems.map(renderProblem), ...(output === 'wide' ? objectTable(objects) : []), sum];
  if (replaced !== undefined && live !== undefined) {
    const { held, added, changed, unchanged } = replaced;
    lines.push(
      `beside ${counted(held, 'object')} in force at ${showAddress(live)}: ${added} new, ${changed} changed, ${unchanged} as in force`,
    );
  }
  return lines.map((line) => `${line}\n`).join('');
}

function objectTable(objects: Check['objects']): readonly string[] {
  if (objects.length === 0) return [];
  return textTable([
    ['KIND', 'NAMESPACE', 'NAME', 'WHERE'],
    ...objects.map(({ kind, meta }) => [kind, meta.namespace || '-', meta.name, printable(meta.origin)]),
  ]);
}

/**
 * The result for scripts: `{ok, errors, warnings, notes, objects, problems}`, objects as `{kind, namespace,
 * name, origin}`; with a control plane also `live`.
 */
function resultOf({ problems, objects, replaced }: Check, options: ValidateOptions): object {
  const { live } = options;
  const listed = objects.map(({ kind, meta }) => {
    return { kind, namespace: meta.namespace, name: meta.name, origin: meta.origin };
  });
  const ok = codeOf(problems, options) === exitCode.ok;
  const beside = replaced && live && { live: { admin: showAddress(live), ...replaced } };
  return { ok, ...tally(problems), ...beside, objects: listed, problems };
}

/** Warnings and notes are allowed, with `strict` only notes. */
function codeOf(problems: readonly Finding[], { strict = false }: ValidateOptions): number {
  const { errors, warnings } = tally(problems);
  return errors > 0 || (strict && warnings > 0) ? exitCode.failed : exitCode.ok;
}

/**
 * The command `isthmus validate PATH…`. Returns the exit code: 0 without errors, 1 with errors, or with
 * warnings if they fail, 2 if a path cannot be read or the control plane does not answer.
 */
export async function runValidate(
  paths: readonly string[],
  options: ValidateOptions,
  streams: ValidateStreams = processStreams,
): Promise<number> {
  let check: Check;
  try {
    const read = await readInputs(paths, readStandardInput);
    const held = options.live === undefined ? undefined : await askRegistry(options.live);
    check = checkInputs(read, systemClock.wall(), held);
  } catch (reason) {
    const error = MeshError.from(reason);
    // A fault of this program is no fault of the input: it is shown with its stack.
    if (error.code === 'internal') throw error;
    const { message } = error;
    if (isData(options.output)) streams.out(dataText({ ok: false, error: message }, options.output));
    else for (const line of message.split('\n')) streams.err(`isthmus validate: ${printable(line)}\n`);
    return exitCode.unusable;
  }
  const { output } = options;
  streams.out(isData(output) ? dataText(resultOf(check, options), output) : renderText(check, options));
  return codeOf(check.problems, options);
}

const processStreams: ValidateStreams = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

function tally(problems: readonly Finding[]): { errors: number; warnings: number; notes: number } {
  const of = (wanted: Finding['severity']) => problems.filter(({ severity }) => severity === wanted).length;
  return { errors: of('error'), warnings: of('warning'), notes: of('note') };
}
