import { z } from 'zod';
import { phaseOf } from '../../judge/analysis.ts';
import { millis, percent, type Row, timedBy } from '../../judge/row.ts';
import { countBy, quantile } from '../../judge/stats.ts';
import { latencyMs, type Sample, succeeded } from '../../load/sample.ts';
import {
  count,
  durationField,
  idcNameField,
  msOf,
  parseShare,
  percentage,
  phaseName,
} from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';

const schema = z
  .strictObject({
    at: idcNameField.meta({
      description: 'The IDC that gets both loads, and limits requests from other IDCs.',
    }),
    in: phaseName.meta({ description: 'The phase of the overload. The first fault is at its start.' }),
    bears: count(1, 1_000_000).meta({ description: 'Its capacity, in requests a second.' }),
    own: z.array(z.string()).min(1).meta({ description: 'Loads of its own users.' }),
    offered: z.number().positive('must be more than 0.').meta({
      description:
        'The least load that must be offered, as a multiple of the capacity: there must be an overload.',
    }),
    useful: durationField.meta({
      description: 'An answer is useful if it comes within this time from when the request was due.',
    }),
    goodput: percentage.meta({
      description:
        'The least rate of useful answers, as a share of the capacity of the instances that are up.',
    }),
    collapse: percentage.meta({
      description: 'The same for the negative control: below this the IDC has collapsed.',
    }),
    ownServed: percentage.meta({
      description: 'The least share of its own users’ requests that get a useful answer.',
    }),
    crossings: z
      .number()
      .positive('must be more than 0.')
      .meta({ description: 'Most crossings of a request from another IDC, on average.' }),
    executions: z
      .number()
      .positive()
      .meta({ description: 'Most executions of a request that reaches an instance, on average.' }),
    unsaid: count(0, 1000).meta({
      description:
        'Most requests that may be neither served nor refused with `spill-limit`: those in work on killed instances and gateways.',
    }),
    settled: durationField.meta({
      description:
        'Time limit for the last slow request of its own users, from when the other IDC answers again.',
    }),
  })
  .meta({
    description:
      'An IDC that gets more load than its capacity serves up to its capacity, its own users first.',
  });

type Value = z.infer<typeof schema>;

/** A measurement, the stated bounds, and the span that is judged. */
interface Judged {
  readonly m: ScenarioMeasurement;
  readonly value: Value;
  readonly usefulMs: number;
  /** From when to when the IDC had both loads. */
  readonly from: number;
  readonly to: number;
  /** When instances of the IDC itself were lost; infinite: never. */
  readonly lossAt: number;
  /** The share of its instances that were up after that. */
  readonly left: number;
}

/** Not judged after the first fault, in milliseconds: dead instances are detected, and queues form. */
const settleMs = 1_000;

/**
 * Under overload an IDC serves up to its capacity, its own users first, and refuses the rest at once with
 * `spill-limit`.
 */
export const overloadBound = bound(schema, (m, value) => {
  const first = m.faults[0]?.moment.to ?? Number.NaN;
  const own = [...m.entries.keys()].filter((name) => name.startsWith(`${value.at}/`));
  const loss = m.faults.find(({ struck }) => struck.some((name) => own.includes(name)));
  const lost = own.filter((name) => loss?.struck.includes(name)).length;
  const judged: Judged = {
    ...{ m, value, usefulMs: msOf(value.useful) },
    ...{ from: first + settleMs, to: phaseOf(m, value.in).to },
    lossAt: loss?.moment.from ?? Number.POSITIVE_INFINITY,
    left: (own.length - lost) / own.length,
  };
  return [
    offeredRow(judged),
    ...goodputRows(judged),
    ownRow(judged),
    entriesRow(judged),
    executionsRow(judged),
    postRow(judged),
    refusalRow(judged),
    ejectionRow(judged),
    settledRow(judged),
  ];
});

const isOwn = ({ value }: Judged, { stream }: Sample) => value.own.includes(stream);
const isGood = ({ usefulMs }: Judged, sample: Sample) => succeeded(sample) && latencyMs(sample) <= usefulMs;

/** Requests that were due while the IDC had both loads. */
function during({ m, from, to }: Judged): Sample[] {
  return m.samples.filter(({ due }) => due >= from && due < to);
}

/** The rate of useful answers, as a share of the capacity of the instances that were up. */
function goodput(judged: Judged): number {
  const { m, value, from, to, left } = judged;
  const good = m.samples.filter(
    (s) => isGood(judged, s) && s.idc === value.at && s.end >= from && s.end < to,
  );
  const lossAt = Math.min(Math.max(judged.lossAt, from), to);
  return good.length / ((value.bears * (lossAt - from + left * (to - lossAt))) / 1000);
}

function executionsOf({ m }: Judged): ReadonlyMap<string, number> {
  return countBy([...m.entries.values()].flat(), ({ id }) => id);
}

function offeredRow(judged: Judged): Row {
  const { value, from, to } = judged;
  const offered = (1000 * during(judged).length) / (to - from) / value.bears;
  return {
    id: 'offered',
    claim: `Load offered to ${value.at}, as a multiple of its capacity`,
    bound: `≥ ${value.offered}`,
    measured: `${offered.toFixed(2)} (capacity: ${value.bears} a second)`,
    ok: offered >= value.offered,
  };
}

function goodputRows(judged: Judged): Row[] {
  const { value, usefulMs } = judged;
  const part = goodput(judged);
  const claim = `Answers of ${value.at} within ${usefulMs / 1000} s, as a share of its capacity`;
  return [
    {
      ...{ id: 'goodput', claim, bound: `≥ ${value.goodput}`, measured: percent(part) },
      ok: part >= parseShare(value.goodput),
      ...timedBy(part),
    },
    {
      ...{ id: 'collapse', claim: `${claim}: no collapse`, bound: `≥ ${value.collapse}` },
      measured: percent(part),
      ok: part >= parseShare(value.collapse),
      ...timedBy(part),
    },
  ];
}

function ownRow(judged: Judged): Row {
  const { value, usefulMs } = judged;
  const users = during(judged).filter((sample) => isOwn(judged, sample));
  const good = users.filter((sample) => isGood(judged, sample)).length;
  const sorted = users.map(latencyMs).sort((a, b) => a - b);
  const part = users.length === 0 ? 0 : good / users.length;
  const failed = users.filter((sample) => !succeeded(sample)).length;
  return {
    id: 'own-users',
    claim: `Requests of ${value.at}’s own users that are answered within ${usefulMs / 1000} s`,
    bound: `≥ ${value.ownServed}`,
    measured: `${percent(part)} (${good} of ${users.length}, ${failed} failed, p99 ${millis(quantile(sorted, 0.99))})`,
    ok: part >= parseShare(value.ownServed),
    // A busy machine can make an answer late, but it cannot make a request fail.
    ...(users.length > 0 && 1 - failed / users.length >= parseShare(value.ownServed) && timedBy(part)),
  };
}

/** How often each request from another IDC entered the ingress gateways of the IDC. */
function entriesRow(judged: Judged): Row {
  const { m, value } = judged;
  const spilled = new Set(
    during(judged)
      .filter((sample) => !isOwn(judged, sample))
      .map(({ id }) => id),
  );
  const entered = countBy(
    m.access.filter(({ listener, id }) => listener === 'peer' && spilled.has(id)),
    ({ id }) => id,
  );
  const all = [...entered.values()];
  const mean = all.reduce((total, each) => total + each, 0) / spilled.size;
  return {
    id: 'entries',
    claim: 'Crossings per request from another IDC, all tries together, on average',
    bound: `≤ ${value.crossings}`,
    measured: `${mean.toFixed(3)} (${spilled.size} requests, at most ${Math.max(0, ...all)})`,
    ok: mean > 0 && mean <= value.crossings,
  };
}

function executionsRow(judged: Judged): Row {
  const { value } = judged;
  const runs = executionsOf(judged);
  const reached = during(judged).flatMap(({ id }) => runs.get(id) ?? []);
  const mean = reached.reduce((sum, each) => sum + each, 0) / reached.length;
  return {
    id: 'tries-mean',
    claim: 'Executions per request that reached an instance, on average',
    bound: `≤ ${value.executions}`,
    measured: `${mean.toFixed(3)} (${reached.length} requests)`,
    ok: mean >= 1 && mean <= value.executions,
  };
}

function postRow(judged: Judged): Row {
  const { m, value } = judged;
  const runs = executionsOf(judged);
  const posts = m.samples.filter(({ call }) => call?.method === 'POST');
  const twice = posts.filter(({ id }) => (runs.get(id) ?? 0) > 1);
  const served = posts.filter((sample) => succeeded(sample) && sample.idc === value.at).length;
  return {
    id: 'posts',
    claim: 'POSTs from another IDC that were executed twice',
    bound: '0',
    measured: `${twice.length} (${posts.length} sent, ${served} served by ${value.at})`,
    ok: served > 0 && twice.length === 0,
  };
}

/** Requests that are not served must be refused with a reason, except those in work on what was killed. */
function refusalRow(judged: Judged): Row {
  const spilled = during(judged).filter((sample) => !isOwn(judged, sample));
  const failed = spilled.filter((sample) => !succeeded(sample));
  const inWords = failed.filter(({ status, outcome }) => status === 503 && outcome === 'spill-limit');
  const others = failed.filter((sample) => !inWords.includes(sample));
  const refusedMs = inWords.map(latencyMs).sort((a, b) => a - b);
  const [first] = others;
  const example = first ? `, first: ${first.outcome ?? (first.error || first.status)}` : '';
  return {
    id: 'refused-in-words',
    claim: 'Requests from another IDC that were neither served nor refused with `spill-limit`',
    bound: `≤ ${judged.value.unsaid}`,
    measured: `${others.length}${example} (${inWords.length} refused, p99 ${millis(quantile(refusedMs, 0.99))})`,
    ok: inWords.length > 0 && others.length <= judged.value.unsaid,
  };
}

function ejectionRow({ m, value, lossAt }: Judged): Row {
  // A killed instance is ejected by each proxy, repeatedly.
  const isJudged = !Number.isFinite(lossAt);
  return {
    id: 'ejections-in-overload',
    claim: `Ejections of instances of ${value.at} by its own proxies`,
    bound: isJudged ? '0' : 'not judged: an instance was killed',
    measured: String(m.ejectedInOverload),
    ok: !isJudged || m.ejectedInOverload === 0,
  };
}

/** When the IDC's own users were served as fast as before: after their last slow request. */
function settledRow(judged: Judged): Row {
  const { m, value } = judged;
  const users = m.samples.filter((sample) => isOwn(judged, sample));
  const before = Math.max(0, ...users.filter(({ due }) => due < judged.from - settleMs).map(latencyMs));
  const slow = users.filter(
    (sample) => sample.due >= m.healthyAt && (!succeeded(sample) || latencyMs(sample) > 2 * before),
  );
  const last = slow.length === 0 ? 0 : Math.max(...slow.map(({ due }) => due)) - m.healthyAt;
  const failed = slow.some((sample) => !succeeded(sample));
  return {
    id: 'settled',
    claim: `Last slow request of ${value.at}’s own users after the other IDC answers again (slow: over twice the slowest before)`,
    bound: `≤ ${msOf(value.settled) / 1000} s`,
    measured: millis(last),
    ok: !Number.isNaN(m.healthyAt) && last <= msOf(value.settled),
    ...(!failed && timedBy(last)),
  };
}
