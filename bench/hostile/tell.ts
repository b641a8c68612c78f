import type { Attack } from '../../test/support/attacks/attack.ts';
import { figure, table } from '../support/table.ts';
import type { Assaulted, Phase, Seen } from './attacking.ts';
import { type Memory, quantile } from './scene.ts';

const percent = (part: number | undefined, of: number | undefined) =>
  part === undefined || of === undefined ? '' : `${Math.round((100 * part) / of)}`;

/** Prints what each attack did, what random messages ended with, and why some may be still open. */
export function tell({ seen, sent }: Assaulted, attacks: readonly Attack[], seed: number): void {
  console.log(
    table<Seen>(
      [
        ['attack', ({ name }) => name],
        ['ended with', ({ ends }) => ends.slice(0, 90)],
        ['', ({ isClear }) => (isClear ? 'clear' : 'NOT CLEAR')],
        ['seconds', ({ ms }) => figure(ms / 1_000)],
        ['event → received, p99 ms', ({ p99Ms }) => figure(p99Ms)],
        ['max ms', ({ maxMs }) => figure(maxMs)],
        ['longest turn ms', ({ plane }) => figure(plane?.maxMs ?? Number.NaN)],
        ['of its own ms', ({ plane }) => figure(plane?.ownMs ?? Number.NaN)],
        ['control plane %', ({ plane }) => percent(plane?.ranMs, plane?.tookMs)],
        ['attacker %', ({ attackerMs, ms }) => percent(attackerMs, ms)],
      ],
      seen,
    ),
  );
  const open = new Map<string, string[]>();
  for (const { name, open: why } of attacks)
    if (why !== undefined && seen.some((one) => one.name === name && one.ends.includes('still open')))
      open.set(why, [...(open.get(why) ?? []), name]);
  for (const [why, names] of open) console.log(`still open: ${why}: ${names.join('; ')}`);
  const kinds = Object.entries(sent.kinds ?? {}).map(([kind, count]) => `${count} ${kind}`);
  const bytes = `the first half of the SHA-256 of their bytes ${sent.digest}`;
  console.log(`\nseed ${seed}: ${kinds.join(', ')}; ${bytes}; ${figure(sent.ms / 1_000)} s`);
  const ends = [...sent.ended].sort((a, b) => b.times - a.times).slice(0, 25);
  console.log(
    table<(typeof ends)[0]>(
      [
        ['calls', ({ times }) => times],
        ['ended with', ({ how }) => how],
      ],
      ends,
    ),
  );
}

/** Prints phases. */
export function tellPhases(phases: readonly Phase[]): void {
  console.log(
    table<Phase>(
      [
        ['event → received', ({ what }) => what],
        ['arrivals', ({ times }) => times.length],
        ['p50 ms', ({ times }) => figure(quantile(times, 0.5))],
        ['p99 ms', ({ times }) => figure(quantile(times, 0.99))],
        ['longest turn ms', ({ turns }) => figure(turns.maxMs)],
        ['of its own ms', ({ turns }) => figure(turns.ownMs)],
        ['control plane %', ({ turns }) => percent(turns.ranMs, turns.tookMs)],
        ['waited for a processor %', ({ turns }) => percent(turns.waitedMs, turns.tookMs)],
        ['clients waited %', ({ turns }) => percent(turns.clientsWaitedMs, turns.tookMs)],
        ['other processes ran %', ({ turns }) => percent(turns.othersRanMs, turns.tookMs)],
      ],
      phases,
    ),
  );
}

/** Prints what a process holds, before and after. */
export function tellMemory(list: Readonly<Record<string, Memory>>): void {
  for (const [when, one] of Object.entries(list)) {
    const parts = Object.entries(one).map(([what, bytes]) => `${what} ${figure(bytes / 2 ** 20)}`);
    console.log(`memory ${when}, MiB: ${parts.join(', ')}`);
  }
}
