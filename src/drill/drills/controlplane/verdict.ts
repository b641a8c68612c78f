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
import { calmIsolationChecks } from '../../measure/isolation.ts';
import type { Measurement } from '../../measure/measurement.ts';

/** This drill's own measurements. Times of the machine's clock; NaN: never. */
export interface ControlPlaneFacts {
  /** Endpoints of the Group that the registry holds all the while. */
  readonly endpoints: number;
  /** Proxies that had the change before the control plane was started again: none can. */
  readonly early: readonly string[];
  readonly readyAt: number;
  /** When the change was at all proxies. */
  readonly arrivedAt: number;
  /** Of the start without the registry: when it was begun, and when it was ready. */
  readonly bareStartedAt: number;
  readonly bareReadyAt: number;
  /** When the registry was back, and its change at all proxies. */
  readonly backAt: number;
  readonly backArrivedAt: number;
  /** The fewest endpoints of any proxy, and the number of readings. */
  readonly restarted: { readonly fewest: number; readonly looks: number };
  readonly bare: { readonly fewest: number; readonly looks: number };
}

/** What the drill must keep to, in milliseconds. */
const controlPlaneBounds = { arriveMs: 2_000, bareReadyMs: 15_000, looksMin: 20, tries: 8 };

type Measured = Measurement & ControlPlaneFacts;

/** Holds a measurement against each bound. */
export function controlPlaneRows(m: Measured): Row[] {
  const after = (from: number, to: number) => to - from;
  const whole = (id: string, when: string, { fewest, looks }: ControlPlaneFacts['bare']): Row => ({
    id,
    claim: `Fewest endpoints that any proxy had ${when}`,
    bound: `${m.endpoints}, as in the registry`,
    measured: `${fewest} (${looks} looks)`,
    ok: fewest >= m.endpoints && looks >= controlPlaneBounds.looksMin,
  });
  const within = (id: string, claim: string, ms: number, bound: number): Row => ({
    ...{ id, claim, bound: `≤ ${bound} ms`, measured: millis(ms), ok: ms <= bound },
    ...timedBy(ms),
  });
  return [
    successRow(m, 1),
    {
      id: 'alone',
      claim: 'Proxies that had the change while no control plane ran',
      bound: '0',
      measured: String(m.early.length),
      ok: m.early.length === 0,
    },
    within(
      'change-arrives',
      'Changes made meanwhile are at all proxies, after it is ready',
      after(m.readyAt, m.arrivedAt),
      controlPlaneBounds.arriveMs,
    ),
    whole('restart-whole', 'from the kill until the changes arrived', m.restarted),
    within(
      'bare-ready',
      'Ready again while the registry has no instances',
      after(m.bareStartedAt, m.bareReadyAt),
      controlPlaneBounds.bareReadyMs,
    ),
    whole('bare-whole', 'while the registry had no instances', m.bare),
    within(
      'back-arrives',
      'A change in the restored registry is at all proxies',
      after(m.backAt, m.backArrivedAt),
      controlPlaneBounds.arriveMs,
    ),
    ...crossingRows(m, 0),
    triesRow(m, controlPlaneBounds.tries),
    ...isolationRows(m, calmIsolationChecks),
    leakRow(m),
    ...reconcileRows(m),
  ];
}

/** Whether the run without a last good state failed for the right reason. Returns what speaks against it. */
export function controlPlaneUnprotected(m: Measured, verdict: Verdict): string[] {
  const against: string[] = [];
  const holds = (id: string) => verdict.rows.find((row) => row.id === id)?.ok;
  if (holds('bare-whole') !== false) against.push('no proxy lost endpoints');
  if (m.bare.fewest !== 0) against.push(`a proxy kept ${m.bare.fewest} endpoints`);
  for (const id of ['restart-whole', 'change-arrives', 'alone'])
    if (holds(id) !== true) against.push(`${id} failed too, which does not depend on the last good state`);
  return against;
}
