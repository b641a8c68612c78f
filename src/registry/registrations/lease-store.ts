import { statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type Clock, keepProcess, sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { siblingUrl } from '../../base/files/sibling.ts';
import { notRegularFile } from '../../base/system-error.ts';
import type { Commit, Opened, StoreAnswer } from './lease-worker.ts';

/** Rows on disk, written by a thread, so that waiting for the disk does not delay pushes. */
export interface LeaseStore {
  /** Its content when opened; node ids of remembered proxies. */
  readonly opened: Opened;
  /**
   * Resolves when the commit is on the disk. One at a time. Throws MeshError `unavailable`; then nothing
   * changed.
   */
  commit(commit: Commit): Promise<void>;
  /** Closes the file after pending writes. */
  close(): Promise<void>;
}

/** A control plane that is just ending still holds the file for a moment. */
const busyMsMax = 5_000;
const busyPauseMs = 50;

/** Opens the file, or creates it. Throws MeshError `unavailable` with what to do. */
export async function openLeaseStore(file: string, clock: Clock): Promise<LeaseStore> {
  const since = clock.now();
  const odd = whyNoFile(file);
  if (odd !== undefined)
    throw new MeshError('unavailable', `the registrations in ${file} cannot be opened: ${odd}`, {
      ref: file,
    });
  for (;;) {
    const { worker, answer } = await start(file);
    if ('rows' in answer) return createStore(worker, answer, file);
    await worker.terminate();
    const fault = 'fault' in answer ? answer.fault : { code: '', message: 'no answer' };
    if (fault.code === 'busy' && clock.now() - since < busyMsMax) {
      await sleepAlive(clock, busyPauseMs);
      continue;
    }
    throw new MeshError('unavailable', `the registrations in ${file} cannot be opened: ${advice(fault)}`, {
      ref: file,
    });
  }
}

/** Why SQLite cannot open it, where its own words would not say so. */
function whyNoFile(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return undefined;
  return found.isDirectory() ? 'it is a folder; name a file, which is created' : notRegularFile;
}

function advice({ code, message }: { code: string; message: string }): string {
  if (code === 'busy') return 'another control plane has the file; give each one of its own';
  if (/not a database|malformed|corrupt/i.test(message))
    return `it is damaged (${message}); move it aside: running instances register again by themselves`;
  if (/unable to open/i.test(message)) return 'its folder is missing or may not be written; create it';
  return message;
}

async function start(file: string): Promise<{ worker: Worker; answer: StoreAnswer }> {
  const worker = new Worker(siblingUrl(import.meta.url, './lease-worker'), {
    workerData: file,
    execArgv: [],
    name: 'isthmus-leases',
  });
  return { worker, answer: await answerOf(worker) };
}

/** The thread's next message; a thread that ends instead has failed. */
function answerOf(worker: Worker): Promise<StoreAnswer> {
  return new Promise((resolve) => {
    const failed = (what: unknown) => done({ fault: { code: '', message: `its thread ended: ${what}` } });
    const done = (answer: StoreAnswer) => {
      worker.off('message', done);
      worker.off('error', failed);
      worker.off('exit', failed);
      resolve(answer);
    };
    worker.on('message', done);
    worker.on('error', failed);
    worker.on('exit', failed);
  });
}

function createStore(worker: Worker, opened: Opened, file: string): LeaseStore {
  let ended: string | undefined;
  worker.on('error', (reason) => {
    ended = String(reason);
  });
  worker.on('exit', (status) => {
    ended ??= `exit ${status}`;
  });
  // A pending commit keeps the process alive, not this thread.
  worker.unref();
  return {
    opened,
    async commit(commit) {
      if (ended !== undefined)
        throw new MeshError('unavailable', `${file} is not written any more: its thread ended (${ended})`);
      worker.ref();
      const reply = answerOf(worker);
      worker.postMessage(commit);
      const answer = await reply;
      worker.unref();
      if ('fault' in answer)
        throw new MeshError('unavailable', `${file} cannot be written: ${answer.fault.message}`, {
          ref: file,
        });
    },
    async close() {
      if (ended !== undefined) return;
      worker.ref();
      const exit = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage('close');
      await exit;
    },
  };
}

/** Like `sleep`, for the start, when nothing else keeps the process alive. */
async function sleepAlive(clock: Clock, delayMs: number): Promise<void> {
  await sleep(clock, delayMs).finally(keepProcess());
}
