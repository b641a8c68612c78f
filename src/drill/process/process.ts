import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MeshError } from '../../base/error.ts';
import { siblingUrl } from '../../base/files/sibling.ts';
import { type DrillTraces, drillMark } from './sweep.ts';

/** A process of the world: what to run, and where what it prints goes. */
export interface ProcessSpec {
  /** Unique in the world, such as `sh-a/checkout-1/app`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Standard error, and standard output unless `lines` is given, are appended here. */
  readonly logFile: string;
  /** Called with each line of standard output. */
  readonly lines?: (line: string) => void;
  /** It ends by itself when its work is done: an exit with code 0 is no surprise. */
  readonly ends?: boolean;
  /** Run inside this network namespace. */
  readonly netns?: string;
}

/** How a process ended. */
interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that was started. */
export interface RunningProcess {
  readonly spec: ProcessSpec;
  readonly pid: number;
  /** Resolves when it has been reaped: its sockets are closed by then. */
  readonly exited: Promise<Exit>;
  /** Whether it has not ended yet. */
  alive(): boolean;
  /** Sends a signal to it and what it started. Returns false when it is gone. */
  signal(signal: NodeJS.Signals): boolean;
  /** Writes a line to its standard input. */
  tell(line: string): void;
  /** Says that its end, from now on, is intended. */
  expectExit(): void;
}

/** Starts processes that carry a drill's mark, each in a process group of its own. */
export interface Crew {
  start(spec: ProcessSpec): RunningProcess;
}

/**
 * A crew for one drill. `onUnexpectedExit` is called when a process ends that nobody ended: the drill then
 * measures something else than it says.
 */
export function createCrew(
  id: string,
  onUnexpectedExit: (running: RunningProcess, exit: Exit) => void,
): Crew {
  return {
    start(spec) {
      const fd = openSync(spec.logFile, 'a');
      const prefix = spec.netns === undefined ? [] : ['ip', 'netns', 'exec', spec.netns];
      const [command, ...args] = [...prefix, spec.command, ...spec.args] as [string, ...string[]];
      const child = spawn(command, args, {
        detached: true,
        env: childEnvironment(id),
        stdio: ['pipe', spec.lines ? 'pipe' : fd, fd],
      });
      closeSync(fd);
      return supervise(spec, child, onUnexpectedExit);
    },
  };
}

function supervise(
  spec: ProcessSpec,
  child: ChildProcess,
  onUnexpectedExit: (running: RunningProcess, exit: Exit) => void,
): RunningProcess {
  let alive = true;
  let expected = false;
  const exited = new Promise<Exit>((resolve) => {
    const ended = (exit: Exit) => {
      if (!alive) return;
      alive = false;
      resolve(exit);
      if (!expected && !(spec.ends && exit.code === 0)) onUnexpectedExit(running, exit);
    };
    child.once('exit', (code, signal) => ended({ code, signal }));
    child.once('error', () => ended({ code: 127, signal: null }));
  });
  // A write to a dead child's pipe is no fault of the drill.
  child.stdin?.on('error', () => {});
  if (spec.lines && child.stdout) readLines(child.stdout, spec.lines);
  const running: RunningProcess = {
    spec,
    pid: child.pid ?? -1,
    exited,
    alive: () => alive,
    signal(signal) {
      if (!alive || child.pid === undefined) return false;
      try {
        process.kill(-child.pid, signal);
        return true;
      } catch {
        return false;
      }
    },
    tell(line) {
      child.stdin?.write(`${line}\n`);
    },
    expectExit() {
      expected = true;
    },
  };
  return running;
}

function readLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string | Buffer) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
}

/** The user's environment, less what would change how a child node runs, and the mark. */
function childEnvironment(id: string): NodeJS.ProcessEnv {
  const { NODE_OPTIONS, NODE_V8_COVERAGE, ...rest } = process.env;
  return { ...rest, [drillMark]: id };
}

/** The path of an entry point, by its path below `src/drill`, as source or as it was built. */
export function entryPoint(name: string): string {
  return fileURLToPath(siblingUrl(import.meta.url, `../${name}`));
}

/**
 * Starts the warden of a drill. Resolves when it watches. `close` makes it sweep and resolves when it has;
 * `code` 0 means that nothing is left.
 */
export async function startWarden(
  traces: DrillTraces,
): Promise<{ pid: number; close(): Promise<number | null> }> {
  // No mark: it must not sweep itself. Detached: Ctrl-C in the terminal must not reach it.
  const child = spawn(process.execPath, [entryPoint('process/warden-main'), JSON.stringify(traces)], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('error', reject);
    child.once('exit', () => reject(new MeshError('internal', 'the warden of the drill did not start')));
  });
  return {
    pid: child.pid ?? -1,
    close() {
      child.stdin.end();
      return exited;
    },
  };
}

/** The end of a log, for a message: its last `lines` lines, or '' when there is none. */
export function tailOf(file: string, lines = 8): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}
