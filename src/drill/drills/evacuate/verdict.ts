import { percent, type Row, seconds, timedBy } from '../../judge/row.ts';
import { crossingRows, leakRow, reconcileRows } from '../../judge/rows.ts';
import type { Verdict } from '../../judge/verdict.ts';
import { type Sample, succeeded } from '../../load/sample.ts';
import { underWayMs } from '../../measure/executions.ts';
import { dueIn, fateOf } from '../../measure/fates.ts';
import type { Measurement } from '../../measure/measurement.ts';

/** One share that was asked for. Times of the machine's clock. */
export interface ShareFacts {
  readonly percent: number;
  /**
   * When the process of the command was started, when it had looked at what it would do, and when it had
   * ended.
   */
  readonly startedAt: number;
  readonly from: number;
  readonly to: number;
  /** When the next thing was done. */
  readonly until: number;
  /** Of the command; 0: every proxy had confirmed. */
  readonly code: number | null;
}

/** What the drill measures besides what every drill does. */
export interface EvacuateFacts {
  readonly left: string;
  readonly standIn: string;
  readonly shares: readonly ShareFacts[];
  /** The death of the stand-in, all of it, and when it was started again. */
  readonly died: { readonly from: number; readonly to: number };
  readonly revivedAt: number;
  /** The end of the evacuation, as a share of 0. */
  readonly home: ShareFacts;
  /** Around the last share, of which the start of the command is judged (`Measurement.bareStartMs`). */
  readonly bareStartMs: number;
}

type M = Measurement & EvacuateFacts;

const evacuateBounds = {
  /**
   * From the start of the command's process to the last request that was sent afterwards and served at home,
   * at 100 %, in milliseconds.
   */
  wrongMs: 1_000,
  requestsMin: 10_000,
} as const;

/** The rows of a protected run. */
export function judgeEvacuate(m: M): Row[] {
  return [
    ...failureRows(m),
    {
      id: 'requests',
      claim: 'Requests in all',
      bound: `≥ ${evacuateBounds.requestsMin}`,
      measured: String(m.samples.length),
      ok: m.samples.length >= evacuateBounds.requestsMin,
    },
    ...m.shares.map((share) => shareRow(m, share)),
    wrongRow(m),
    comeHomeRow(m),
    shareRow(m, m.home),
    ...crossingRows(m, 1),
    leakRow(m),
    ...reconcileRows(m),
  ];
}

/** Why the failure of a run without protection may not have the right reason. */
export function judgeEvacuateControl(m: M, verdict: Verdict): string[] {
  const dead = dueIn(m.samples, { from: m.died.to, to: m.revivedAt });
  const lost = dead.filter((sample) => !succeeded(sample)).length;
  const before = m.samples.filter((sample) => sample.end < m.died.from && !succeeded(sample)).length;
  return [
    ...(verdict.passed ? ['nothing failed'] : []),
    ...(before > 0 ? [`${before} requests failed before the stand-in died`] : []),
    ...(lost < 0.9 * dead.length
      ? [`only ${lost} of ${dead.length} failed while the stand-in was dead`]
      : []),
  ];
}

function failureRows(m: M): Row[] {
  const failed = m.samples.filter((sample) => fateOf(sample, m) === 'failed');
  const safe = failed.filter((sample) => !isUnsafe(sample));
  const unsafe = failed.filter(isUnsafe);
  // Executed by an instance that died before it answered: must not be sent again.
  const inWork = unsafe.filter(({ sent, end }) => sent <= m.died.to + underWayMs && end >= m.died.from);
  const count = (of: (sample: Sample) => boolean) => m.samples.filter(of).length;
  const row = (id: string, claim: string, list: readonly Sample[], all: number, apart = ''): Row => ({
    ...{ id, claim, bound: '0' },
    measured: `${list.length} of ${all}${list[0] ? `, first ${list[0].id}: ${list[0].error || list[0].status}` : ''}${apart}`,
    ok: all > 0 && list.length === 0,
  });
  return [
    row(
      'failed-get',
      'GETs that failed',
      safe,
      count((sample) => !isUnsafe(sample)),
    ),
    row(
      'failed-post',
      'POSTs that failed, except those in work on what was killed',
      unsafe.filter((sample) => !inWork.includes(sample)),
      count(isUnsafe),
      ` (${inWork.length} were in work there)`,
    ),
  ];
}

function isUnsafe({ stream, call }: Sample): boolean {
  return call?.method === 'POST' || stream.endsWith('-post');
}

/** Requests that begin in an evacuated IDC, once the command has ended: the share that another one served. */
function shareRow(m: M, { percent: asked, to, until, code }: ShareFacts): Row {
  // Failures are counted where success is.
  const begun = dueIn(m.samples, { from: to, to: until }).filter((one) => one.sent >= to && succeeded(one));
  const retried = triedTwice(m);
  const isBack = ({ id, idc }: Sample) => idc === m.left && retried.has(id);
  const back = asked === 100 ? begun.filter(isBack).length : 0;
  const away = back + begun.filter(({ idc }) => idc === m.standIn).length;
  const [least, most] = slack(asked, begun.length);
  const share = begun.length === 0 ? Number.NaN : away / begun.length;
  return {
    id: asked === 0 ? 'share-home' : `share-${asked}`,
    claim:
      asked === 0 ? 'Share that leaves after the end of the evacuation' : `Share that leaves at ${asked} %`,
    bound: asked === 0 || asked === 100 ? `${asked} %` : `${percent(least)} to ${percent(most)}`,
    measured: `${percent(share)} (${away} of ${begun.length}${back > 0 ? `, ${back} of which found no instance there and came home` : ''}; the command ended with ${code})`,
    ok: code === 0 && begun.length > 0 && share >= least && share <= most,
  };
}

/** Requests that the first proxy sent twice: served at home, they had been tried elsewhere. */
function triedTwice({ access }: M): ReadonlySet<string> {
  return new Set(
    access
      .filter(({ listener, attempts }) => (listener === 'outbound' || listener === 'edge') && attempts > 1)
      .map(({ id }) => id),
  );
}

/** Four standard deviations of a draw, and nothing at the ends. */
function slack(asked: number, count: number): [number, number] {
  const share = asked / 100;
  const most = 4 * Math.sqrt((share * (1 - share)) / Math.max(1, count));
  return [share - most, share + most];
}

/**
 * At 100 %: the last request that was sent after the command's process had been started and was served at
 * home.
 */
function wrongRow(m: M): Row {
  const last = m.shares.at(-1) as ShareFacts;
  const retried = triedTwice(m);
  const wrong = m.samples
    .filter(({ sent, idc }) => sent >= last.startedAt && sent < last.until && idc === m.left)
    .filter(({ id, sent }) => sent < last.to || !retried.has(id))
    .map(({ sent }) => sent - last.startedAt);
  const worst = Math.max(0, ...wrong);
  return {
    id: 'last-wrong',
    claim: `From the start of the command to the last request that ${m.left} still served, at ${last.percent} %`,
    bound: `≤ ${seconds(evacuateBounds.wrongMs)}`,
    measured: `${seconds(worst)} (${wrong.length} requests; its first output came after ${seconds(last.from - last.startedAt)})`,
    ok: wrong.length > 0 && worst <= evacuateBounds.wrongMs,
    ...(wrong.length > 0 && timedBy(worst)),
  };
}

/** While the stand-in is dead the evacuated IDC serves all. */
function comeHomeRow(m: M): Row {
  const dead = dueIn(m.samples, { from: m.died.to, to: m.revivedAt });
  const home = dead.filter((sample) => succeeded(sample) && sample.idc === m.left);
  return {
    id: 'come-home',
    claim: `Requests that ${m.left} serves while ${m.standIn} is dead`,
    bound: '100 %',
    measured: `${percent(dead.length === 0 ? Number.NaN : home.length / dead.length)} (of ${dead.length})`,
    ok: dead.length > 0 && home.length === dead.length,
  };
}
