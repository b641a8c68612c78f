import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import type { FleetPlan, FleetReport } from '../../../src/drill/upstream/fleet.ts';

/** Light ADS clients in a process of their own. */
export interface AdsFleet {
  report(): Promise<FleetReport>;
  /** Polls until the report is as it should be; the error says what it was instead. */
  until(what: string, holds: (report: FleetReport) => boolean): Promise<FleetReport>;
  stop(): void;
}

// A thousand connections take their time on a machine that is busy.
const untilMsMax = 200_000;
const main = fileURLToPath(new URL('../../../src/drill/upstream/fleet-main.ts', import.meta.url));
// The test runner's own loaders are not the clients'.
const { NODE_OPTIONS: _, ...env } = process.env;

/** Starts a fleet. */
export function startAdsFleet(plan: FleetPlan): AdsFleet {
  const child = spawn(process.execPath, [main, JSON.stringify(plan)], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const asked: ((line: string) => void)[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => asked.shift()?.(line));
  const report = async (): Promise<FleetReport> => {
    const line = new Promise<string>((resolve) => asked.push(resolve));
    child.stdin.write('\n');
    return JSON.parse(await line);
  };
  return {
    report,
    async until(what, holds) {
      const deadline = systemClock.now() + untilMsMax;
      for (;;) {
        const last = await report();
        if (holds(last)) return last;
        if (systemClock.now() > deadline)
          throw new Error(`waited in vain: ${what}; it is ${JSON.stringify(last)}`);
        await sleep(systemClock, 50);
      }
    },
    stop: () => void child.kill('SIGKILL'),
  };
}
