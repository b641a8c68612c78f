import { dueIn, latenciesOf } from '../../ledger.ts';
import type { Measurement } from '../../measurement.ts';
import type { Phase } from '../../phases.ts';
import { millis, percent, type Row, seconds } from '../../row.ts';
import { crossingRows, leakRow, reconcileRows, successRow, triesRow } from '../../rows.ts';
import { latencyOf } from '../../stats.ts';
import type { Verdict } from '../../verdict.ts';
import type { Look } from './watch.ts';

/** One sickness, and what the caller's sidecar did about it. */
export interface Sickness {
  readonly kind: 'errs' | 'hangs' | 'everywhere';
  /** Who had it. */
  readonly sick: readonly string[];
  /** From when it began to its end. */
  readonly span: Phase;
  readonly looks: readonly Look[];
}

/** What this drill measures besides what every drill does. */
export interface GrayFacts {
  readonly sicknesses: readonly Sickness[];
  /** Instances of the Group where it is looked at. */
  readonly instances: number;
}

/** What the drill must keep to. Times in milliseconds. */
export const bounds = {
  /** Two intervals of Envoy's, one of which the sickness begins in, and half of one to spare. */
  foundMs: 12_500,
  /** Of the time since it was first out; it is looked at again for an interval after each ejection. */
  outShare: 0.5,
  /** While it is out. */
  outP99Ms: 200,
  crossings: 1,
  tries: 8,
} as const;

type Measured = Measurement & GrayFacts;

/** Holds a measurement against each bound. */
export function judgeRows(m: Measured): Row[] {
  return [
    successRow(m, 1),
    ...m.sicknesses.flatMap((sickness) =>
      sickness.kind === 'everywhere' ? [noneRow(sickness)] : sickRows(m, sickness),
    ),
    mostRow(m),
    ...crossingRows(m, bounds.crossings),
    triesRow(m, bounds.tries),
    leakRow(m),
    ...reconcileRows(m),
  ];
}

const words = { errs: 'fails 5 % of its requests', hangs: 'hangs for a tenth of its requests' } as const;

function sickRows(m: Measured, { kind, sick, span, looks }: Sickness): Row[] {
  if (kind === 'everywhere') return [];
  const isOut = ({ ejected }: Look) => sick.every((name) => ejected.includes(name));
  const first = looks.find(isOut)?.at ?? Number.NaN;
  const since = looks.filter(({ at }) => at >= first);
  const share = since.length === 0 ? 0 : since.filter(isOut).length / since.length;
  const back = since.find((look) => !isOut(look))?.at ?? span.to;
  const away = { from: first + 500, to: back };
  const p99 = latencyOf(latenciesOf(dueIn(m.samples, away))).p99;
  return [
    {
      id: `found-${kind}`,
      claim: `An instance that ${words[kind]} is ejected`,
      bound: `≤ ${bounds.foundMs / 1000} s`,
      measured: seconds(first - span.from),
      ok: first - span.from <= bounds.foundMs,
    },
    {
      id: `out-${kind}`,
      claim: 'It stays out, though its checks pass: of the time since then',
      bound: `≥ ${percent(bounds.outShare)}`,
      measured: percent(share),
      ok: share >= bounds.outShare,
    },
    {
      id: `p99-${kind}`,
      claim: 'p99 while it is out',
      bound: `≤ ${bounds.outP99Ms} ms`,
      measured: millis(p99),
      ok: p99 <= bounds.outP99Ms,
    },
  ];
}

function noneRow({ looks }: Sickness): Row {
  const ejected = [...new Set(looks.flatMap((look) => look.ejected))];
  return {
    id: 'none-everywhere',
    claim: 'Instances ejected while all fail 1 %',
    bound: 'none',
    measured: `${ejected.join(', ') || 'none'} (${looks.length} looks)`,
    ok: looks.length > 0 && ejected.length === 0,
  };
}

function mostRow({ sicknesses, instances }: Measured): Row {
  const most = Math.max(0, ...sicknesses.flatMap(({ looks }) => looks.map(({ ejected }) => ejected.length)));
  return {
    id: 'at-most-half',
    claim: 'Instances ejected at once',
    bound: `≤ ${Math.floor(instances / 2)} of ${instances}`,
    measured: String(most),
    ok: most <= Math.floor(instances / 2),
  };
}

/** Whether the run with the policy of before failed for the right reason. Returns what speaks against it. */
export function judgeUnprotected({ sicknesses }: Measured, verdict: Verdict): string[] {
  const holds = (id: string) => verdict.rows.find((row) => row.id === id)?.ok;
  const kinds = sicknesses.map(({ kind }) => kind).filter((kind) => kind !== 'everywhere');
  const against = kinds
    .filter((kind) => holds(`found-${kind}`) && holds(`out-${kind}`))
    .map((kind) => `the instance that ${words[kind]} was out all the same`);
  if (kinds.length === 0) against.push('no instance was sick');
  return against;
}
