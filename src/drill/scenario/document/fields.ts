import { z } from 'zod';
import { idcNamePattern } from '../../../model/idc.ts';
import { durationPattern, parseDurationMs } from '../../../model/values/duration.ts';

/**
 * Fields that the parts of a scenario share. Values stay as they were written: `msOf` and `shareOf` read
 * them.
 */

export const idcNameField = z
  .string()
  .regex(idcNamePattern, "must be the name of an IDC such as 'sh-a': lower-case letters, digits and '-'.");

export const groupNameField = z
  .string()
  .regex(
    /^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$/,
    "must be a name such as 'checkout': lower-case letters, digits and '-'.",
  );

export const phaseName = z.string().regex(/^[a-z][a-z0-9 -]{0,38}[a-z0-9]$/, 'must be the name of a phase.');

export const durationField = z
  .string({ error: "must be a duration such as '1.5s' or '250ms'." })
  .regex(durationPattern, "must be a duration such as '1.5s', '250ms' or '1h5m'.");

export const percentage = z
  .string({ error: "must be a percentage such as '99%'." })
  .regex(/^(?:100|[0-9]{1,2}(?:\.[0-9]+)?)%$/, "must be a percentage from '0%' to '100%'.");

export const count = (least: number, most: number) =>
  z
    .int({ error: `must be a whole number from ${least} to ${most}.` })
    .min(least, `must be from ${least} to ${most}.`)
    .max(most, `must be from ${least} to ${most}.`);

/** Milliseconds of a duration that the schema has passed. */
export function msOf(text: string): number {
  return parseDurationMs(text) ?? Number.NaN;
}

/** The share, 0 to 1, of a percentage that the schema has passed. */
export function parseShare(text: string): number {
  return Number.parseFloat(text) / 100;
}
