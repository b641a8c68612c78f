import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { siblingUrl } from '../base/files/sibling.ts';
import type { CompileJob, CompileResult } from './compile-main.ts';

/** The compiler keeps some 200 MiB; policies come in bursts, of the listeners of one IDC. */
const idleMs = 3_000;
/** A first compile takes one to three seconds on a busy machine; beyond this it never ends. */
const jobMsMax = 60_000;

/** A filter that passed its vectors; `stored`: compiled by an earlier process. */
type Compiled = Extract<CompileResult, { readonly bytes: Uint8Array }>;

interface Pending {
  readonly job: CompileJob;
  readonly resolve: (compiled: Compiled) => void;
  readonly reject: (reason: MeshError) => void;
}

/**
 * The compiler's process: started by the first job or ahead of it, one job at a time, ended when idle. Not a
 * thread: a finished thread returned 48 of 250 MiB (docs/decisions/040).
 */
export class CompileProcess {
  readonly #clock: Clock;
  readonly #queue: Pending[] = [];
  #running: Pending | undefined;
  #child: ChildProcess | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Compiles and checks one filter. Rejects with a MeshError: the compiler's, or 'unavailable' if its process
   * died.
   */
  run(job: CompileJob): Promise<Compiled> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError());
      this.#queue.push({ job, resolve, reject });
      this.#next();
    });
  }

  /** Starts the process ahead of the first job, which then need not wait for it. */
  startAhead(): void {
    if (this.#closed) return;
    this.#child ??= this.#start();
    this.#next();
  }

  /** Ends the process; pending jobs are rejected with 'unavailable'. */
  async close(): Promise<void> {
    this.#closed = true;
    const lost = [...(this.#running ? [this.#running] : []), ...this.#queue.splice(0)];
    this.#running = undefined;
    await this.#end();
    for (const { reject } of lost) reject(closedError());
  }

  #next(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#queue.shift();
    this.#timer?.cancel();
    if (this.#running === undefined) {
      // Idle: it must not keep this process alive, and ends soon.
      this.#child?.unref();
      this.#child?.channel?.unref();
      this.#timer = this.#clock.after(idleMs, () => void this.#end());
      return;
    }
    this.#timer = this.#clock.after(jobMsMax, () => this.#fail(`did not answer for ${jobMsMax} ms`));
    this.#child ??= this.#start();
    const child = this.#child;
    child.ref();
    child.channel?.ref();
    // A failure to send is reported by 'error' too.
    child.send(this.#running.job, () => {});
  }

  #start(): ChildProcess {
    // Without our flags: they may belong to a test runner.
    const { NODE_OPTIONS: _, ...env } = process.env;
    // It starts in half the time with the compiled code that this process keeps.
    const cache = getCompileCacheDir();
    if (cache !== undefined) env.NODE_COMPILE_CACHE = dirname(cache);
    const child = fork(fileURLToPath(siblingUrl(import.meta.url, './compile-main')), {
      ...{ execArgv: [], env, serialization: 'advanced' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (result: CompileResult) => {
      if (this.#child === child) this.#settle(result);
    });
    child.on('error', (reason) => {
      if (this.#child === child) this.#fail(`failed: ${String(reason)}`);
    });
    child.on('exit', (status, signal) => {
      if (this.#child === child) this.#fail(`ended with ${signal ?? status}`);
    });
    return child;
  }

  #settle(result: CompileResult): void {
    const done = this.#running;
    this.#running = undefined;
    if ('bytes' in result) done?.resolve(result);
    else done?.reject(new MeshError(result.fault.code, result.fault.message, refOption(result.fault.ref)));
    this.#next();
  }

  /** The process is unusable: its job fails, the next one starts a new process. */
  #fail(what: string): void {
    const lost = this.#running;
    this.#running = undefined;
    void this.#end();
    lost?.reject(new MeshError('unavailable', `The policy compiler's process ${what}.`));
    this.#next();
  }

  async #end(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#timer?.cancel();
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit').catch(() => {});
    child.ref();
    child.kill('SIGKILL');
    // A process that failed to start has no exit event.
    if (child.pid !== undefined) await gone;
  }
}

function closedError(): MeshError {
  return new MeshError('unavailable', 'The policy compiler is closed.');
}

function refOption(ref: string | undefined): { ref?: string } {
  return ref === undefined ? {} : { ref };
}
