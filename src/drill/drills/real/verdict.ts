import { callMs } from '../../call/call.ts';
import type { InjectedFault } from '../../faults/loss.ts';
import { type Evidence, type Excuse, evidenceOf, excuseOf } from '../../judge/excuse.ts';
import { millis, type Row, seconds, timedBy } from '../../judge/row.ts';
import { crossingRows, isolationRows, leakRow, reconcileRows, triesRow } from '../../judge/rows.ts';
import { countBy } from '../../judge/stats.ts';
import type { Verdict } from '../../judge/verdict.ts';
import { type Sample, succeeded } from '../../load/sample.ts';
import {
  type Execution,
  executionsOf,
  isIdempotent,
  isReplayable,
  wasStruck,
} from '../../measure/executions.ts';
import { withoutTcp } from '../../measure/fates.ts';
import { calmIsolationChecks } from '../../measure/isolation.ts';
import type { RealMeasurement } from './facts.ts';
import { callShapeOf, healthyOf, healthyRows, methodOf, overheadOf } from './healthy.ts';

/** A proxy may try a request so often at instances: three retries, each twice in another IDC. */
const triesMax = 8;

/**
 * Within this time a client must know that its request has died, in milliseconds: PING and TCP tell within 3
 * s.
 */
const toldMs = 5000;

/** Nothing is looked at in a fault: the sidecars of what is out cannot be asked. */

/** Holds a measurement against each bound. Pure. `kinds`: the names of all kinds of requests in the load. */
export function realRows(m: RealMeasurement, kinds: readonly string[]): Row[] {
  const executions = executionsOf(m);
  const evidence = evidenceOf(m, executions);
  const http = withoutTcp(m);
  return [
    ...healthyRows(m, executions, kinds),
    ...m.faults.flatMap((fault) => faultRows(fault, m, evidence)),
    elsewhereRow(m, evidence),
    twiceRow(m, executions),
    ...crossingRows(http, 1),
    triesRow(http, triesMax),
    ...isolationRows(m, calmIsolationChecks),
    leakRow(m),
    ...reconcileRows(http),
  ];
}

/** What failed, with the excuse it has, if it has one. */
interface Failure {
  readonly sample: Sample;
  readonly fault?: InjectedFault;
  readonly excuse?: Excuse;
}

function failuresOf(m: RealMeasurement, evidence: Evidence): Failure[] {
  return m.samples
    .filter((sample) => !succeeded(sample) && sample.end > m.healthyTo)
    .map((sample) => ({ sample, ...excuseOf(sample, m, evidence) }));
}

/** The fault of a failure: the one that excuses it, else the last that began before it ended. */
function faultOf({ sample, fault }: Failure, { faults }: RealMeasurement): InjectedFault | undefined {
  return fault ?? faults.findLast(({ injected }) => injected.from <= sample.end);
}

function faultRows(fault: InjectedFault, m: RealMeasurement, evidence: Evidence): Row[] {
  const { kind, injected, healed, healthyAt } = fault;
  const own = failuresOf(m, evidence).filter((failure) => faultOf(failure, m) === fault);
  const lost = own.filter(({ excuse }) => excuse === undefined);
  const due = m.samples.filter((s) => s.end >= injected.from && s.sent <= healed.to);
  const struck = due.filter((s) => evidence.executions.get(s.id)?.some((each) => wasStruck(each, fault)));
  const replayed = struck.filter((s) => isReplayable(s) && succeeded(s));
  return [
    {
      id: `${kind}-effect`,
      claim: `${kind}: requests that struck instances were executing, some of which must be retried`,
      bound: '> 0',
      measured: `${struck.length} (${countsOf(struck, methodOf)}), ${replayed.length} GETs of them served in the end`,
      ok: struck.some(isReplayable) && struck.some((s) => !isReplayable(s)),
    },
    {
      id: `${kind}-failed`,
      claim: `${kind}: requests that failed although they could be retried, or were not at what was struck`,
      bound: '0',
      measured:
        `${lost.length} of ${due.length}${exampleOf(lost)}; ` +
        `${own.length - lost.length} failed with what was struck: ${excusesOf(own) || 'none'}`,
      ok: due.length > 0 && lost.length === 0,
    },
    toldRow(fault, own),
    {
      id: `${kind}-again`,
      claim: `${kind}: everything that was struck answered again before the next fault`,
      bound: 'holds',
      measured: `${seconds(healthyAt - healed.from)} after healing began`,
      ok: !Number.isNaN(healthyAt),
    },
  ];
}

/**
 * Requests that cannot be saved must fail quickly instead of hanging. TCP is not judged: an idle connection
 * to a vanished host is ended by keepalive, after a minute and more.
 */
function toldRow({ kind, injected }: InjectedFault, own: readonly Failure[]): Row {
  const told = own.filter(({ sample, excuse }) => excuse !== undefined && methodOf(sample) !== 'TCP');
  const waits = told.map(({ sample: { sent, end } }) => end - Math.max(sent, injected.from));
  const longest = Math.max(0, ...waits);
  return {
    id: `${kind}-told`,
    claim: `${kind}: longest time until the client of a failed request was informed (except TCP)`,
    bound: `≤ ${toldMs / 1000} s`,
    measured: `${millis(longest)}, of ${told.length}`,
    ok: longest <= toldMs,
    ...timedBy(longest),
  };
}

/** Failures after the first fault that belong to none. There can be none, unless a row above missed them. */
function elsewhereRow(m: RealMeasurement, evidence: Evidence): Row {
  const lost = failuresOf(m, evidence).filter((failure) => faultOf(failure, m) === undefined);
  return {
    id: 'failed-else',
    claim: 'Requests that failed between the phase without faults and the first fault',
    bound: '0',
    measured: `${lost.length}${exampleOf(lost)}`,
    ok: lost.length === 0,
  };
}

/** What is not idempotent is executed once at most, whatever is broken. */
function twiceRow(m: RealMeasurement, executions: ReadonlyMap<string, readonly Execution[]>): Row {
  const once = m.samples.filter((sample) => !isIdempotent(sample));
  const twice = once.filter(({ id }) => (executions.get(id)?.length ?? 0) > 1);
  const example = twice[0] ? ` (first ${twice[0].id}, ${callShapeOf(twice[0])})` : '';
  return {
    id: 'twice',
    claim: 'POSTs, gRPC calls, websockets and TCP connections that were executed twice, in all phases',
    bound: '0',
    measured: `${twice.length} of ${once.length}${example}`,
    ok: once.length > 0 && twice.length === 0,
  };
}

function countsOf(samples: readonly Sample[], nameOf: (sample: Sample) => string): string {
  return [...countBy(samples, nameOf)].map(([name, count]) => `${name} ${count}`).join(', ');
}

function excusesOf(failures: readonly Failure[]): string {
  const told = failures.filter(({ excuse }) => excuse !== undefined);
  return [...Map.groupBy(told, ({ excuse }) => excuse)]
    .map(([excuse, list]) => {
      const samples = list.map(({ sample }) => sample);
      return `${list.length} ${excuse} (${countsOf(samples, methodOf)})`;
    })
    .join(', ');
}

function exampleOf(failures: readonly Failure[]): string {
  const [first] = failures;
  if (!first) return '';
  const shapes = countsOf(
    failures.map(({ sample }) => sample),
    callShapeOf,
  );
  return ` (${shapes}; first ${first.sample.id}: ${first.sample.error.slice(0, 160)})`;
}

/**
 * What speaks against the negative control having failed for the right reason: hedging alone, nothing broken.
 */
export function realUnprotected(m: RealMeasurement, verdict: Verdict): string[] {
  const against: string[] = [];
  const failed = (id: string) => verdict.rows.find((row) => row.id === id)?.ok === false;
  const healthy = healthyOf(m);
  const executions = executionsOf(m);
  const more = healthy.filter(({ id }) => (executions.get(id)?.length ?? 0) > 1);
  if (!failed('executed-once') || more.length === 0) against.push('no request was executed more than once');
  if (!failed('overlaps')) against.push('no two executions of a request overlapped');
  if (!failed('ejections')) against.push('no instance was ejected');
  const quick = healthy.filter((s) => s.call?.shape === 'GET');
  const served = quick.filter(succeeded).length;
  if (quick.length === 0 || served < 0.99 * quick.length)
    against.push(`only ${served} of ${quick.length} quick GETs succeeded`);
  return against;
}

/** What the drill adds to its report. */
export function realFigures(m: RealMeasurement): object {
  const executions = executionsOf(m);
  const evidence = evidenceOf(m, executions);
  const byShape = Map.groupBy(m.samples, callShapeOf);
  return {
    ejections: m.ejections,
    faults: m.faults,
    kinds: Object.fromEntries(
      [...byShape].map(([shape, list]) => [
        shape,
        {
          requests: list.length,
          failed: list.filter((sample) => !succeeded(sample)).length,
          executions: list.reduce((sum, { id }) => sum + (executions.get(id)?.length ?? 0), 0),
          beyondItsOwnTimeMs: overheadOf(list),
        },
      ]),
    ),
    failures: failuresOf(m, evidence).map(({ sample, fault, excuse }) => ({
      id: sample.id,
      shape: callShapeOf(sample),
      workMs: sample.call && callMs(sample.call),
      bodyBytes: sample.call?.bodyBytes,
      due: sample.due,
      end: sample.end,
      error: sample.error,
      fault: fault?.kind,
      excuse: excuse ?? 'none',
      executions: (executions.get(sample.id) ?? []).map(({ instance, from, to }) => ({ instance, from, to })),
      lines: evidence.lines.get(sample.id),
    })),
    executedTwice: m.samples
      .filter(({ id }) => (executions.get(id)?.length ?? 0) > 1)
      .slice(0, 100)
      .map(({ id, call }) => ({
        id,
        shape: call?.shape,
        executions: executions.get(id)?.map(({ instance, from, to }) => ({ instance, from, to })),
      })),
  };
}
