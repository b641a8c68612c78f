import { latencyOf } from '../judge/stats.ts';
import type { LoadProgress } from './load-progress.ts';

/** Sums up what the load clients report, until it is printed. */
interface ProgressMeter {
  take(progress: LoadProgress): void;
  /** One line on what came since the last call. */
  line(elapsedMs: number, phase: string, spanMs: number): string;
}

/** A meter for loads served by these IDCs. One line fits a terminal and reads well in a CI log. */
export function createProgressMeter(idcs: readonly string[]): ProgressMeter {
  let [done, failed, failedEver] = [0, 0, 0];
  let latencies: number[] = [];
  const served = new Map<string, number>();
  return {
    take(progress) {
      done += progress.done;
      failed += progress.failed;
      failedEver += progress.failed;
      latencies.push(...progress.latencies);
      for (const [idc, count] of Object.entries(progress.byIdc))
        served.set(idc, (served.get(idc) ?? 0) + count);
    },
    line(elapsedMs, phase, spanMs) {
      const total = [...served.values()].reduce((sum, count) => sum + count, 0);
      const share = (idc: string) => (total === 0 ? 0 : (100 * (served.get(idc) ?? 0)) / total);
      const { p99, max } = latencyOf(latencies);
      const time = `${(elapsedMs / 1000).toFixed(0).padStart(3)} s`;
      const rate = `${((1000 * done) / spanMs).toFixed(0).padStart(5)} req/s`;
      const failures = `${String(failed).padStart(4)} failed (${failedEver} in all)`;
      const where = idcs.map((idc) => `${idc} ${share(idc).toFixed(0).padStart(3)} %`).join('  ');
      const tail = `p99 ${figure(p99)}  max ${figure(max)} ms`;
      [done, failed, latencies] = [0, 0, []];
      served.clear();
      return `${time}  ${phase.padEnd(12)} ${rate}  ${failures}  ${where}  ${tail}`;
    },
  };
}

function figure(ms: number): string {
  return (Number.isNaN(ms) ? '-' : ms.toFixed(1)).padStart(7);
}
