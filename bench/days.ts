// Does anything grow by the clock? `node --expose-gc bench/days.ts [--days 10]`: a control plane with
// simulated time, an hour a round: clients come and go, leases end, the home and a gateway are lost and come
// back, evacuations begin and end (`test/support/planes/simulation.ts`). What is left after garbage
// collection at the end of each day, its timers and open files must be flat. Exit code 1 where it is not.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { getHeapSpaceStatistics } from 'node:v8';
import { pushesMax } from '../src/delivery/ledger.ts';
import { startSimulation } from '../test/support/planes/simulation.ts';
import { growth } from './soak/slope.ts';
import { conclude } from './support/conclude.ts';
import { atMost, type Column, figure, table, type Verdict } from './support/table.ts';

const { values } = parseArgs({ options: { days: { type: 'string', default: '10' } } });
const days = Number(values.days);
const [hour, mib] = [3_600_000, 2 ** 20];
// Tables that expire by age are full.
const warmDays = Math.min(2, Math.floor(days / 3));

const { gc } = globalThis as { gc?: () => void };
if (gc === undefined || !(days >= 3)) throw new Error('give node --expose-gc, and --days of at least 3');
// The servers and timers of the simulation let a process end.
setInterval(() => {}, 1_000);

/** Bytes of live objects, without code: V8 keeps compiling some functions each round for days. */
const objects = () =>
  getHeapSpaceStatistics().reduce(
    (sum, { space_name, space_used_size }) => (/code|trusted/.test(space_name) ? sum : sum + space_used_size),
    0,
  );

const simulation = await startSimulation();
// The ledger forgets pushes by number, and the days alone would take three weeks to fill it. Its clients are
// there after a round.
await simulation.round(hour);
await simulation.push(pushesMax);
const looks: Readonly<Record<string, number>>[] = [];
for (let day = 1; day <= days; day += 1) {
  for (let round = 0; round < 24; round += 1) await simulation.round(hour);
  for (let round = 0; round < 3; round += 1) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { arrayBuffers } = process.memoryUsage();
  const kept = await simulation.kept();
  const look = {
    ...{
      day,
      heap: objects() / mib,
      buffers: arrayBuffers / mib,
      files: readdirSync('/proc/self/fd').length,
    },
    ...Object.fromEntries(kept),
  };
  looks.push(look);
  process.stderr.write(`day ${day}: heap ${figure(look.heap)} MiB, buffers ${figure(look.buffers)} MiB\n`);
}
await simulation.close();

const shown = [
  'day',
  'heap',
  'buffers',
  'files',
  'timers',
  'unsettled',
  'goneNodes',
  'gone',
  'evacuations',
  'pushes',
];
const columns = shown.map(
  (what): Column<(typeof looks)[number]> => [what, (look) => figure(look[what] ?? 0)],
);
console.log(table(columns, looks));
const grown = (what: string, bound: (mean: number) => number, unit: string): Verdict[] => {
  const points = looks
    .slice(warmDays)
    .map((look, day) => ({ atMs: day * 24 * hour, value: look[what] ?? 0 }));
  const { mean, grown } = growth(points);
  return atMost(`${what}: growth from day ${warmDays + 1} to ${days}`, grown, bound(mean), unit);
};
const rows = [
  ...grown('heap', (mean) => 0.05 * mean, 'MiB'),
  ...grown('files', (mean) => 0.02 * mean, ''),
  ...grown('timers', (mean) => 0.1 * mean, ''),
  ...atMost('errors that were logged', simulation.errors.length, 0, ''),
];
for (const error of simulation.errors.slice(0, 5)) console.log(error);
conclude(rows);
process.exit();
