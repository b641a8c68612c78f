import { readFileSync } from 'node:fs';
import { type CallShape, callOf, longestOf } from '../call/call.ts';
import type { StreamFacts } from '../measure/measurement.ts';
import { entryPoint, type RunningProcess } from '../process/process.ts';
import type { Stage } from '../world/stage.ts';
import type { IdcPlan } from '../world/topology.ts';
import type { LoadPlan } from './load.ts';
import { type LoadProgress, loadReady } from './load-progress.ts';
import { parseSamples, type Sample } from './sample.ts';
import { arrivals } from './schedule.ts';

/** A load client's process and what it was told. */
export interface Load {
  readonly plan: LoadPlan;
  /** The IDC of its caller; absent for clients of the edge. */
  readonly idc?: string;
  readonly running: RunningProcess;
}

/** What a load will be, but for its times. */
export interface LoadShape {
  readonly stream: string;
  readonly idc?: string;
  readonly ratePerSecond: number;
  readonly hosts: LoadPlan['hosts'];
  /** Default GET. */
  readonly method?: string;
  /** What its requests are; default: all alike, small, answered at once. */
  readonly mix?: readonly CallShape[];
  readonly tiers: LoadPlan['tiers'];
  /** Ends this long after it began, in milliseconds; default: with the last phase. */
  readonly durationMs?: number;
  /** A request that took this much longer than it asks for has failed; default 20 s. */
  readonly timeoutMs?: number;
}

/** Requests a second of each kind of load, by a name such as `caller` or `edge`. */
export type Rates = Readonly<Record<string, number>>;

/** A caller in an IDC, through its own sidecar, to these hosts by turn. */
export function callerLoad(idc: IdcPlan, hosts: readonly string[], ratePerSecond: number): LoadShape {
  return {
    stream: `caller-${idc.name}`,
    idc: idc.name,
    ratePerSecond,
    hosts,
    tiers: [[idc.caller.outbound]],
  };
}

/** Clients of the edge, to these hosts by turn: they connect to the first of these IDCs that accepts. */
export function edgeLoad(
  idcs: readonly IdcPlan[],
  hosts: readonly string[],
  ratePerSecond: number,
): LoadShape {
  const tiers = idcs.map((idc) => idc.ingress.map((gateway) => gateway.edge));
  return { stream: 'edge', ratePerSecond, hosts, tiers };
}

/** A load client's process that was started and waits to be told when to begin. */
export interface LoadClient {
  /** Resolves when it can begin at once: on a machine that is busy with other things that takes seconds. */
  readonly ready: Promise<void>;
  /**
   * Tells it when, in milliseconds of the machine's clock. Call it once; a client that is late sends late.
   */
  begin(startAtMs: number): Load;
}

/** Starts the client of a load that will last `durationMs`. */
export function startClient(
  stage: Stage,
  shape: LoadShape,
  durationMs: number,
  seed: number,
  onProgress: (progress: LoadProgress) => void,
): LoadClient {
  const plan: Omit<LoadPlan, 'startAtMs'> = {
    stream: shape.stream,
    durationMs: shape.durationMs ?? durationMs,
    ratePerSecond: shape.ratePerSecond,
    seed,
    hosts: shape.hosts,
    path: '/',
    ...(shape.method !== undefined && { method: shape.method }),
    ...(shape.mix !== undefined && { mix: shape.mix }),
    tiers: shape.tiers,
    timeoutMs: shape.timeoutMs ?? 20_000,
    connectTimeoutMs: 1000,
  };
  const name = `load/${shape.stream}`;
  const ready = Promise.withResolvers<void>();
  const running = stage.crew.start({
    name,
    command: process.execPath,
    args: [entryPoint('load/load-main'), JSON.stringify(plan), stage.paths.records(shape.stream)],
    logFile: stage.paths.log(name),
    lines: (line) => (line === loadReady ? ready.resolve() : onProgress(JSON.parse(line))),
    ends: true,
  });
  return {
    ready: ready.promise,
    begin(startAtMs) {
      running.tell(String(startAtMs));
      return { plan: { ...plan, startAtMs }, running, ...(shape.idc !== undefined && { idc: shape.idc }) };
    },
  };
}

/** Reads what a load's client recorded. */
export function samplesOf(stage: Stage, load: Load): Sample[] {
  const { stream, mix, seed } = load.plan;
  const samples = parseSamples(readFileSync(stage.paths.records(stream), 'utf8'), stream);
  if (!mix) return samples;
  return samples.map((sample) => {
    const number = Number(sample.id.slice(stream.length + 1));
    return { ...sample, call: callOf(mix, seed, number) };
  });
}

/** When the last request of a load must have ended, on the machine's clock. */
export function lastEndOf({ plan }: Load): number {
  return plan.startAtMs + plan.durationMs + plan.timeoutMs + longestOf(plan.mix ?? []);
}

/** What the verdict needs to know of a load. */
export function factsOf(load: Load, killed: StreamFacts['killed']): StreamFacts {
  const { stream, hosts, ratePerSecond, durationMs, seed, startAtMs } = load.plan;
  const times = arrivals(ratePerSecond, durationMs, seed);
  return {
    stream,
    hosts,
    ratePerSecond,
    planned: times.length,
    due: (number) => startAtMs + (times[number] ?? Number.NaN),
    ...(load.idc !== undefined && { idc: load.idc }),
    ...(killed && { killed }),
  };
}
