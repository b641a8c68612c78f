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
    at: idcNameField.meta({ description: 'The IDC that has both loads, and bounds what comes over.' }),
    in: phaseName.meta({ description: 'Meanwhile; the first blow falls at its beginning.' }),
    bears: count(1, 1_000_000).meta({ description: 'Requests a second that its instances bear.' }),
    own: z.array(z.string()).min(1).meta({ description: 'Loads of its own users.' }),
    offered: z
      .number()
      .positive('must be more than 0.')
      .meta({ description: 'There must be an overload: so many times that.' }),
    useful: durationField.meta({ description: 'An answer is of use within this of when it was due.' }),
    goodput: percentage.meta({
      description: 'Of what it bears, useful answers; a lost instance bears nothing.',
    }),
    collapse: percentage.meta({ description: 'The same, for the control: below this it has fallen.' }),
    ownServed: percentage.meta({ description: 'Of its own users’ requests, useful answers.' }),
    crossings: z
      .number()
      .positive('must be more than 0.')
      .meta({ description: 'A request that comes over, in the mean.' }),
    executions: z
      .number()
      .positive()
      .meta({ description: 'A request that reaches an instance, in the mean.' }),
    unsaid: count(0, 1000).meta({
      description:
        'Requests that are neither served nor refused with `spill-limit`: what was in work on what is lost.',
    }),
    settled: durationField.meta({
      description: 'The last slow request of its own users, after the other IDC answers again.',
    }),
  })
  .meta({ description: 'An IDC that gets more than it bears goes on, its own users first.' });

type Value = z.infer<typeof schema>;

/** What is judged: a measurement, what was stated, and the moments between which. */
interface Judged {
  readonly m: ScenarioMeasurement;
  readonly value: Value;
  readonly usefulMs: number;
  /** From when to when the IDC had both loads. */
  readonly from: number;
  readonly to: number;
  /** When instances of its own were lost; infinite: never. */
  readonly lossAt: number;
  /** Of its instances, those that were left then. */
  readonly left: number;
}

/** The first moments of the outage are not judged: who is dead is found out in them, and the queue begins. */
const settleMs = 1_000;

/**
 * Under overload: what it bears is served, its own users first, and the rest refused at once and in words.
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

/** Good answers a second, as a part of what the instances that were there bear. */
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
    claim: `Requests that wanted an answer of ${value.at}, as a part of what it bears`,
    bound: `≥ ${value.offered}`,
    measured: `${offered.toFixed(2)} (${value.bears} a second)`,
    ok: offered >= value.offered,
  };
}

function goodputRows(judged: Judged): Row[] {
  const { value, usefulMs } = judged;
  const part = goodput(judged);
  const claim = `Answers within ${usefulMs / 1000} s by ${value.at}, as a part of what it bears`;
  return [
    {
      ...{ id: 'goodput', claim, bound: `≥ ${value.goodput}`, measured: percent(part) },
      ok: part >= parseShare(value.goodput),
      ...timedBy(part),
    },
    {
      ...{ id: 'collapse', claim: `${claim}: it has not fallen`, bound: `≥ ${value.collapse}` },
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
    claim: `Requests of the own users of ${value.at} that are answered within ${usefulMs / 1000} s`,
    bound: `≥ ${value.ownServed}`,
    measured: `${percent(part)} (${good} of ${users.length}, ${failed} failed, p99 ${millis(quantile(sorted, 0.99))})`,
    ok: part >= parseShare(value.ownServed),
    // Late is the machine's or the mesh's fault; failed is the mesh's.
    ...(users.length > 0 && 1 - failed / users.length >= parseShare(value.ownServed) && timedBy(part)),
  };
}

/** Entries of each request that came over, at the ingress of the IDC. */
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
    claim: 'Crossings for each request that came over, all its tries together, in the mean',
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
    claim: 'Executions of each request that reached an instance, in the mean',
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
    claim: 'POSTs that were executed twice, of those that came over',
    bound: '0',
    measured: `${twice.length} (${posts.length} sent, ${served} served by ${value.at})`,
    ok: served > 0 && twice.length === 0,
  };
}

/** What is not served is told why; a loss may take what it was working on. */
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
    claim: 'Requests that came over and were neither served nor refused with `spill-limit`',
    bound: `≤ ${judged.value.unsaid}`,
    measured: `${others.length}${example} (${inWords.length} refused, p99 ${millis(quantile(refusedMs, 0.99))})`,
    ok: inWords.length > 0 && others.length <= judged.value.unsaid,
  };
}

function ejectionRow({ m, value, lossAt }: Judged): Row {
  // One that was killed is ejected by each proxy, and again.
  const isJudged = !Number.isFinite(lossAt);
  return {
    id: 'ejections-in-overload',
    claim: `Ejections of instances of ${value.at} by its own proxies`,
    bound: isJudged ? '0' : 'not judged: one was killed',
    measured: String(m.ejectedInOverload),
    ok: !isJudged || m.ejectedInOverload === 0,
  };
}

/** When own users' answers were again as quick as before, by the last of their slow ones. */
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
    claim: `The last slow request of the own users of ${value.at} after the other IDC answers again (over twice the slowest before)`,
    bound: `≤ ${msOf(value.settled) / 1000} s`,
    measured: millis(last),
    ok: !Number.isNaN(m.healthyAt) && last <= msOf(value.settled),
    ...(!failed && timedBy(last)),
  };
}
