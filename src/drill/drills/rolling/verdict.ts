import { millis, type Row, timedBy } from '../../judge/row.ts';
import {
  crossingRows,
  isolationRows,
  leakRow,
  reconcileRows,
  successRow,
  triesRow,
} from '../../judge/rows.ts';
import type { Verdict } from '../../judge/verdict.ts';
import { fateOf } from '../../measure/fates.ts';
import { calmIsolationChecks } from '../../measure/isolation.ts';
import type { Measurement } from '../../measure/measurement.ts';

/** One instance, replaced. Times on the machine's clock; NaN for what did not happen. */
export interface Replacement {
  /** Such as `sh-a/checkout-1`. */
  readonly instance: string;
  /** When `isthmus run` got SIGTERM. */
  readonly askedAt: number;
  /** When it said that its deregistration had returned: every proxy has confirmed. */
  readonly freeAt: number;
  /** When the process had ended. */
  readonly endedAt: number;
  /** When the next one was started. */
  readonly startedAt: number;
  /** When every proxy had the next one. */
  readonly liveAt: number;
}

/** What a rolling replacement adds to what every drill measures. */
export interface RollingFacts {
  readonly replacements: readonly Replacement[];
  /** Instances that there are to be replaced. */
  readonly instances: readonly string[];
}

export type RollingMeasurement = Measurement & RollingFacts;

/** Bounds, in milliseconds where they are times. */
const rollingBounds = { successRate: 1, crossings: 1, tries: 8, freeMs: 5_000 } as const;

/** Nothing is out in the rolling phase at which one would have to look. */

/** Holds a measurement against each bound. Pure. */
export function rollingRows(m: RollingMeasurement): Row[] {
  return [
    replacedRow(m),
    servedRow(m),
    successRow(m, rollingBounds.successRate),
    confirmedRow(m),
    afterFreeRow(m),
    ...crossingRows(m, rollingBounds.crossings),
    triesRow(m, rollingBounds.tries),
    ...isolationRows(m, calmIsolationChecks),
    leakRow(m),
    ...reconcileRows(m),
  ];
}

function replacedRow({ replacements, instances }: RollingMeasurement): Row {
  const done = new Set(
    replacements.filter(({ liveAt }) => !Number.isNaN(liveAt)).map(({ instance }) => instance),
  );
  return {
    id: 'replaced',
    claim:
      'Instances replaced: the old process ended, the new one is registered and confirmed by every proxy',
    bound: `all ${instances.length}`,
    measured: String(done.size),
    ok: instances.length > 0 && instances.every((name) => done.has(name)),
  };
}

/** Replacing unused instances would lose nothing in any case. */
function servedRow(m: RollingMeasurement): Row {
  const idle = m.replacements.filter(({ instance, askedAt, startedAt }) => {
    const entries = m.entries.get(instance) ?? [];
    return !entries.some(({ at }) => at < askedAt) || !entries.some(({ at }) => at > startedAt);
  });
  return {
    id: 'served',
    claim: 'Instances whose old and new process both served requests',
    bound: 'all',
    measured: `${m.replacements.length - idle.length} of ${m.replacements.length}`,
    ok: m.replacements.length > 0 && idle.length === 0,
  };
}

function confirmedRow({ replacements }: RollingMeasurement): Row {
  const times = replacements.map(({ askedAt, freeAt }) => freeAt - askedAt).filter((ms) => !Number.isNaN(ms));
  const worst = times.length === 0 ? Number.NaN : Math.max(...times);
  return {
    id: 'confirmed',
    claim: 'Deregistrations that every proxy confirmed, and the longest from SIGTERM to that',
    bound: `all, ≤ ${rollingBounds.freeMs / 1000} s`,
    measured: `${times.length} of ${replacements.length}, ${millis(worst)}`,
    ok: times.length > 0 && times.length === replacements.length && worst <= rollingBounds.freeMs,
    ...(times.length === replacements.length && timedBy(worst)),
  };
}

function afterFreeRow(m: RollingMeasurement): Row {
  const late = m.replacements.flatMap(({ instance, freeAt, startedAt }) =>
    (m.entries.get(instance) ?? [])
      .filter(({ at }) => at > freeAt && at < startedAt)
      .map(({ id, at }) => `${instance}: ${id} after ${millis(at - freeAt)}`),
  );
  return {
    id: 'after-deregistration',
    claim: 'Requests that reached an instance after its deregistration had returned',
    bound: '0',
    measured: late.length === 0 ? '0' : `${late.length} (${late.slice(0, 3).join('; ')})`,
    ok: late.length === 0,
  };
}

/** Share of requests that must succeed before the first replacement: on a busy machine a few may fail. */
const earlyShareMin = 0.99;

/**
 * What speaks against the negative control having failed for the right reason: requests lost to replacements
 * alone.
 */
export function rollingUnprotected(m: RollingMeasurement, verdict: Verdict): string[] {
  const against: string[] = [];
  const holds = (id: string) => verdict.rows.find((row) => row.id === id)?.ok;
  if (holds('success-rate') !== false) against.push('no request failed');
  if (holds('replaced') !== true || holds('served') !== true)
    against.push('not every instance was replaced while in use');
  const first = Math.min(...m.replacements.map(({ askedAt }) => askedAt));
  const before = m.samples.filter((sample) => sample.end < first);
  const early = before.filter((sample) => fateOf(sample, m) === 'failed').length;
  if (before.length === 0 || early > (1 - earlyShareMin) * before.length)
    against.push(`${early} of ${before.length} requests failed before anything was replaced`);
  return against;
}
