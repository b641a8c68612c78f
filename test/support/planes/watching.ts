import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

/** A program in a terminal of its own; what is written to its standard input is typed. */
const terminal = ['import os, pty, sys', 'sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))'].join(
  '\n',
);

/** An `isthmus` that runs until it is ended. */
export interface Watching {
  out(): string;
  err(): string;
  /** Ctrl-C; resolves to its exit code. */
  interrupt(): Promise<number | null>;
  /** Closes the pipe that it writes to. */
  stopReading(): void;
  readonly ended: Promise<number | null>;
}

/** Starts `isthmus` with these arguments, in a pipe or in a terminal. */
export function startWatching(where: 'pipe' | 'terminal', args: readonly string[]): Watching {
  const command = [process.execPath, main, ...args];
  const [program = '', ...rest] = where === 'pipe' ? command : ['python3', '-c', terminal, ...command];
  const child = spawn(program, rest, { env: { ...env, TERM: 'xterm' }, stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  // Whoever has ended is not typed to.
  child.stdin.on('error', () => {});
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return {
    out: () => out,
    err: () => err,
    ended,
    interrupt() {
      if (where === 'pipe') child.kill('SIGINT');
      else child.stdin.write('\x03');
      return ended;
    },
    stopReading: () => child.stdout.destroy(),
  };
}
