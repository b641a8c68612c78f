/** Fields that differ in every answer, as they count time: ages, moments, what is left of a lease. */
const passing = /(?:Ms|At)$|^(?:at|ms|leaseEndsIn)$/;

/**
 * A copy of an answer without the fields that time alone changes: two of these differ if anything has
 * happened.
 */
export function lasting(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lasting);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !passing.test(name))
      .map(([name, field]) => [name, lasting(field)]),
  );
}
