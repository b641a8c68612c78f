import { Option } from 'commander';
import { keepProcess, sleep, systemClock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { printable, printableLines } from '../../base/text/safe-excerpt.ts';
import { dataText, isData, type OutputFormat } from '../options/output.ts';
import { screenText } from './frame.ts';
import { lasting } from './lasting.ts';
import { tellUser } from './tell.ts';

/** What a command has found out. */
export interface Look {
  /** For programs. */
  readonly data: unknown;
  /** For people. */
  readonly text: (width: Exclude<OutputFormat, 'json' | 'yaml'>) => string;
  /** What is wrong with the answer itself, such as who has not answered: a line each, on standard error. */
  readonly notes?: readonly string[];
  /** What tells whether anything has changed; absent: the data. Times and ages never count. */
  readonly facts?: unknown;
  /** The exit code. */
  readonly code: number;
}

/** How it is shown. */
interface ShowFlags {
  readonly output: OutputFormat;
  readonly watch?: boolean;
}

/** Interval of `--watch`, in milliseconds. */
const watchMs = 2_000;

/** Pause of `--watch` after a look that took longer than the interval, in milliseconds. */
const pauseMs = 100;

/** `-w, --watch`. */
export function watchOption(): Option {
  return new Option(
    '-w, --watch',
    `show it again until Ctrl-C, each ${watchMs / 1_000} s: in a terminal in place, else when it has changed`,
  );
}

/**
 * Shows what a command finds out, and sets the exit code. With `watch` again and again: that nobody answers
 * is shown like anything else, and Ctrl-C ends it. Throws MeshError as `look` does, without `watch`.
 */
export async function showLook(flags: ShowFlags, look: () => Promise<Look>): Promise<void> {
  if (flags.watch === true) return watch(flags.output, look);
  const seen = await look();
  process.stdout.write(textOf(seen, flags.output));
  for (const line of seen.notes ?? []) tellUser(line);
  process.exitCode = seen.code;
}

/** Ends the process with the exit code of an interruption on SIGINT; `before` is run first. */
export function endWhenInterrupted(before: () => void = () => {}): void {
  process.once('SIGINT', () => {
    before();
    process.exit(exitCode.interrupted);
  });
}

function textOf({ data, text }: Look, output: OutputFormat): string {
  return isData(output) ? dataText(data, output) : printableLines(text(output));
}

/** Never resolves; rejects where a question is wrong. */
async function watch(output: OutputFormat, look: () => Promise<Look>): Promise<never> {
  const release = keepProcess();
  endWhenInterrupted();
  if (process.stdout.isTTY) process.stdout.write('\x1b[2J');
  let shown: string | undefined;
  try {
    for (;;) {
      const begun = systemClock.now();
      shown = draw(await look().catch(lookOfNone), output, shown);
      await sleep(systemClock, Math.max(pauseMs, begun + watchMs - systemClock.now()));
    }
  } finally {
    release();
  }
}

/** Shows one look of several; `shown`: the facts of the last one. Returns its facts. */
function draw(seen: Look, output: OutputFormat, shown: string | undefined): string {
  // A terminal that does not tell its size tells 0.
  const { rows: tall, columns: wide, isTTY } = process.stdout;
  const [rows, columns] = [tall || 24, wide || 80];
  const facts = JSON.stringify([lasting(seen.facts ?? seen.data), seen.notes]);
  if (isTTY) {
    process.stdout.write(screenText(whole(seen, output), { rows, columns }));
  } else if (facts !== shown) {
    process.stdout.write(`${separator(output, shown === undefined)}${textOf(seen, output)}`);
    for (const line of seen.notes ?? []) tellUser(line);
  }
  return facts;
}

/** Everything that is shown in a terminal, where standard error would be drawn over. */
function whole(seen: Look, output: OutputFormat): string {
  return `${textOf(seen, output)}${(seen.notes ?? []).map((line) => `${printable(line)}\n`).join('')}`;
}

/** What stands between the blocks of a pipe. */
function separator(output: OutputFormat, isFirst: boolean): string {
  if (output === 'yaml') return '---\n';
  return output === 'json' || isFirst ? '' : '\n';
}

/**
 * The control plane may be restarting, which is what the user watches for; a wrong question stays wrong.
 */
function lookOfNone(reason: unknown): Look {
  const { code, message } = MeshError.from(reason);
  if (code === 'internal' || code === 'invalid') throw reason;
  return { data: { error: message }, text: () => `${message}\n`, code: exitCode.unusable };
}
