// Does anything grow? `node bench/soak.ts [--minutes 60] [--arenas N] [--snapshots DIR]`: a real `isthmus
// serve` with clients that stay, guests that come and go under ever new names, changes, Groups and instances
// that come and go, bad messages. What the process holds after garbage collection and its open files are read
// again and again: from when on the tables that its gauges tell of are full, a straight line through them
// must be flat. Exit code 1 where it is not. With --snapshots two heap snapshots are written, half-way and at
// the end, and nothing is judged.
import { parseArgs } from 'node:util';
import { systemClock as clock, sleep } from '../src/base/clock.ts';
import { receiveGuests } from './soak/guests.ts';
import { type Sample, startSoaked } from './soak/plane.ts';
import { growth, quantile } from './soak/slope.ts';
import { fullTables, tellTables } from './soak/tables.ts';
import { conclude } from './support/conclude.ts';
import { atMost, figure, table, type Verdict } from './support/table.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    arenas: { type: 'string' },
    snapshots: { type: 'string' },
  },
});
const totalMs = Number(values.minutes) * 60_000;
const clients = 100;
const changeMs = 200;
const everyMs = Math.max(5_000, totalMs / 120);
const mib = 2 ** 20;
// Code is compiled and young memory has grown after so much of it; tables that are not full after so much are
// not waited for.
const warmUp = { least: 1 / 4, most: 1 / 2 };

/**
 * What is read, the unit it is told in, and the part of its mean by which it may grow from the end of the
 * beginning to the end.
 */
const measures = [
  { what: 'heap', unit: 'MiB', scale: mib, part: 0.05, of: (one: Sample) => one.heap },
  { what: 'heap that V8 has', unit: 'MiB', scale: mib, part: undefined, of: (one: Sample) => one.heapTotal },
  { what: 'buffers', unit: 'MiB', scale: mib, part: undefined, of: (one: Sample) => one.external },
  { what: 'RSS', unit: 'MiB', scale: mib, part: 0.05, of: (one: Sample) => one.rss },
  {
    what: 'RSS beside the heap',
    unit: 'MiB',
    scale: mib,
    part: undefined,
    of: (one: Sample) => one.rss - one.heapTotal,
  },
  { what: 'open files', unit: '', scale: 1, part: 0.02, of: (one: Sample) => one.files },
] as const;

/** What was seen at one time: the process, and from events to their arrivals, ms. */
interface Look extends Sample {
  readonly atMs: number;
  readonly times: readonly number[];
}

async function soak(): Promise<Verdict[]> {
  const env = values.arenas === undefined ? {} : { MALLOC_ARENA_MAX: values.arenas };
  const { snapshots } = values;
  const plane = await startSoaked(clients, changeMs, { env, ...(snapshots !== undefined && { snapshots }) });
  const stop = new AbortController();
  try {
    const guests = receiveGuests(plane.served, stop.signal);
    const looks: Look[] = [];
    const begin = clock.now();
    const snapshotAt = snapshots === undefined ? [] : [totalMs / 2, totalMs - everyMs];
    while (clock.now() - begin < totalMs) {
      await sleep(clock, everyMs);
      const look = { ...(await plane.sample()), atMs: clock.now() - begin, times: plane.clients.take() };
      looks.push(look);
      if (look.atMs >= (snapshotAt[0] ?? Number.POSITIVE_INFINITY)) {
        snapshotAt.shift();
        plane.served.kill('SIGWINCH');
      }
      process.stderr.write(`${tell(look)}\n`);
    }
    stop.abort();
    console.log(`${await guests} guests, ${looks.length} looks\n`);
    return judge(looks, plane.clients.lost, plane.failures);
  } finally {
    stop.abort();
    await plane.close();
  }
}

function tell(look: Look): string {
  const parts = measures.map(({ what, scale, unit, of }) =>
    `${what} ${figure(of(look) / scale)} ${unit}`.trim(),
  );
  const p99 = figure(quantile(look.times, 0.99));
  return `${figure(look.atMs / 60_000)} min: ${parts.join(', ')}; event → received p99 ${p99} ms`;
}

function judge(looks: readonly Look[], lost: readonly string[], failures: readonly string[]): Verdict[] {
  console.log(`${tellTables(looks)}\n`);
  const full = fullTables(looks, warmUp.most * totalMs);
  const warmMs = Math.max(warmUp.least * totalMs, full.atMs);
  console.log(
    `judged from minute ${figure(warmMs / 60_000)} on; then still filling: ${full.stillFilling.join('; ') || 'none'}\n`,
  );
  const steady = looks.filter(({ atMs }) => atMs >= warmMs);
  const rows = measures.map((one) => ({
    ...one,
    ...growth(steady.map((look) => ({ atMs: look.atMs, value: one.of(look) }))),
  }));
  console.log(
    table<(typeof rows)[number]>(
      [
        ['what', ({ what }) => what],
        ['mean', ({ mean, scale }) => figure(mean / scale)],
        ['grew by', ({ grown, scale }) => figure(grown / scale)],
        ['an hour', ({ perHour, scale }) => figure(perHour / scale)],
        ['', ({ unit }) => unit],
      ],
      rows,
    ),
  );
  for (const one of [...lost, ...failures].slice(0, 5)) console.log(one);
  const half = Math.floor(steady.length / 2);
  const p99 = (some: readonly Look[]) =>
    quantile(
      some.flatMap(({ times }) => times),
      0.99,
    );
  return [
    ...rows.flatMap(({ what, unit, scale, grown, mean, part }) =>
      part === undefined ? [] : atMost(`${what}: growth`, grown / scale, (part * mean) / scale, unit),
    ),
    ...atMost(
      'event → received, p99 of the second half',
      p99(steady.slice(half)),
      2 * p99(steady.slice(0, half)),
      'ms',
    ),
    ...atMost('clients that were disconnected', lost.length, 0, ''),
    ...atMost(
      'connections taken for dead, as nothing came from them for 13 s',
      looks.at(-1)?.kept.get('xds_level silentTotal'),
      0,
      '',
    ),
    ...atMost('changes that were not taken', failures.length, 0, ''),
  ];
}

conclude(await soak());
process.exit();
