import type { Measurement } from '../../measurement.ts';
import { millis, percent, type Row } from '../../row.ts';
import { crossingRows, leakRow, reconcileRows } from '../../rows.ts';
import { latencyMs, type Sample, succeeded } from '../../sample.ts';
import { countBy, quantile } from '../../stats.ts';
import type { Verdict } from '../../verdict.ts';

/** What the drill did, besides what every drill measures. Times on the machine's clock. */
export interface OverloadFacts {
  /** When the instances of the first IDC had ended. */
  readonly killedAt: number;
  /** When they were about to start again. */
  readonly endedAt: number;
  /** When they answered again; NaN: not in time. */
  readonly healedAt: number;
  /** When an instance and a gateway of the second were killed; Infinity: never. */
  readonly lossAt: number;
  /** Of instances, by the second IDC's proxies, while it was overloaded. */
  readonly ejections: number;
  /** Whether the drill had real-time priority. */
  readonly realtime: boolean;
}

export type OverloadMeasurement = Measurement & OverloadFacts;

/** The second IDC: four instances of two slots each, and who its own users are. */
export const own = { instances: 4, slots: 2, streams: ['own', 'own-edge'] as const };

/** How long an instance works on a request: 100 ms in the mean, from a little over half of that to a little over one and a half. */
export const workMs = [55, 165] as const;
export const meanWorkMs = 100;

/** Requests a second that the second IDC bears. */
export const capacity = (1000 * own.instances * own.slots) / meanWorkMs;

/** What must hold, as issues and docs/drills.md have it. */
export const bounds = {
  /** An answer is of use within this time of when it was due, in milliseconds. */
  usefulMs: 1_000,
  goodput: 0.95,
  own: 0.99,
  crossings: 1.1,
  triesMean: 1.05,
  /** From when the first IDC serves again until own users' answers are as quick as before, at most this. */
  settledMs: 1_000,
  /** Load clients that send later than this measure the machine, not the mesh. */
  lateMs: 50,
} as const;

/** The first moments of the outage are not judged: who is dead is found out in them, and the queue begins. */
const settleMs = 1_000;

const isOwn = ({ stream }: Sample) => (own.streams as readonly string[]).includes(stream);
const isGood = (sample: Sample) => succeeded(sample) && latencyMs(sample) <= bounds.usefulMs;

/** Requests that were due while the second IDC had both loads. */
function during(m: OverloadMeasurement): Sample[] {
  return m.samples.filter(({ due }) => due >= m.killedAt + settleMs && due < m.endedAt);
}

/** Good answers a second, as a part of what the instances that were there bear. */
function goodput(m: OverloadMeasurement): number {
  const from = m.killedAt + settleMs;
  const good = m.samples.filter((s) => isGood(s) && s.idc === 'sh-b' && s.end >= from && s.end < m.endedAt);
  const lossAt = Math.min(Math.max(m.lossAt, from), m.endedAt);
  const left = (own.instances - 1) / own.instances;
  const borne = (capacity * (lossAt - from + left * (m.endedAt - lossAt))) / 1000;
  return good.length / borne;
}

/** Entries of each request that came over, at the ingress of the second IDC. */
function crossings(m: OverloadMeasurement): { mean: number; most: number; requests: number } {
  const spilled = new Set(
    during(m)
      .filter((s) => !isOwn(s))
      .map(({ id }) => id),
  );
  const entered = countBy(
    m.access.filter(({ listener, id }) => listener === 'peer' && spilled.has(id)),
    ({ id }) => id,
  );
  const all = [...entered.values()];
  const sum = all.reduce((total, count) => total + count, 0);
  return { mean: sum / spilled.size, most: Math.max(0, ...all), requests: spilled.size };
}

function executions(m: OverloadMeasurement): ReadonlyMap<string, number> {
  return countBy([...m.entries.values()].flat(), ({ id }) => id);
}

/** Holds a measurement against each bound. Pure. */
export function judgeOverload(m: OverloadMeasurement): Row[] {
  return [
    machineRow(m),
    offeredRow(m),
    goodputRow(m),
    ownRow(m),
    entriesRow(m),
    triesRow(m),
    postRow(m),
    refusalRow(m),
    ejectionRow(m),
    settledRow(m),
    ...crossingRows(m, 1),
    leakRow(m),
    ...reconcileRows(m),
  ];
}

/** How late the load clients were, in milliseconds, at p99. */
function lateness(m: OverloadMeasurement): number {
  const late = m.samples.map(({ due, sent }) => sent - due).sort((a, b) => a - b);
  return quantile(late, 0.99);
}

function machineRow(m: OverloadMeasurement): Row {
  const p99 = lateness(m);
  const ok = p99 <= bounds.lateMs;
  const told = `${millis(p99)}${m.realtime ? '' : ', without real-time priority'}`;
  return {
    id: 'machine',
    claim: 'Load clients sent on time, p99: the machine was free enough to judge',
    bound: `≤ ${bounds.lateMs} ms`,
    measured: ok ? told : `${told}: TOO BUSY TO JUDGE, run it again on a quiet machine`,
    ok,
  };
}

function offeredRow(m: OverloadMeasurement): Row {
  const offered = (1000 * during(m).length) / (m.endedAt - m.killedAt - settleMs) / capacity;
  return {
    id: 'offered',
    claim: 'Requests that wanted an answer of the second IDC, as a part of what it bears',
    bound: '≥ 3.4',
    measured: `${offered.toFixed(2)} (${capacity} a second)`,
    ok: offered >= 3.4,
  };
}

function goodputRow(m: OverloadMeasurement): Row {
  const part = goodput(m);
  return {
    id: 'goodput',
    claim: `Answers within ${bounds.usefulMs / 1000} s by the second IDC, as a part of what it bears`,
    bound: `≥ ${percent(bounds.goodput)}`,
    measured: percent(part),
    ok: part >= bounds.goodput,
  };
}

function ownRow(m: OverloadMeasurement): Row {
  const users = during(m).filter(isOwn);
  const good = users.filter(isGood).length;
  const sorted = users.map(latencyMs).sort((a, b) => a - b);
  const part = users.length === 0 ? 0 : good / users.length;
  return {
    id: 'own-users',
    claim: `Requests of the second IDC's own users that are answered within ${bounds.usefulMs / 1000} s`,
    bound: `≥ ${percent(bounds.own)}`,
    measured: `${percent(part)} (${good} of ${users.length}, p99 ${millis(quantile(sorted, 0.99))})`,
    ok: part >= bounds.own,
  };
}

function entriesRow(m: OverloadMeasurement): Row {
  const { mean, most, requests } = crossings(m);
  return {
    id: 'entries',
    claim: 'Crossings for each request that came over, all its tries together, in the mean',
    bound: `≤ ${bounds.crossings}`,
    measured: `${mean.toFixed(3)} (${requests} requests, at most ${most})`,
    ok: mean > 0 && mean <= bounds.crossings,
  };
}

function triesRow(m: OverloadMeasurement): Row {
  const runs = executions(m);
  const reached = during(m).flatMap(({ id }) => runs.get(id) ?? []);
  const mean = reached.reduce((sum, count) => sum + count, 0) / reached.length;
  return {
    id: 'tries-mean',
    claim: 'Executions of each request that reached an instance, in the mean',
    bound: `≤ ${bounds.triesMean}`,
    measured: `${mean.toFixed(3)} (${reached.length} requests)`,
    ok: mean >= 1 && mean <= bounds.triesMean,
  };
}

function postRow(m: OverloadMeasurement): Row {
  const runs = executions(m);
  const posts = m.samples.filter(({ call }) => call?.method === 'POST');
  const twice = posts.filter(({ id }) => (runs.get(id) ?? 0) > 1);
  const served = posts.filter((sample) => succeeded(sample) && sample.idc === 'sh-b').length;
  return {
    id: 'posts',
    claim: 'POSTs that were executed twice, of those that came over',
    bound: '0',
    measured: `${twice.length} (${posts.length} sent, ${served} served by the second IDC)`,
    ok: served > 0 && twice.length === 0,
  };
}

/** What is not served is told why; a loss may take what it was working on. */
function refusalRow(m: OverloadMeasurement): Row {
  const spilled = during(m).filter((sample) => !isOwn(sample));
  const failed = spilled.filter((sample) => !succeeded(sample));
  const inWords = failed.filter(({ status, outcome }) => status === 503 && outcome === 'spill-limit');
  const others = failed.filter((sample) => !inWords.includes(sample));
  const times = inWords.map(latencyMs).sort((a, b) => a - b);
  const first = others[0];
  const allowed = Number.isFinite(m.lossAt) ? own.slots * own.instances : 0;
  return {
    id: 'refused-in-words',
    claim: 'Requests that came over and were neither served nor refused with `spill-limit`',
    bound: `≤ ${allowed}`,
    measured: `${others.length}${first ? `, first: ${first.outcome ?? (first.error || first.status)}` : ''} (${inWords.length} refused, p99 ${millis(quantile(times, 0.99))})`,
    ok: inWords.length > 0 && others.length <= allowed,
  };
}

function ejectionRow({ ejections, lossAt }: OverloadMeasurement): Row {
  // The one that was killed is ejected by each proxy, and again.
  const judged = !Number.isFinite(lossAt);
  return {
    id: 'ejections',
    claim: 'Ejections of instances of the second IDC by its own proxies',
    bound: judged ? '0' : 'not judged: one was killed',
    measured: String(ejections),
    ok: !judged || ejections === 0,
  };
}

/** When own users' answers were again as quick as before, by the last of their slow ones. */
function settledRow(m: OverloadMeasurement): Row {
  const steady = m.samples.filter((sample) => isOwn(sample) && sample.due < m.killedAt);
  const before = Math.max(0, ...steady.map(latencyMs));
  const slow = m.samples.filter(
    (sample) =>
      isOwn(sample) && sample.due >= m.healedAt && (!succeeded(sample) || latencyMs(sample) > 2 * before),
  );
  const last = slow.length === 0 ? 0 : Math.max(...slow.map(({ due }) => due)) - m.healedAt;
  return {
    id: 'settled',
    claim:
      "The last slow request of the second IDC's own users after the first IDC serves again (over twice the slowest before it)",
    bound: `≤ ${bounds.settledMs / 1000} s`,
    measured: millis(last),
    ok: !Number.isNaN(m.healedAt) && last <= bounds.settledMs,
  };
}

/** What the drill adds to its report. */
export function figuresOf(m: OverloadMeasurement): object {
  return {
    capacity,
    goodput: goodput(m),
    entries: crossings(m),
    killedAt: m.killedAt,
    endedAt: m.endedAt,
    ejections: m.ejections,
  };
}

/** Without a bound the second IDC serves less than this of what it bears. */
const collapsed = 0.5;

/** What speaks against the negative control having failed for the right reason. */
export function judgeOverloadControl(m: OverloadMeasurement, verdict: Verdict): string[] {
  const against: string[] = [];
  const holds = (id: string) => verdict.rows.find((row) => row.id === id)?.ok;
  if (holds('offered') !== true) against.push('there was no overload');
  if (goodput(m) >= collapsed)
    against.push(`the second IDC still served ${percent(goodput(m))} of what it bears`);
  if (holds('own-users') !== false) against.push('its own users were served');
  const early = m.samples.filter((sample) => sample.due < m.killedAt - 1_000 && !succeeded(sample)).length;
  if (early > 0) against.push(`${early} requests failed before the overload`);
  return against;
}
