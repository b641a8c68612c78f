// The watchdog's thread: detects stalls of the main thread's event loop, and where.
import { Session } from 'node:inspector/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock as clock, sleep } from '../../base/clock.ts';
import type { Stall, StallJob } from './stall.ts';

const { beats, stallMs, lookMs } = workerData as StallJob;
const framesMax = 20;
const stackMsMax = 5_000;

/** The main thread's stack, one line per frame; empty outside of JavaScript, or without a timely answer. */
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
    // Lets the main thread go on.
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

// Keeps the thread alive: timers do not.
parentPort?.ref();
for (;;) {
  await sleep(clock, lookMs);
  await look();
}
