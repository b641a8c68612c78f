import { z } from 'zod';
import { phaseOf } from '../../judge/analysis.ts';
import { millis, type Row, timedBy, times } from '../../judge/row.ts';
import { latencyOf } from '../../judge/stats.ts';
import { type Sample, succeeded } from '../../load/sample.ts';
import { dueIn, hostOfRequest, latenciesOf } from '../../measure/fates.ts';
import type { Measurement } from '../../measure/measurement.ts';
import { count, groupNameField, idcNameField, phaseName } from '../document/fields.ts';
import { bound } from './bound.ts';

interface Span {
  readonly from: number;
  readonly to: number;
}

/** The requests for a Group that were due in a span. */
function requestsOf(m: Measurement, group: string, span: Span): Sample[] {
  return dueIn(m.samples, span).filter((sample) => hostOfRequest(sample.id, m).startsWith(`${group}.`));
}

/** The largest median of any second of a span, in milliseconds; NaN when no request was served. */
export function worstSecondOf(m: Measurement, group: string, { from, to }: Span): number {
  const medians: number[] = [];
  for (let at = from; at + 1000 <= to; at += 1000)
    medians.push(latencyOf(latenciesOf(requestsOf(m, group, { from: at, to: at + 1000 }))).p50);
  const known = medians.filter((median) => !Number.isNaN(median));
  return known.length === 0 ? Number.NaN : Math.max(...known);
}

/** The median of the worst second of a phase, relative to the steady one or to another Group's. */
export const worstSecondBound = bound(
  z
    .array(
      z
        .strictObject({
          group: groupNameField,
          in: phaseName,
          than: z.union([z.literal('steady'), groupNameField]).meta({
            description:
              'Compared with the Group’s own median in the phase `steady`, or with the worst second of another Group.',
          }),
          least: z.number().positive('must be more than 0.').optional().meta({ description: 'Least ratio.' }),
          most: z
            .number()
            .positive('must be more than 0.')
            .optional()
            .meta({ description: 'Largest ratio.' }),
        })
        .refine(
          ({ least, most }) => (least === undefined) !== (most === undefined),
          'needs either least or most.',
        ),
    )
    .min(1)
    .meta({ description: 'The p50 of the worst second of a phase, as a ratio.' }),
  (m, list) =>
    list.map(({ group, in: name, than, least, most }): Row => {
      const span = phaseOf(m, name);
      const worst = worstSecondOf(m, group, span);
      const own = than === 'steady';
      const base = own
        ? latencyOf(latenciesOf(requestsOf(m, group, phaseOf(m, 'steady')))).p50
        : worstSecondOf(m, than, span);
      const part = worst / base;
      return {
        id: `worst-second-${group}-${than}`,
        claim: `Worst second’s p50 of ${group} in the ${name}, relative to ${own ? 'its steady p50' : `that of ${than}`}`,
        bound: least === undefined ? `≤ ${most} ×` : `≥ ${least} ×`,
        measured: `${times(part)} (${millis(worst)} against ${millis(base)})`,
        ok: least === undefined ? part <= (most ?? 0) : part >= least,
        ...timedBy(part),
      };
    }),
);

/** Windows in which the side of most requests is determined, in milliseconds. */
const windowMs = 1000;

/** How often most of a Group's requests moved between an IDC and the others. */
export function switchesOf(m: Measurement, group: string, idc: string, { from, to }: Span): number {
  let [changes, side] = [0, undefined as boolean | undefined];
  for (let at = from; at + windowMs <= to; at += windowMs) {
    const served = requestsOf(m, group, { from: at, to: at + windowMs }).filter(succeeded);
    if (served.length === 0) continue;
    const isHome = served.filter((sample) => sample.idc === idc).length >= served.length / 2;
    if (side !== undefined && isHome !== side) changes += 1;
    side = isHome;
  }
  return changes;
}

/** How often most requests of a Group move between an IDC and the others. */
export const switchesBound = bound(
  z
    .array(
      z.strictObject({
        group: groupNameField,
        of: idcNameField.meta({ description: 'The IDC: requests are on its side or on that of all others.' }),
        from: phaseName.meta({ description: 'Counts from the start of this phase.' }),
        to: phaseName.meta({ description: 'Counts to the end of this phase.' }),
        least: count(0, 1000).optional(),
        most: count(0, 1000).optional(),
      }),
    )
    .min(1)
    .meta({
      description:
        'How often most requests of a Group, second by second, move between an IDC and the others.',
    }),
  (m, list) =>
    list.map(({ group, of, from, to, least = 0, most = Number.POSITIVE_INFINITY }): Row => {
      const changes = switchesOf(m, group, of, { from: phaseOf(m, from).from, to: phaseOf(m, to).to });
      return {
        id: `switches-${group}`,
        claim: `Times that most requests of ${group} moved between ${of} and other IDCs`,
        bound: [...(least > 0 ? [`≥ ${least}`] : []), ...(Number.isFinite(most) ? [`≤ ${most}`] : [])].join(
          ', ',
        ),
        measured: String(changes),
        ok: changes >= least && changes <= most,
      };
    }),
);
