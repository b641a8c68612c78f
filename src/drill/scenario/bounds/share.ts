import { z } from 'zod';
import { phaseOf } from '../../judge/analysis.ts';
import { percent, type Row } from '../../judge/row.ts';
import { succeeded } from '../../load/sample.ts';
import { dueIn, hostOfRequest } from '../../measure/fates.ts';
import type { Phase } from '../../measure/phases.ts';
import {
  durationField,
  groupNameField,
  idcNameField,
  msOf,
  parseShare,
  percentage,
  phaseName,
} from '../document/fields.ts';
import { bound } from './bound.ts';

/**
 * The share of a phase's requests that an IDC serves. Requests that outlive the phase are left out: the next
 * fault may have moved them.
 */
export const shareBound = bound(
  z
    .array(
      z.strictObject({
        of: idcNameField.meta({ description: 'The IDC that serves them.' }),
        in: phaseName,
        after: durationField
          .optional()
          .meta({ description: 'Counts from this time after the start of the phase.', default: '0s' }),
        load: z.string().optional().meta({ description: 'Only requests of this load.' }),
        group: groupNameField.optional().meta({ description: 'Only requests for this Group.' }),
        least: percentage.optional(),
        most: percentage.optional(),
      }),
    )
    .min(1)
    .meta({ description: 'The share of the successful requests of a phase that an IDC serves.' }),
  (m, list) =>
    list.map(({ of, in: name, after = '0s', load, group, least = '0%', most = '100%' }): Row => {
      const phase = phaseOf(m, name);
      const due = dueIn(m.samples, { ...phase, from: phase.from + msOf(after) });
      const served = due.filter(
        (s) =>
          succeeded(s) &&
          s.end <= phase.to &&
          (load === undefined || s.stream === load) &&
          (group === undefined || hostOfRequest(s.id, m).startsWith(`${group}.`)),
      );
      const value =
        served.length === 0 ? Number.NaN : served.filter(({ idc }) => idc === of).length / served.length;
      return {
        id: `share-${of}-${name.replaceAll(' ', '-')}`,
        claim: `Share that ${of} serves ${load === undefined ? '' : `of ${load} `}${group === undefined ? '' : `of ${group} `}in the ${name}${after === '0s' ? '' : `, from ${after} on`}`,
        bound: `${least} to ${most}`,
        measured: `${Number.isNaN(value) ? 'no request was served' : percent(value)} of ${served.length}`,
        ok: value >= parseShare(least) && value <= parseShare(most),
        // Of all requests the plot has the share; of a load or a Group it has none.
        ...(load === undefined && group === undefined && shareLine(of, least, most, phase, msOf(after))),
      };
    }),
);

/** The line of the tighter side of a bound on a share. */
function shareLine(
  idc: string,
  least: string,
  most: string,
  phase: Phase,
  afterMs: number,
): Pick<Row, 'line'> {
  const value = 100 * (parseShare(least) > 0 ? parseShare(least) : parseShare(most));
  return { line: { plot: 'share', idc, value, from: phase.from + afterMs, to: phase.to } };
}
