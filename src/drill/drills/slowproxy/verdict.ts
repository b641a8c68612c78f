import { millis, type Row, seconds, timedBy, times } from '../../judge/row.ts';
import { isolationRows, leakRow, reconcileRows, successRow } from '../../judge/rows.ts';
import type { Verdict } from '../../judge/verdict.ts';
import { calmIsolationChecks } from '../../measure/isolation.ts';
import type { Measurement } from '../../measure/measurement.ts';

/** Event → ACK of some edits, over all proxies that ACKed. */
export interface AckMean {
  readonly edits: number;
  readonly count: number;
  readonly meanMs: number;
}

/** What this drill measures besides what every drill does. */
export interface SlowProxyFacts {
  /** The proxy that was stopped, by its node id. */
  readonly stopped: string;
  /** Proxies that use what is edited, but for the stopped one. */
  readonly others: number;
  readonly before: AckMean;
  readonly during: AckMean;
  /** Resident memory of the control plane, in bytes, before and at the end. */
  readonly memoryBefore: number;
  readonly memoryAfter: number;
  /** The deregistration: how long until its answer, and who was not waited for any longer. */
  readonly deregisteredMs: number;
  readonly forgiven: readonly string[];
}

/** What the drill must keep to. */
const slowProxyBounds = {
  factor: 2,
  /**
   * A mean this small is not told from noise: on a machine that is busy a little more is no sign of anything.
   */
  meanMsMin: 5,
  ackShare: 0.9,
  memoryGrowthBytes: 48 * 2 ** 20,
  heldMsMin: 5_000,
  heldMsMax: 45_000,
};

type Measured = Measurement & SlowProxyFacts;

/** Holds a measurement against each bound. */
export function slowProxyRows(m: Measured): Row[] {
  const { before, during } = m;
  const expected = during.edits * m.others;
  const factor = during.meanMs / Math.max(before.meanMs, slowProxyBounds.meanMsMin);
  const grown = m.memoryAfter - m.memoryBefore;
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  return [
    successRow(m, 1),
    {
      id: 'others-acked',
      claim: 'ACKs of the other proxies while one is stopped',
      bound: `≥ ${100 * slowProxyBounds.ackShare} %`,
      measured: `${during.count} of ${expected}`,
      ok: expected > 0 && during.count >= slowProxyBounds.ackShare * expected,
    },
    {
      id: 'others-as-fast',
      claim: 'Their mean event → ACK, relative to before',
      bound: `≤ ${slowProxyBounds.factor} ×`,
      measured: `${times(factor)} (${millis(during.meanMs)} after ${millis(before.meanMs)})`,
      ok: factor <= slowProxyBounds.factor,
      ...timedBy(factor),
    },
    {
      id: 'memory-flat',
      claim: 'Growth of the control plane’s memory',
      bound: `≤ ${mib(slowProxyBounds.memoryGrowthBytes)}`,
      measured: `${mib(grown)} (from ${mib(m.memoryBefore)})`,
      ok: grown <= slowProxyBounds.memoryGrowthBytes,
    },
    {
      id: 'guard-held',
      claim: 'A deregistration waits for the stopped proxy',
      bound: `≥ ${slowProxyBounds.heldMsMin / 1000} s, and names it`,
      measured: `${seconds(m.deregisteredMs)}, given up: ${m.forgiven.join(', ') || 'nobody'}`,
      ok: m.deregisteredMs >= slowProxyBounds.heldMsMin && m.forgiven.includes(m.stopped),
    },
    {
      id: 'guard-released',
      claim: 'It is released at its limit',
      bound: `≤ ${slowProxyBounds.heldMsMax / 1000} s`,
      measured: seconds(m.deregisteredMs),
      ok: m.deregisteredMs <= slowProxyBounds.heldMsMax,
    },
    ...isolationRows(m, calmIsolationChecks),
    leakRow(m),
    ...reconcileRows(m),
  ];
}

/** Whether the run that did not wait failed for the right reason. Returns what speaks against it. */
export function slowProxyUnprotected(_: Measured, verdict: Verdict): string[] {
  const holds = (id: string) => verdict.rows.find((row) => row.id === id)?.ok;
  const against = holds('guard-held') === false ? [] : ['the deregistration waited nevertheless'];
  if (holds('others-acked') !== true) against.push('the others did not ACK either');
  return against;
}
