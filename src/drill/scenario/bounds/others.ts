import { z } from 'zod';
import { circlesOf } from '../../judge/circles.ts';
import { type Row, seconds, timedBy, timeLine } from '../../judge/row.ts';
import { ackRows, crossingRows, triesRow } from '../../judge/rows.ts';
import { count, durationField, msOf } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';

/** Least share of the expected ACKs: one for each edit and proxy that uses the edited endpoints. */
const ackShare = 0.9;

/** Crossings of each request. */
export const crossingsBound = bound(
  count(0, 4).meta({
    description: 'Most crossings of a request. None may enter more than one IDC through a peer listener.',
  }),
  (m, most) => crossingRows(m, most),
);

/** Loops, also where several crossings are allowed. */
export const loopsBound = bound(
  z
    .literal(0, { error: 'must be 0.' })
    .meta({ description: 'No request visits an IDC twice or returns to the IDC where it began.' }),
  (m) => [loopRow(m)],
);

function loopRow(m: ScenarioMeasurement): Row {
  const { twice, returned, crossed } = circlesOf(m);
  const all = [...new Set([...twice, ...returned])];
  return {
    id: 'loops',
    claim: 'Requests that visited an IDC twice, or returned to the IDC where they began',
    bound: '0',
    measured: all.length === 0 ? `0 (${crossed} crossed)` : `${all.length}: ${all.slice(0, 5).join(', ')}`,
    ok: all.length === 0,
  };
}

/** Tries at instances. */
export const triesBound = bound(
  count(1, 64).meta({ description: 'Most tries of a request at instances.' }),
  (m, most) => [triesRow(m, most)],
);

/** Event → ACK of the scenario's edits. */
export const acksBound = bound(
  z.strictObject({ p50: durationField, p99: durationField, edits: count(1, 100_000) }).meta({
    description:
      'Event → ACK of endpoint edits by the control plane’s own clock, and the least number of edits.',
  }),
  (m, { p50, p99, edits }) =>
    ackRows(m.acks, m.edits, { eventToAckP50Ms: msOf(p50), eventToAckP99Ms: msOf(p99), edits, ackShare }),
);

/** Ejections while nothing is broken. */
export const ejectionsBound = bound(
  count(0, 100_000).meta({
    description: 'Most ejections by outlier detection before the first fault.',
  }),
  (m, most) => {
    // With hedging, slow tries are abandoned and count as failures; ejections are an accepted effect.
    const hedged = m.ejections.filter(({ cluster }) =>
      m.hedging.some((host) => cluster.includes(`/${host}_`)),
    );
    const own = m.ejections.filter((each) => !hedged.includes(each));
    const sum = own.reduce((total, each) => total + each.count, 0);
    const [first] = own;
    const apart = hedged.reduce((total, each) => total + each.count, 0);
    return [
      {
        id: 'ejections',
        claim: 'Ejections by outlier detection before the first fault',
        bound: `≤ ${most}`,
        measured: `${sum}${first ? ` (${first.count} by ${first.proxy} from ${first.cluster})` : ''}${apart > 0 ? `; not counted: ${apart} from Groups with hedging` : ''}`,
        ok: sum <= most,
      },
    ];
  },
);

/** Everything that was struck answers again. */
export const recoveredBound = bound(
  durationField.meta({
    description: 'Time limit, from the start of healing, until everything that was struck answers again.',
  }),
  (m, most) => {
    const times = m.losses.map(({ healed, healthyAt }) => healthyAt - healed.from);
    const afterMs = times.length === 0 ? Number.NaN : Math.max(...times);
    return [
      {
        id: 'recovered',
        claim: 'Time from the start of healing until everything that was struck answers again',
        bound: `≤ ${msOf(most) / 1000} s`,
        measured: seconds(afterMs),
        ok: afterMs <= msOf(most),
        ...timedBy(afterMs),
        ...timeLine(m.losses.at(-1)?.healed.from ?? Number.NaN, msOf(most)),
      },
    ];
  },
);

/** No request is sent to an instance whose deregistration has returned. */
export const afterLeavingBound = bound(
  z
    .literal(0, { error: 'must be 0.' })
    .meta({ description: 'No request reaches an instance after its deregistration returned.' }),
  (m) => [afterLeavingRow(m)],
);

function afterLeavingRow(m: ScenarioMeasurement): Row {
  const late = lateEntriesOf(m);
  return {
    id: 'after-leaving',
    claim: 'Requests that reached an instance after its deregistration had returned',
    bound: '0',
    measured:
      late.length === 0
        ? `0 (${m.leaves.length} deregistered)`
        : `${late.length}: ${late
            .slice(0, 5)
            .map(({ instance, id }) => `${id} at ${instance}`)
            .join(', ')}`,
    ok: late.length === 0,
  };
}

/** Executions that began at an instance while it was out of its registry. */
export function lateEntriesOf(m: ScenarioMeasurement): { readonly instance: string; readonly id: string }[] {
  return m.leaves.flatMap(({ instance, from, to }) =>
    (m.entries.get(instance) ?? [])
      .filter(({ at }) => at > from && at < to)
      .map(({ id }) => ({ instance, id })),
  );
}
