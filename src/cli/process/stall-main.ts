// The watchdog's thread: sees that the event loop of the main thread stands still, and where.
import { Session } from 'node:inspector/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock as clock, sleep } from '../../base/clock.ts';
import type { Stall, StallJob } from './stall.ts';

const { beats, stallMs, lookMs } = workerData as StallJob;
const framesMax = 20;
const stackMsMax = 5_000;

/**
 * Where the main thread is, one line a frame; empty where it is not in JavaScript, or says nothing in time.
 */
async function stackOfMain(): Promise<string[]> {
  const session = new Session();
  session.connectToMainThread();
  const urls = new Map<string, string>();
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
  try {
    const paused = new Promise<string[]>((resolve) => {
      session.once('Debugger.paused', ({ params }) => {
        const frames = params.callFrames.slice(0, framesMax);
        const lines = frames.map(
          ({ functionName, location }) =>
            `${functionName || '(anonymous)'} (${urls.get(location.scriptId)}:${location.lineNumber + 1})`,
        );
        resolve(lines);
      });
    });
    await session.post('Debugger.enable');
    await session.post('Debugger.pause');
    return await Promise.race([paused, sleep(clock, stackMsMax).then(() => [])]);
  } finally {
    // The main thread goes on.
    session.disconnect();
  }
}

let seen = Atomics.load(beats, 0);
let since = clock.now();
let stack: Promise<string[]> | undefined;

async function look(): Promise<void> {
  const now = clock.now();
  const current = Atomics.load(beats, 0);
  if (current === seen) {
    if (now - since >= stallMs) stack ??= stackOfMain().catch(() => []);
    return;
  }
  const [ms, where] = [now - since, stack];
  seen = current;
  since = now;
  stack = undefined;
  if (where !== undefined) parentPort?.postMessage({ ms, stack: await where } satisfies Stall);
}

// Keeps the thread until it is ended: timers do not.
parentPort?.ref();
for (;;) {
  await sleep(clock, lookMs);
  await look();
}
