// The speed of the index: `node bench/index.ts [--json FILE] [SCENARIO …]`. Each scenario runs in its own
// process.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import { systemClock } from '../src/base/clock.ts';
import { createIndex } from '../src/index/store.ts';
import type { MeshIndex } from '../src/index/view.ts';
import type { Labels } from '../src/model/meta.ts';
import type { Change } from '../src/model/object.ts';
import {
  deletes,
  destinationRule,
  drGroup,
  idc,
  serviceEntry,
  upserts,
  workloadEntry,
} from '../test/index/fixture.ts';
import { conclude } from './support/conclude.ts';
import { atMostTimes, leastCpuUs } from './support/floor.ts';
import { thisMachine } from './support/machine.ts';
import { keepJson } from './support/results.ts';
import { figure, table, type Verdict, verdicts } from './support/table.ts';

interface Scenario {
  readonly services: number;
  readonly workloads: number;
  readonly namespaces: number;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  '5k-10k': { services: 5_000, workloads: 10_000, namespaces: 1 },
  '30k-30k': { services: 30_000, workloads: 30_000, namespaces: 1 },
  '50k-1m': { services: 50_000, workloads: 1_000_000, namespaces: 100 },
};

interface EventResult {
  readonly event: string;
  readonly cpuUs: number;
  /** CPU to send the event's objects through JSON, there and back. */
  readonly jsonUs: number;
  readonly wallUsMax: number;
  /** On the heap, if nothing is collected meanwhile. */
  readonly allocatedKiB: number;
  readonly labelMatches: number;
  readonly groups: number;
}

interface Result extends Scenario {
  readonly scenario: string;
  readonly buildMs: number;
  readonly buildCpuMs: number;
  readonly buildLabelMatches: number;
  /** CPU to parse the same objects as JSON. */
  readonly parseCpuMs: number;
  readonly checkAgainMs: number;
  readonly heapMiB: number;
  readonly rssMiB: number;
  readonly scanMs: number;
  readonly scanLabelMatches: number;
  /** The part of the scan that was run; the rest is extrapolated. */
  readonly scanShare: number;
  readonly events: readonly EventResult[];
}

/** Bounds, as ratios of CPU to the floors of the same run (decision 185). */
const [buildMax, meanEventMax, eventMax] = [9, 14, 35];

/** Rounds of each event, after as many to warm up. */
const rounds = 200;

const { values, positionals } = parseArgs({
  options: { json: { type: 'string' }, only: { type: 'string' } },
  allowPositionals: true,
});
if (values.only !== undefined) console.log(JSON.stringify(measure(values.only)));
else report(positionals.length > 0 ? positionals : Object.keys(scenarios));

function report(names: readonly string[]): void {
  const results = names.map((name) => {
    const result: Result = JSON.parse(
      execFileSync(
        process.execPath,
        ['--expose-gc', '--max-old-space-size=6144', fileURLToPath(import.meta.url), '--only', name],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
      ),
    );
    process.stderr.write(`${name}: built in ${Math.round(result.buildMs)} ms\n`);
    return result;
  });
  const tables = [showScenarios(results), ...results.map(showEvents)];
  const bounds = judge(results);
  console.log(`\n${tables.join('\n\n')}`);
  conclude(bounds);
  if (values.json !== undefined)
    keepJson(values.json, { machine: thisMachine(), results, bounds, tables: [...tables, verdicts(bounds)] });
}

function nameOf({ services, workloads, namespaces }: Scenario): string {
  return `${services} x ${workloads} in ${namespaces} namespace${namespaces === 1 ? '' : 's'}`;
}

function showScenarios(results: readonly Result[]): string {
  return table<Result>(
    [
      ['ServiceEntries x WorkloadEntries', nameOf],
      ['build ms', ({ buildMs }) => Math.round(buildMs)],
      ['build CPU ms', ({ buildCpuMs }) => Math.round(buildCpuMs)],
      ['parse CPU ms', ({ parseCpuMs }) => Math.round(parseCpuMs)],
      ['label matches', ({ buildLabelMatches }) => buildLabelMatches],
      ['same again ms', ({ checkAgainMs }) => Math.round(checkAgainMs)],
      ['heap MiB', ({ heapMiB }) => Math.round(heapMiB)],
      ['RSS MiB', ({ rssMiB }) => Math.round(rssMiB)],
      ['full scan ms an event', ({ scanMs }) => Math.round(scanMs)],
      ['its matches', ({ scanLabelMatches }) => scanLabelMatches],
    ],
    results,
  );
}

function showEvents(result: Result): string {
  return table<EventResult>(
    [
      [`event at ${nameOf(result)}`, ({ event }) => event],
      ['CPU µs', ({ cpuUs }) => figure(cpuUs)],
      ['JSON µs', ({ jsonUs }) => figure(jsonUs)],
      ['max µs', ({ wallUsMax }) => figure(wallUsMax)],
      ['allocated KiB', ({ allocatedKiB }) => figure(allocatedKiB)],
      ['label matches', ({ labelMatches }) => labelMatches],
      ['Groups changed', ({ groups }) => groups],
    ],
    result.events,
  );
}

function judge(results: readonly Result[]): Verdict[] {
  const of = (name: string) => results.find(({ scenario }) => scenario === name);
  const large = of('30k-30k');
  const build = (what: string, result: Result | undefined) =>
    atMostTimes(`${what}: build, in parsing it`, result?.buildCpuMs, result?.parseCpuMs, buildMax);
  const events = large?.events ?? [];
  const mean = (figures: readonly number[]) => figures.reduce((sum, one) => sum + one, 0) / figures.length;
  return [
    ...build('5,000 x 10,000', of('5k-10k')),
    ...build('30,000 x 30,000', large),
    ...(events.length === 0
      ? []
      : atMostTimes(
          '30,000 x 30,000: an event, mean of all, in round trips through JSON',
          mean(events.map(({ cpuUs }) => cpuUs)),
          mean(events.map(({ jsonUs }) => jsonUs)),
          meanEventMax,
        )),
    ...events.flatMap(({ event, cpuUs, jsonUs }) =>
      atMostTimes(`30,000 x 30,000: ${event}`, cpuUs, jsonUs, eventMax),
    ),
  ];
}

function measure(name: string): Result {
  const scenario = scenarios[name];
  if (scenario === undefined)
    throw new Error(`no scenario ${name}; there are ${Object.keys(scenarios).join(', ')}`);
  const batch = world(scenario);
  const text = JSON.stringify(batch);
  const parseCpuMs = leastCpuUs(3, () => JSON.parse(text)) / 1000;
  const index = createIndex({ idc: 'sh-a' });
  const cpu = process.cpuUsage();
  const buildMs = timed(() => index.apply(batch));
  const { user, system } = process.cpuUsage(cpu);
  const buildLabelMatches = index.work().labelMatches;
  const checkAgainMs = timed(() => index.apply(batch));
  const events = eventPairs(scenario).flatMap(([names, there, back]) =>
    measurePair(index, names, there, back),
  );
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return {
    scenario: name,
    ...scenario,
    buildMs,
    buildCpuMs: (user + system) / 1000,
    buildLabelMatches,
    parseCpuMs,
    checkAgainMs,
    heapMiB: heapUsed / 2 ** 20,
    rssMiB: rss / 2 ** 20,
    ...fullScan(scenario),
    events,
  };
}

function timed(work: () => unknown): number {
  const start = systemClock.now();
  work();
  return systemClock.now() - start;
}

function appOf({ services }: Scenario, i: number): Labels {
  return { env: 'prod', app: `app${i % services}` };
}

function namespaceOf({ services, namespaces }: Scenario, i: number): string {
  return `ns${(i % services) % namespaces}`;
}

function service(scenario: Scenario, i: number, selector = appOf(scenario, i)) {
  const id = `${namespaceOf(scenario, i)}/s${i}`;
  return serviceEntry(id, [`s${i}.mesh`], { workloadSelector: selector }, { team: `team${i}` });
}

function workload(
  scenario: Scenario,
  i: number,
  labels: Labels = appOf(scenario, i),
  address = `10.0.0.${i % 250}`,
) {
  const own = { ...labels, version: `v${i % 3}`, zone: `z${i % 4}` };
  return workloadEntry(`${namespaceOf(scenario, i)}/w${i}`, own, { address, locality: `sh-a/z${i % 4}` });
}

function world(scenario: Scenario): Change[] {
  return [
    ...Array.from({ length: scenario.services }, (_, i) => upserts(service(scenario, i))).flat(),
    ...Array.from({ length: scenario.workloads }, (_, i) => upserts(workload(scenario, i))).flat(),
  ];
}

/** Events in pairs that undo each other, so that each round begins in the same state. */
function eventPairs(scenario: Scenario): [[string, string], Change[], Change[]][] {
  const { services, workloads, namespaces } = scenario;
  const other = appOf(scenario, 7 + namespaces);
  const added = workload(scenario, workloads + services - (workloads % services) + 7);
  const extra = {
    ...service(scenario, services + 7, other),
    spec: { ...service(scenario, 7).spec, hosts: ['extra.mesh'] },
  };
  const rule = destinationRule(`${namespaceOf(scenario, 7)}/rule`, 's7.mesh');
  const group = drGroup('dr', ['s7.mesh'], { team: 'team8' });
  return [
    [['instance added', 'instance removed'], upserts(added), deletes(added)],
    [
      ['instance edited', 'instance edited back'],
      upserts(workload(scenario, 7, appOf(scenario, 7), '10.1.1.1')),
      upserts(workload(scenario, 7)),
    ],
    [
      ['labels changed', 'labels changed back'],
      upserts(workload(scenario, 7, other)),
      upserts(workload(scenario, 7)),
    ],
    [
      ['selector changed', 'selector changed back'],
      upserts(service(scenario, 7, other)),
      upserts(service(scenario, 7)),
    ],
    [['service added', 'service removed'], upserts(extra), deletes(extra)],
    [['rule added', 'rule removed'], upserts(rule), deletes(rule)],
    [['DR group added', 'DR group removed'], upserts(group), deletes(group)],
    [['Idc added', 'Idc removed'], upserts(idc('sh-b')), deletes(idc('sh-b'))],
  ];
}

function measurePair(
  index: MeshIndex,
  names: [string, string],
  there: Change[],
  back: Change[],
): EventResult[] {
  const sums = names.map((event, i) => ({
    ...{ event, jsonUs: jsonRoundTripUs(i === 0 ? there : back) },
    cpuUs: 0,
    wallUsMax: 0,
    allocatedKiB: 0,
    labelMatches: 0,
    groups: 0,
  }));
  for (let round = 0; round < 2 * rounds; round++) {
    for (const [i, batch] of [there, back].entries()) {
      const sum = sums[i];
      if (sum === undefined) continue;
      const before = index.work().labelMatches;
      const heap = getHeapStatistics().used_heap_size;
      const cpu = process.cpuUsage();
      const start = systemClock.now();
      sum.groups = index.apply(batch).groups.size;
      const wallUs = (systemClock.now() - start) * 1000;
      const { user, system } = process.cpuUsage(cpu);
      const allocated = getHeapStatistics().used_heap_size - heap;
      sum.labelMatches = index.work().labelMatches - before;
      if (round < rounds) continue;
      // The minimum: a collection in between hides allocations, and other threads add to them.
      if (allocated > 0) sum.allocatedKiB = Math.min(sum.allocatedKiB || Infinity, allocated / 1024);
      sum.cpuUs += (user + system) / rounds;
      sum.wallUsMax = Math.max(sum.wallUsMax, wallUs);
    }
  }
  return sums;
}

/** CPU to send objects through JSON, there and back, in µs: the floor of an event. */
function jsonRoundTripUs(batch: readonly Change[]): number {
  const times = 1000;
  return (
    leastCpuUs(5, () => {
      for (let i = 0; i < times; i++) JSON.parse(JSON.stringify(batch));
    }) / times
  );
}

/**
 * The baseline: what Istio did for an event before it had indexes. Every ServiceEntry of the namespace looks
 * at every WorkloadEntry of it. Beyond 100 million matches the first services stand for the rest.
 */
function fullScan(scenario: Scenario): Pick<Result, 'scanMs' | 'scanLabelMatches' | 'scanShare'> {
  const { namespaces } = scenario;
  const entries = Array.from({ length: scenario.services / namespaces }, (_, i) =>
    service(scenario, i * namespaces),
  );
  const workloads = Array.from({ length: scenario.workloads / namespaces }, (_, i) =>
    workload(scenario, i * namespaces),
  );
  const scanLabelMatches = entries.length * workloads.length;
  const sample = entries.slice(
    0,
    Math.max(1, Math.floor(Math.min(1, 1e8 / scanLabelMatches) * entries.length)),
  );
  let selected = 0;
  const ms = timed(() => {
    for (const entry of sample) {
      const selector = entry.spec.workloadSelector ?? {};
      for (const { spec } of workloads) if (subsetOf(selector, spec.labels)) selected++;
    }
  });
  if (selected === 0) throw new Error('the baseline selected nothing');
  const scanShare = sample.length / entries.length;
  return { scanMs: ms / scanShare, scanLabelMatches, scanShare };
}

function subsetOf(selector: Labels, labels: Labels): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false;
  return true;
}
