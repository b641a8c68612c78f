import { Worker } from 'node:worker_threads';
import { MeshError } from '../../base/error.ts';
import { siblingUrl } from '../../base/files/sibling.ts';
import type { CaAnswers, CaQuestion, CaReply, CaWorkerData } from './ca-worker.ts';

/** Questions that may wait for the thread: each takes 5 to 10 ms. */
const pendingMax = 512;

interface Pending {
  resolve(answer: unknown): void;
  reject(reason: MeshError): void;
}

/** The thread that signs: nothing else waits for its 5 ms a certificate. */
export class CaThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #asked = 0;
  #ended: string | undefined;

  private constructor(data: CaWorkerData) {
    this.#worker = new Worker(siblingUrl(import.meta.url, './ca-worker'), {
      workerData: data,
      execArgv: [],
      name: 'isthmus-ca',
    });
    this.#worker.on('message', ({ id, answer, fault }: CaReply) => {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (fault === undefined) pending?.resolve(answer);
      else pending?.reject(new MeshError(fault.code, fault.message));
    });
    this.#worker.on('error', (reason) => this.#fail(String(reason)));
    this.#worker.on('exit', (status) => this.#fail(`exit ${status}`));
  }

  /** Opens the authority in a folder. Throws MeshError `not-found` or `unavailable`. */
  static async open(data: CaWorkerData): Promise<CaThread> {
    const thread = new CaThread(data);
    try {
      await thread.#wait(0);
    } catch (reason) {
      await thread.close();
      throw reason;
    }
    return thread;
  }

  /** Asks the thread. Throws what it throws, MeshError `exhausted` if too much waits for it. */
  ask<Op extends CaQuestion['op']>(question: CaQuestion & { readonly op: Op }): Promise<CaAnswers[Op]> {
    if (this.#ended !== undefined)
      return Promise.reject(new MeshError('unavailable', `the thread that signs has ended: ${this.#ended}`));
    if (this.#pending.size >= pendingMax)
      return Promise.reject(new MeshError('exhausted', 'too many ask for certificates: ask again later'));
    this.#asked += 1;
    const reply = this.#wait(this.#asked);
    this.#worker.postMessage({ id: this.#asked, question });
    return reply as Promise<CaAnswers[Op]>;
  }

  async close(): Promise<void> {
    this.#ended ??= 'closed';
    await this.#worker.terminate();
  }

  #wait(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
  }

  #fail(why: string): void {
    this.#ended ??= why;
    for (const { reject } of this.#pending.values())
      reject(new MeshError('unavailable', `the thread that signs has ended: ${why}`));
    this.#pending.clear();
  }
}
