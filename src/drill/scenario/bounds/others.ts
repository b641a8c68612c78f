import { z } from 'zod';
import { circlesOf } from '../../judge/circles.ts';
import { type Row, seconds, timedBy } from '../../judge/row.ts';
import { ackRows, crossingRows, triesRow } from '../../judge/rows.ts';
import { count, durationField, msOf } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';

/** Of the ACKs that edits must bring: one for each edit and proxy that uses what was edited. */
const ackShare = 0.9;

/** Crossings of any request. */
export const crossings = bound(
  count(0, 4).meta({ description: 'No request crosses more often, or enters two IDCs from outside.' }),
  (m, most) => crossingRows(m, most),
);

/** Loops, also where several crossings are right. */
export const loops = bound(
  z
    .literal(0, { error: 'must be 0.' })
    .meta({ description: 'No request visits an IDC twice or comes back to where it began.' }),
  (m) => [loopRow(m)],
);

function loopRow(m: ScenarioMeasurement): Row {
  const { twice, returned, crossed } = circlesOf(m);
  const all = [...new Set([...twice, ...returned])];
  return {
    id: 'loops',
    claim: 'Requests that visited an IDC twice, or came back to where they began',
    bound: '0',
    measured: all.length === 0 ? `0 (${crossed} crossed)` : `${all.length}: ${all.slice(0, 5).join(', ')}`,
    ok: all.length === 0,
  };
}

/** Tries at instances. */
export const tries = bound(
  count(1, 64).meta({ description: 'No request is tried more often at instances.' }),
  (m, most) => [triesRow(m, most)],
);

/** Event → ACK of the scenario's edits. */
export const acks = bound(
  z.strictObject({ p50: durationField, p99: durationField, edits: count(1, 100_000) }).meta({
    description: 'Event → ACK of at least so many endpoint edits, by the control plane’s own clock.',
  }),
  (m, { p50, p99, edits }) =>
    ackRows(m.acks, m.edits, { eventToAckP50Ms: msOf(p50), eventToAckP99Ms: msOf(p99), edits, ackShare }),
);

/** Ejections while nothing is broken. */
export const ejections = bound(
  count(0, 100_000).meta({
    description: 'At most so many ejections by outlier detection before the first blow.',
  }),
  (m, most) => {
    // Where a Group asks for hedging, tries that are slow are given up, and count as failures: it asked for
    // that.
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
        claim: 'Ejections by outlier detection, nothing broken',
        bound: `≤ ${most}`,
        measured: `${sum}${first ? ` (${first.count} by ${first.proxy} from ${first.cluster})` : ''}${apart > 0 ? `; apart: ${apart} from Groups that ask for hedging` : ''}`,
        ok: sum <= most,
      },
    ];
  },
);

/** All that was struck answers again. */
export const recovered = bound(
  durationField.meta({
    description: 'Everything that was struck answers again so long after healing began.',
  }),
  (m, most) => {
    const times = m.losses.map(({ healed, healthyAt }) => healthyAt - healed.from);
    const afterMs = times.length === 0 ? Number.NaN : Math.max(...times);
    return [
      {
        id: 'recovered',
        claim: 'All that was struck answers again, after its healing began',
        bound: `≤ ${msOf(most) / 1000} s`,
        measured: seconds(afterMs),
        ok: afterMs <= msOf(most),
        ...timedBy(afterMs),
      },
    ];
  },
);

/** Nothing goes to an instance whose deregistration has returned. */
export const afterLeaving = bound(
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
        ? `0 (${m.leaves.length} left)`
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
