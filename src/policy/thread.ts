import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { CompileJob, CompileResult } from './worker.ts';

/** The compiler keeps some 100 MiB while it lives; policies come in bursts, of the listeners of one IDC. */
const idleMs = 10_000;
/** A first compile takes one to three seconds on a busy machine; what takes this long never ends. */
const jobMsMax = 60_000;

/** A filter that passed its vectors; `stored`: an earlier process had compiled it. */
export type Compiled = Extract<CompileResult, { readonly bytes: Uint8Array }>;

interface Pending {
  readonly job: CompileJob;
  readonly resolve: (compiled: Compiled) => void;
  readonly reject: (reason: MeshError) => void;
}

/** The worker thread: started by the first job, one job at a time, ended when idle. */
export class CompileThread {
  readonly #clock: Clock;
  readonly #queue: Pending[] = [];
  #running: Pending | undefined;
  #worker: Worker | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Compiles and checks one filter. Rejects with a MeshError: the worker's, or 'unavailable' when the thread died. */
  run(job: CompileJob): Promise<Compiled> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError());
      this.#queue.push({ job, resolve, reject });
      this.#next();
    });
  }

  /** Ends the thread; jobs that are not done are rejected with 'unavailable'. */
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
      // Nothing to do: must neither keep the process alive nor stay for long.
      this.#worker?.unref();
      this.#timer = this.#clock.after(idleMs, () => void this.#end());
      return;
    }
    this.#timer = this.#clock.after(jobMsMax, () => this.#fail(`gave no answer for ${jobMsMax} ms`));
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(this.#running.job);
  }

  #start(): Worker {
    // `.ts` in the source tree, `.js` in what is published: as this file. No flags of ours: they may belong to a test runner.
    const file = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
    const worker = new Worker(file, { execArgv: [], name: 'isthmus-policy' });
    worker.on('message', (result: CompileResult) => {
      if (this.#worker === worker) this.#settle(result);
    });
    worker.on('error', (reason) => {
      if (this.#worker === worker) this.#fail(`failed: ${String(reason)}`);
    });
    worker.on('exit', (status) => {
      if (this.#worker === worker) this.#fail(`exited with ${status}`);
    });
    return worker;
  }

  #settle(result: CompileResult): void {
    const done = this.#running;
    this.#running = undefined;
    if ('bytes' in result) done?.resolve(result);
    else done?.reject(new MeshError(result.fault.code, result.fault.message, refOption(result.fault.ref)));
    this.#next();
  }

  /** The worker is of no more use: its job is lost, the next one gets a new worker. */
  #fail(what: string): void {
    const lost = this.#running;
    this.#running = undefined;
    void this.#end();
    lost?.reject(new MeshError('unavailable', `The policy compiler's thread ${what}.`));
    this.#next();
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#timer?.cancel();
    await worker?.terminate();
  }
}

function closedError(): MeshError {
  return new MeshError('unavailable', 'The policy compiler is closed.');
}

function refOption(ref: string | undefined): { ref?: string } {
  return ref === undefined ? {} : { ref };
}
