// Entry point of the load client's process: node load-main.ts PLAN-AS-JSON RECORD-FILE
// Says `ready`, and takes from its standard input when to begin, in milliseconds of the machine's clock. Then
// appends each sample to the record file, and prints a Progress line on standard output every 200 ms, and a
// last one.
import { openSync, writeSync } from 'node:fs';
import { endWithParent } from '../process/lifeline.ts';
import { machineClock } from '../time.ts';
import { type LoadPlan, runLoad } from './load.ts';
import { type LoadProgress, loadReady } from './load-progress.ts';
import { formatSample, latencyMs, succeeded } from './sample.ts';

const untimed: Omit<LoadPlan, 'startAtMs'> = JSON.parse(process.argv[2] ?? '{}');
const fd = openSync(process.argv[3] ?? '', 'a');
const progressEveryMs = 200;

let done = 0;
let failed = 0;
let byIdc: Record<string, number> = {};
let latencies: number[] = [];

function report(last: boolean): void {
  const progress: LoadProgress = { stream: untimed.stream, done, failed, byIdc, latencies, last };
  process.stdout.write(`${JSON.stringify(progress)}\n`);
  done = 0;
  failed = 0;
  byIdc = {};
  latencies = [];
}

endWithParent();
process.stdout.write(`${loadReady}\n`);
const plan = { ...untimed, startAtMs: await startOf(process.stdin) };
const timer = setIntervalOn(progressEveryMs, () => report(false));
await runLoad(plan, machineClock, (sample) => {
  // At once, not in batches: when this client is killed, all it has seen end is on record.
  writeSync(fd, `${formatSample(sample)}\n`);
  done += 1;
  if (!succeeded(sample)) failed += 1;
  else byIdc[sample.idc] = (byIdc[sample.idc] ?? 0) + 1;
  latencies.push(Math.round(latencyMs(sample) * 1000) / 1000);
});
timer.cancel();
report(true);
process.stdin.destroy();

/** The first line of a stream, as a number. */
function startOf(stream: NodeJS.ReadableStream): Promise<number> {
  let text = '';
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
      if (text.includes('\n')) resolve(Number(text.split('\n', 1)[0]));
    });
  });
}

function setIntervalOn(everyMs: number, fn: () => void): { cancel(): void } {
  let stopped = false;
  const again = () => {
    if (stopped) return;
    fn();
    machineClock.after(everyMs, again);
  };
  machineClock.after(everyMs, again);
  return {
    cancel() {
      stopped = true;
    },
  };
}
