// What the trail filter costs a gateway: `node bench/wasm.ts [--rounds N] [--requests N] [--seconds N]
// [--json FILE]`. CPU time of the Envoy process for each request. All variants are listeners of one Envoy and
// take turns, a hundred or so requests each, every one beside its base, the same requests without a filter:
// what disturbs one disturbs the other, and the median of the ratios of such pairs is what counts.
import { parseArgs } from 'node:util';
import { systemClock } from '../src/base/clock.ts';
import { trailHeader } from '../src/model/trail.ts';
import { sendRaw, startGateway } from '../test/wasm/gateway.ts';
import { conclude } from './support/conclude.ts';
import { thisMachine } from './support/machine.ts';
import { summarize } from './support/median.ts';
import { keepJson } from './support/results.ts';
import { figure, table, type Verdict, verdicts } from './support/table.ts';
import { answeringServer, Callers, cpuUs, requestText } from './wasm/load.ts';
import { createVariants, headersOf, names, type Variant } from './wasm/variants.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '120' },
    requests: { type: 'string', default: '150' },
    seconds: { type: 'string', default: '180' },
    json: { type: 'string', default: '.cache/bench/wasm.json' },
  },
});
const connections = 8;
const roundsMin = 40;

/** One turn of a variant. */
interface Sample {
  /** CPU time of a request, in microseconds. */
  readonly cpuUs: number;
  /** Against the base, measured just before or just after. */
  readonly ratio: number;
}

/** A variant and its callers. */
interface Lane {
  readonly variant: Variant;
  readonly request: string;
  readonly callers: Callers;
  readonly samples: Sample[];
}

interface Row {
  readonly variant: string;
  readonly cpuUs: number;
  /** Median ratio of the CPU time of a request to that without a filter. */
  readonly ratio: number;
  /** Where the true median is, with 95 % confidence. */
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
  readonly moduleBytes: number;
}

const missing: string[] = [];
const variants = await createVariants((name, why) => missing.push(`${name}: not measured, ${why}`));
const samples = await measure(variants);
const rows = variants.map((variant) => toRow(variant, samples.get(variant.name) ?? []));
const bounds = judge(rows);
const tables = [show(rows), verdicts(bounds)];
const most = Math.max(
  ...rows.filter(({ variant }) => variant.startsWith(names.ours(''))).map(({ ratio }) => ratio),
);
const aim = `aim, no bound: the full policy at 1.14 or below; the dearest listener is at ${most.toFixed(3)}`;
console.log(`\n${show(rows)}\n\n${aim}`);
for (const line of missing) console.log(line);
keepJson(values.json, { machine: thisMachine(), rows, bounds, tables, notes: [aim, ...missing] });
conclude(bounds);

/** One sample of each variant in each round. */
async function measure(variants: readonly Variant[]): Promise<ReadonlyMap<string, readonly Sample[]>> {
  const upstream = await answeringServer();
  const guarded = variants.map(({ filter }, index) => ({ name: String(index), ...(filter && { filter }) }));
  const gateway = await startGateway(guarded, upstream.port);
  const lanes = await Promise.all(
    variants.map(
      async (variant, index): Promise<Lane> => ({
        variant,
        request: requestText(headersOf(variant)),
        callers: await Callers.open(gateway.ports.get(String(index)) as number, connections),
        samples: [],
      }),
    ),
  );
  try {
    const requests = Number(values.requests);
    const cpuOf = async ({ callers, request }: Lane) => {
      const before = cpuUs(gateway.pid);
      await callers.send(request, requests);
      return (cpuUs(gateway.pid) - before) / requests;
    };
    for (const [index, variant] of variants.entries())
      await expectRefusals(variant, gateway.ports.get(String(index)) as number);
    for (const { callers, request } of lanes) await callers.send(request, 1000);
    const end = systemClock.now() + 1000 * Number(values.seconds);
    const rounds = Number(values.rounds);
    for (let round = 0; round < rounds && (round < roundsMin || systemClock.now() < end); round++) {
      for (let turn = 0; turn < lanes.length; turn++) {
        const lane = lanes[(turn + round) % lanes.length] as Lane;
        const base = lanes.find(({ variant }) => variant.name === baseOf(lane.variant)) as Lane;
        // Alternately before and after its base, so that neither always runs second.
        const first = round % 2 === 0 ? await cpuOf(lane) : 0;
        const without = await cpuOf(base);
        const cpu = round % 2 === 0 ? first : await cpuOf(lane);
        lane.samples.push({ cpuUs: cpu, ratio: cpu / without });
      }
      if ((round + 1) % 20 === 0) process.stderr.write(`round ${round + 1} of at most ${rounds}\n`);
    }
  } finally {
    for (const { callers } of lanes) callers.close();
    await gateway.close();
    upstream.server.close();
  }
  return new Map(lanes.map(({ variant, samples }) => [variant.name, samples]));
}

/** The base is the same request without a filter. */
function baseOf({ trail }: Variant): string {
  return trail === undefined ? names.nothingWithoutTrail : names.nothing;
}

/** A filter that lets everything pass must not be compared. */
async function expectRefusals({ name, refuses }: Variant, port: number): Promise<void> {
  if (!refuses) return;
  for (const [trail, status] of [
    ['sh-a,sh-b,bj-a', 508],
    ['sh-a,bj-a,bj-b,gz-a,gz-b', 400],
  ] as const) {
    const answer = await sendRaw(port, [[trailHeader, trail]]);
    if (answer.status !== status) throw new Error(`${name}: ${trail} got ${answer.status}, not ${status}`);
  }
}

function toRow({ name, moduleBytes = 0 }: Variant, samples: readonly Sample[]): Row {
  const { median, low, high } = summarize(samples.map(({ ratio }) => ratio));
  const own = summarize(samples.map(({ cpuUs }) => cpuUs));
  return { variant: name, cpuUs: own.median, ratio: median, low, high, rounds: samples.length, moduleBytes };
}

function show(rows: readonly Row[]): string {
  return table<Row>(
    [
      ['listener guarded by', (row) => row.variant],
      ['CPU µs a request', (row) => figure(row.cpuUs)],
      ['ratio', (row) => figure(row.ratio)],
      ['95 % low', (row) => figure(row.low)],
      ['high', (row) => figure(row.high)],
      ['module bytes', (row) => row.moduleBytes],
      ['rounds', (row) => row.rounds],
    ],
    rows,
  );
}

/** The bounds: the cost of the full policy above the reference, and the precision of the measurement. */
function judge(rows: readonly Row[]): readonly Verdict[] {
  const of = (name: string) => rows.find(({ variant }) => variant === name) as Row;
  const bound = (what: string, value: number, most: number): Verdict => ({
    what,
    bound: most.toFixed(2),
    measured: value.toFixed(3),
    met: value <= most,
  });
  const reference = of(names.reference).ratio;
  const ours = rows.filter(({ variant }) => variant.startsWith(names.ours('')));
  return [
    ...ours.map(({ variant, ratio }) =>
      bound(`${variant}: ratio above the reference`, ratio - reference, 0.06),
    ),
    ...ours.map(({ variant, moduleBytes }) => ({
      what: `${variant}: module for 6 IDCs`,
      bound: '8192 bytes',
      measured: `${moduleBytes} bytes`,
      met: moduleBytes <= 8192,
    })),
    bound(
      'no filter against no filter: how far from 1 (more: too busy a machine to tell)',
      Math.abs(of(names.nothing).ratio - 1),
      0.02,
    ),
  ];
}
