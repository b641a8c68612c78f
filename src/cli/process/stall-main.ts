// The watchdog's thread: detects stalls of the main thread's event loop, and where.
import { Session } from 'node:inspector/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock as clock, sleep } from '../../base/clock.ts';
import { beatCount, beatGapMs, type Stall, type StallJob } from './stall.ts';

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

let seen = Atomics.load(beats, beatCount);
let since = clock.now();
let stack: Promise<string[]> | undefined;

async function look(): Promise<void> {
  const now = clock.now();
  const current = Atomics.load(beats, beatCount);
  if (current === seen) {
    if (now - since >= stallMs) stack ??= stackOfMain().catch(() => []);
    return;
  }
  // The main thread's own measure: this thread may have been stopped with it, and then has seen nothing.
  const ms = Atomics.exchange(beats, beatGapMs, 0);
  const where = stack ?? [];
  seen = current;
  since = now;
  stack = undefined;
  if (ms >= stallMs) parentPort?.postMessage({ ms, stack: await where } satisfies Stall);
}

// Keeps the thread alive: timers do not.
parentPort?.ref();
for (;;) {
  await sleep(clock, lookMs);
  await look();
}
