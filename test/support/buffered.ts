import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What the heap holds once all that nobody holds is gone, in bytes. */
export async function heapUsed(): Promise<number> {
  await buffered();
  return process.memoryUsage().heapUsed;
}

/** What buffers hold once all that nobody holds is gone, in bytes. */
export async function buffered(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round++) {
    gc();
    // What a WeakRef gave out stays to the end of the task.
    await sleep(10);
  }
  return process.memoryUsage().arrayBuffers;
}
