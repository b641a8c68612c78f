// From a change to every stream that has it: `node bench/push.ts [--quick] [--streams N,…] [--rounds N]
// [--json FILE]`; rounds are those at 1,000 streams.
import { parseArgs } from 'node:util';
import { type Load, measure, mergeRounds, type Row } from './push/measure.ts';
import { type Contender, contenders, type Mode, namesFloor, plainFloor } from './push/servers.ts';
import { conclude } from './support/conclude.ts';
import { atMostTimes } from './support/floor.ts';
import { hasGo } from './support/go.ts';
import { filesMax, thisMachine } from './support/machine.ts';
import { keepJson } from './support/results.ts';
import { atMost, figure, table, type Verdict, verdicts } from './support/table.ts';

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '100,1000,3000,10000' },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string', default: '.cache/bench/push.json' },
  },
});

/** Bounds that are ratios to a floor or a peer: at 1,000 streams, and at 10,000. */
const ratios = { cpu: 1.4, cold: 0.75, rssLibrary: 1.7, rssPlane: 2.5, p99Many: 2.6, rssMany: 1.5 };

if (!hasGo()) console.log('bench-push: skipped, Go is missing (the client and the peers are Go programs)');
else await bench();

async function bench(): Promise<void> {
  const sizes = values.quick ? [100, 1000] : values.streams.split(',').map(Number);
  const rows: Row[] = [];
  for (const streams of sizes) {
    if (streams + 100 > filesMax()) {
      console.log(`${streams} streams: skipped, 'ulimit -Hn' is ${filesMax()}: raise it`);
      continue;
    }
    rows.push(...(await measureAll(streams)));
    // Written after each size, so that a failure at 10,000 streams loses no earlier result.
    keep(rows);
  }
  console.log(`\n${show(rows)}`);
  conclude(judge(rows));
}

function keep(rows: readonly Row[]): void {
  const bounds = judge(rows);
  keepJson(values.json, { machine: thisMachine(), rows, bounds, tables: [show(rows), verdicts(bounds)] });
}

/** All contenders, one after the other, in each round, so that disturbances affect all alike. */
async function measureAll(streams: number): Promise<Row[]> {
  // The bounds are at 1,000.
  const rounds = streams === 1000 ? Number(values.rounds ?? (values.quick ? 1 : 3)) : 1;
  const runs = contenders
    .filter((one) => one.streams.includes(streams) && one.name.includes(values.only))
    .flatMap((contender) => contender.modes.map((mode) => ({ contender, mode, rows: [] as Row[] })));
  for (let round = 0; round < rounds; round++)
    for (const run of runs) run.rows.push(await measureOne(run.contender, run.mode, streams));
  return runs.map((run) => mergeRounds(run.rows));
}

async function measureOne(contender: Contender, mode: Mode, streams: number): Promise<Row> {
  const changes = streams <= 100 ? 30 : streams <= 1000 ? 20 : 5;
  const load: Load = { mode, streams, changes, groups: 1000, endpoints: 10 };
  process.stderr.write(`${streams} streams, ${mode}, ${contender.name} … `);
  const row = await measure(contender, load);
  process.stderr.write(`p50 ${row.p50Ms} p99 ${row.p99Ms} ms, ${figure(row.cpuUs)} µs a push and stream\n`);
  return row;
}

function show(rows: readonly Row[]): string {
  return table<Row>(
    [
      ['server', (row) => row.server],
      ['mode', (row) => row.mode],
      ['streams', (row) => row.streams],
      // A cold start counts only if all streams finished it.
      ['cold s', (row) => (row.full < row.streams ? `${row.full} full` : figure(row.coldS))],
      ['cold MiB', (row) => Math.round(row.coldMiB)],
      ['p50 ms', (row) => figure(row.p50Ms)],
      ['p99 ms', (row) => figure(row.p99Ms)],
      ['max ms', (row) => figure(row.maxMs)],
      ['CPU µs', (row) => figure(row.cpuUs)],
      ['bytes', (row) => Math.round(row.bytesPerStream)],
      ['RSS MiB', (row) => Math.round(row.rssMiB)],
      ['peak MiB', (row) => row.peakMiB],
      ['others %', (row) => Math.round(row.othersPercent)],
    ],
    rows,
  );
}

/**
 * The bounds, as ratios within this run (decision 185). State of the World is compared with the floor whose
 * ACKs are as long, where CPU and memory are.
 */
function judge(rows: readonly Row[]): Verdict[] {
  const of = (name: string, streams: number, mode?: Mode) =>
    rows.filter(
      (row) => row.server.startsWith(name) && row.streams === streams && (mode ?? row.mode) === row.mode,
    );
  const floor = of(plainFloor, 1000)[0];
  const floorOfNames = of(namesFloor, 1000)[0];
  // The best of the peer's caches, on the same protocol.
  const peerP99 = (mode: Mode) => Math.min(...of('go-control-plane', 1000, mode).map((row) => row.p99Ms));
  const at1000 = of('isthmus', 1000).flatMap((row) => {
    const name = `${row.server}, ${row.mode}`;
    return [
      ...atMost(`${name}: p50 against the floor`, floor && row.p50Ms / floor.p50Ms, 1.25, 'x'),
      ...atMost(`${name}: p99 against the floor`, floor && row.p99Ms / floor.p99Ms, 1.25, 'x'),
      ...(row.mode === 'delta' || floorOfNames === undefined
        ? []
        : [
            ...atMost(`${name}: p50, the floor's ACKs as long`, row.p50Ms / floorOfNames.p50Ms, 1.25, 'x'),
            ...atMost(`${name}: p99, the floor's ACKs as long`, row.p99Ms / floorOfNames.p99Ms, 1.25, 'x'),
          ]),
      ...(Number.isFinite(peerP99(row.mode))
        ? atMost(`${name}: p99 against go-control-plane`, row.p99Ms / peerP99(row.mode), 1 / 7, 'x')
        : []),
      ...judgeCosts(name, row, of),
    ];
  });
  return [...at1000, ...judgeMany(of)];
}

/** Rows by the beginning of a server's name, by streams and mode. */
type Rows = (name: string, streams: number, mode?: Mode) => readonly Row[];

/** The floor of what a mode costs: of State of the World the one whose ACKs are as long. */
function floorOf(of: Rows, streams: number, mode: Mode): Row | undefined {
  return of(mode === 'delta' ? plainFloor : namesFloor, streams)[0];
}

/** CPU, cold start and memory at 1,000 streams. */
function judgeCosts(name: string, row: Row, of: Rows): Verdict[] {
  const coldEach = ({ coldS, coldMiB, full, streams }: Row) =>
    full < streams ? Number.POSITIVE_INFINITY : coldS / coldMiB;
  const peers = of('go-control-plane', 1000, row.mode).map(coldEach);
  const peer = peers.length === 0 ? undefined : Math.min(...peers);
  const rssMax = row.server.includes('library') ? ratios.rssLibrary : ratios.rssPlane;
  const floor = floorOf(of, 1000, row.mode);
  return [
    ...atMostTimes(`${name}: CPU against the floor`, row.cpuUs, floor?.cpuUs, ratios.cpu),
    ...atMostTimes(`${name}: cold start, a MiB, against go-control-plane`, coldEach(row), peer, ratios.cold),
    ...atMostTimes(`${name}: RSS against the floor`, row.rssMiB, of(plainFloor, 1000)[0]?.rssMiB, rssMax),
  ];
}

/** What is judged at 10,000 streams. */
function judgeMany(of: Rows): Verdict[] {
  const rssFloor = of(plainFloor, 10_000)[0]?.rssMiB;
  return of('isthmus', 10_000).flatMap((row) => {
    const name = `10,000 streams, ${row.server}, ${row.mode}`;
    const p99Floor = floorOf(of, 10_000, row.mode)?.p99Ms;
    return [
      ...atMostTimes(`${name}: p99 against the floor`, row.p99Ms, p99Floor, ratios.p99Many),
      ...atMostTimes(`${name}: RSS against the floor`, row.rssMiB, rssFloor, ratios.rssMany),
      ...atMost(`${name}: streams starved`, row.streams - row.reached, 0, ''),
      ...atMost(`${name}: streams that never were full`, row.streams - row.full, 0, ''),
      ...atMost(`${name}: connections lost`, row.reconnects, 0, ''),
    ];
  });
}
