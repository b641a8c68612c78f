import { MeshError } from '../base/error.ts';
import { admissionLimits } from './admission/admission-limits.ts';
import { budgetLimits } from './admission/budget.ts';
import { paceLimits } from './admission/pace-limits.ts';
import { intakeLimits } from './transport/intake.ts';

const known: Readonly<Record<string, object>> = {
  admission: admissionLimits,
  budget: budgetLimits,
  intake: intakeLimits,
  pace: paceLimits,
};

/**
 * Checks given limits: a misspelled one would leave the default in force, and one that is not a number would
 * limit nothing. Infinity is a number. Throws MeshError 'invalid' with the path.
 */
export function checkLimits(limits: object): void {
  for (const [group, given] of Object.entries(limits)) {
    const fields = Object.hasOwn(known, group) ? known[group] : undefined;
    if (fields === undefined)
      throw new MeshError(
        'invalid',
        `limits.${group}: not known; there are ${Object.keys(known).join(', ')}`,
      );
    for (const [name, value] of Object.entries(given ?? {})) {
      if (!Object.hasOwn(fields, name))
        throw new MeshError(
          'invalid',
          `limits.${group}.${name}: not known; there are ${Object.keys(fields).join(', ')}`,
        );
      if (typeof value !== 'number' || !(value >= 0))
        throw new MeshError('invalid', `limits.${group}.${name}: must be a number, 0 or more`);
    }
  }
}
