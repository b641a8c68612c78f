// Floors: what the machine needs at the least for the same work. A bench measures them in its own run and
// judges by ratios to them, so that a slow or busy machine changes no verdict.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { atMost, type Verdict } from './table.ts';

/** Processor time of `work`, in microseconds: the least of `rounds`, as what disturbs one only adds to it. */
export function leastCpuUs(rounds: number, work: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, user + system);
  }
  return least;
}

/** What a bare Node process took that read files, parsed each of their lines as JSON, and kept all of it. */
export interface ParseFloor {
  /** Its processor time, start included, in seconds. */
  readonly cpuS: number;
  /** The most of it that was resident, in MiB. */
  readonly peakMiB: number;
}

/** Reads these files in a bare Node process. Rejects if a line is no JSON. */
export async function parseFloor(files: readonly string[]): Promise<ParseFloor> {
  const code = `
    const { readFileSync } = require('node:fs');
    const kept = process.argv.slice(1).map((file) =>
      readFileSync(file, 'utf8').split('\\n').filter(Boolean).map((line) => JSON.parse(line)));
    const { user, system } = process.cpuUsage();
    const peakMiB = process.resourceUsage().maxRSS / 1024;
    console.log(JSON.stringify({ cpuS: (user + system) / 1e6, peakMiB, lines: kept.flat().length }));`;
  const child = spawn(process.execPath, ['-e', code, ...files], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`the floor that parses ${files.join(', ')} ended with ${status}`);
  return JSON.parse(said) as ParseFloor;
}

/** A figure that must not be more than so many times its floor. Nothing is judged that was not measured. */
export function atMostTimes(
  what: string,
  value: number | undefined,
  floor: number | undefined,
  most: number,
): Verdict[] {
  if (value === undefined || floor === undefined) return [];
  return atMost(what, value / floor, most, 'x');
}
