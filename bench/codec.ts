// Our codec from proto3 JSON to the wire and back, beside @bufbuild/protobuf and protobufjs' own: what each
// gets right, and what it costs.
// `node bench/codec.ts --home FOLDER [--rounds N]`: FOLDER has @bufbuild/protobuf in its node_modules (`make
// bench-codec` sees to that).
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { sharedMessage } from '../src/base/shared-message.ts';
import { cases, wrongOf } from './codec/cases.ts';
import { type Codec, contenders } from './codec/contenders.ts';
import { routeType, type Sample, samples, virtualHost } from './codec/messages.ts';
import { conclude } from './support/conclude.ts';
import { atMostTimes } from './support/floor.ts';
import { thisMachine } from './support/machine.ts';
import { atMost, type Column, figure, table, type Verdict } from './support/table.ts';

/** What one process measured of one codec. */
interface Measured {
  /**
   * From the start of the process to the first message that was encoded and decoded, less what Node itself
   * takes; milliseconds.
   */
  readonly coldMs: number;
  /** What stays in the heap for the schema, once all samples went through; MiB. */
  readonly heldMiB: number;
  /** Most of the process's memory that was in RAM by then; MiB. */
  readonly peakMiB: number;
  readonly wrong: readonly string[];
  /** µs of CPU by sample, undefined where it cannot. */
  readonly costs: Readonly<Record<string, number | undefined>>;
}

const { values } = parseArgs({
  options: { home: { type: 'string' }, rounds: { type: 'string', default: '5' }, only: { type: 'string' } },
});
const home = resolve(values.home ?? '.cache/bench/codec');

function cpuUs(times: number, run: (i: number) => unknown): number {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) run(i);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

function costOf(
  times: number,
  make: (i: number) => unknown,
  run: (made: never) => unknown,
): number | undefined {
  try {
    const made = Array.from({ length: times }, (_, i) => make(i));
    for (let i = 0; i < Math.min(times, 500); i++) run(make(i) as never);
    return cpuUs(times, (i) => run(made[i] as never));
  } catch {
    return undefined;
  }
}

/**
 * Whether a message is still there, there and back: what passes over most of it costs nothing, and says
 * nothing.
 */
function keeps(codec: Codec, { type, make }: Sample): boolean {
  const json = make(0);
  const length = (value: unknown) => JSON.stringify(value).length;
  return length(codec.decode(type, codec.encode(type, json))) > length(json) / 2;
}

function measure(codec: Codec, coldMs: number, heldMiB: () => number): Measured {
  const costs: Record<string, number | undefined> = {};
  for (const { name, type, make, times } of samples.filter((sample) => keeps(codec, sample))) {
    costs[`encode ${name}`] = costOf(times, make, (json) => codec.encode(type, json));
    costs[`decode ${name}`] = costOf(
      times,
      (i) => codec.encode(type, make(i)),
      (bytes) => codec.decode(type, bytes),
    );
  }
  // One host of 1,000 changes, as in each event: only our own codec can keep the bytes of the others.
  const hosts = Array.from({ length: 1_000 }, (_, i) => sharedMessage(virtualHost(i, 0)));
  const change = {
    name: 'one changed host of 1,000',
    type: routeType,
    times: 20,
    make: (i: number) => ({ name: 'edge', virtual_hosts: [virtualHost(0, i + 1), ...hosts.slice(1)] }),
  };
  if (keeps(codec, change))
    costs[`encode ${change.name}`] = costOf(change.times, change.make, (json) =>
      codec.encode(routeType, json),
    );
  const peakMiB = process.resourceUsage().maxRSS / 1_024;
  return { coldMs, peakMiB, heldMiB: heldMiB(), wrong: wrongOf(codec), costs };
}

/** The most that our codec may take, in what the best of the others takes in the same run. */
const costMax = 1.6;

/** Our codec, the first of the contenders, is right, and no cost is far above that of the best other. */
function judge(runs: ReadonlyMap<string, readonly Measured[]>): Verdict[] {
  const [[, own = []] = [], ...others] = [...runs];
  const least = (some: readonly Measured[], what: string) =>
    Math.min(...some.map(({ costs }) => costs[what] ?? Number.POSITIVE_INFINITY));
  return [
    ...atMost('our own: wrong cases', own[0]?.wrong.length, 0, ''),
    ...Object.keys(own[0]?.costs ?? {}).flatMap((what) => {
      const best = Math.min(...others.map(([, some]) => least(some, what)));
      return Number.isFinite(best)
        ? atMostTimes(`our own: ${what}, in the best of the others`, least(own, what), best, costMax)
        : [];
    }),
  ];
}

/** Measures one codec, in this process. */
async function child(name: string): Promise<Measured> {
  const contender = contenders.find((one) => one.name === name);
  if (contender === undefined) throw new Error(`no codec ${name}`);
  const heap = () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed / 2 ** 20;
  };
  const [before, since] = [heap(), performance.now()];
  const codec = await contender.load(home);
  for (const { type, make } of samples.slice(0, 1))
    try {
      codec.decode(type, codec.encode(type, make(0)));
    } catch {}
  const coldMs = performance.now() - since;
  return measure(codec, coldMs, () => heap() - before);
}

function spawned(name: string): Measured {
  const args = ['--expose-gc', import.meta.filename, '--home', home, '--only', name];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 26 }));
}

if (values.only !== undefined) console.log(JSON.stringify(await child(values.only)));
else {
  const runs = new Map(contenders.map(({ name }) => [name, [] as Measured[]]));
  // By turns, there and back: what disturbs one disturbs the others.
  for (let round = 0; round < Number(values.rounds); round++)
    for (const { name } of round % 2 === 0 ? contenders : contenders.toReversed())
      runs.get(name)?.push(spawned(name));
  // What disturbs a run only ever adds to it.
  const least = (name: string, of: (one: Measured) => number | undefined) => {
    const all = (runs.get(name) ?? []).map(of).filter((value) => value !== undefined);
    return all.length === 0 ? 'cannot' : figure(Math.min(...all));
  };
  const names = Object.keys(runs.get(contenders[0]?.name ?? '')?.[0]?.costs ?? {});
  type Line = { readonly what: string; cell(name: string): string | number };
  const lines: Line[] = [
    ...names.map((what) => ({
      what: `${what}, µs`,
      cell: (name: string) => least(name, ({ costs }) => costs[what]),
    })),
    { what: 'first message, ms', cell: (name) => least(name, ({ coldMs }) => coldMs) },
    { what: 'heap held, MiB', cell: (name) => least(name, ({ heldMiB }) => heldMiB) },
    {
      what: 'peak RSS, MiB',
      cell: (name) => least(name, ({ peakMiB }) => peakMiB),
    },
    {
      what: `right, of ${cases.length}`,
      cell: (name) => cases.length - (runs.get(name)?.[0]?.wrong.length ?? 0),
    },
  ];
  const columns = contenders.map(({ name }): Column<Line> => [name, ({ cell }) => cell(name)]);
  console.log(
    `${JSON.stringify(thisMachine())}\n\n${table<Line>([['', ({ what }) => what], ...columns], lines)}`,
  );
  for (const [name, [first]] of runs)
    console.log(`${name} gets wrong: ${first?.wrong.join('; ') || 'nothing'}`);
  conclude(judge(runs));
}
