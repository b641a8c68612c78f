import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { systemClock } from '../../src/base/clock.ts';

/** A step of a page: a block of commands, and the block of text that follows it, if one does. */
export interface PageStep {
  /** Of the first command, from 1. */
  readonly line: number;
  readonly commands: string;
  /** What the commands print; `…` stands for any text within a line. */
  readonly prints: string | undefined;
}

/** The steps of a page: its `sh` blocks, without those marked `sh setup`, which prepare a machine. */
export function stepsOf(page: string): PageStep[] {
  const steps: { line: number; commands: string; prints: string | undefined }[] = [];
  for (const { 0: whole, 1: kind, 2: text = '', index } of page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)) {
    const line = page.slice(0, index).split('\n').length + 1;
    if (kind === 'sh') steps.push({ line, commands: text, prints: undefined });
    const last = steps.at(-1);
    if (kind !== 'text') continue;
    if (last === undefined || last.prints !== undefined) throw new Error(`line ${line}: ${whole} of no step`);
    last.prints = text;
  }
  return steps;
}

/** A step that did not go as its page says. */
export interface PageFault {
  readonly line: number;
  /** What happened: an exit code, or what was printed instead. */
  readonly what: string;
}

/**
 * Runs the steps of a page in one bash, in a folder, one after another, until one fails: a command with an
 * exit code other than 0, output other than the page's, or no end within `stepMs`. Everything that was
 * started in the background has ended when this resolves, with what failed; undefined: nothing.
 */
export async function runPage(
  steps: readonly PageStep[],
  { cwd, env, stepMs }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly stepMs: number },
): Promise<PageFault | undefined> {
  // In a process group of its own, to which all that it starts belongs.
  const shell = spawn('bash', ['--noprofile', '--norc'], { cwd, env, detached: true });
  const endAll = () => {
    try {
      process.kill(-(shell.pid as number), 'SIGKILL');
    } catch {
      // All have ended.
    }
  };
  process.once('exit', endAll);
  let output = '';
  let grown = () => {};
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    grown();
  });
  shell.once('exit', () => {
    output += '<end of shell>';
    grown();
  });
  shell.stdin.on('error', () => {});
  shell.stdin.write("exec 2>&1\ntrap 'failed=$?' ERR\n");
  const run = async ({ commands, line, prints }: PageStep): Promise<PageFault | undefined> => {
    output = '';
    shell.stdin.write(`failed=0\n${commands}printf '<end %s>\\n' "$failed"\n`);
    const ended = /<end (\d+)>\n|<end of shell>/;
    const isLate = await new Promise<boolean>((resolve) => {
      const timer = systemClock.after(stepMs, () => resolve(true));
      grown = () => {
        if (!ended.test(output)) return;
        timer.cancel();
        resolve(false);
      };
    });
    const code = isLate ? undefined : ended.exec(output)?.[1];
    // Bash says of a job in the background that it was ended, whenever it notices.
    const said = output.replace(ended, '').replace(/^bash: line \d+: +\d+ (?:Terminated|Killed).*\n/gm, '');
    if (isLate) return { line, what: `no end within ${stepMs} ms; it printed: ${said}` };
    if (code !== '0') return { line, what: `exit code ${code}; it printed: ${said}` };
    if (prints !== undefined && !isAsShown(said, prints)) return { line, what: `it printed: ${said}` };
    return undefined;
  };
  try {
    for (const step of steps) {
      const fault = await run(step);
      if (fault !== undefined) return fault;
    }
    return undefined;
  } finally {
    endAll();
    process.off('exit', endAll);
    // The next run listens at the same addresses. Timers of the clock would let the process end here.
    while (isAlive(shell.pid as number)) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether a process of this group still holds anything, as one that has ended (a zombie) does not. */
function isAlive(group: number): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        const [state, , of] = readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        return Number(of) === group && state !== 'Z' && state !== 'X';
      } catch {
        // It has ended meanwhile.
        return false;
      }
    });
}

/** Whether an output is the one that is shown, where `…` stands for any text within a line. */
export function isAsShown(said: string, shown: string): boolean {
  const literal = shown.split('…').map((part) => part.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`).test(said);
}
