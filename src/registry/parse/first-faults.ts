import type { Fault } from './fault.ts';

/**
 * The faults without those that follow from others: of several errors of one field the first, and no warning
 * of a field that has an error. What a field that cannot be read lacks, or would mean by its default, is no
 * fault of its own.
 */
export function firstFaults(faults: readonly Fault[]): readonly Fault[] {
  const first = new Map<string, Fault>();
  for (const fault of faults) {
    const at = JSON.stringify(fault.path);
    if (fault.severity === 'error' && !first.has(at)) first.set(at, fault);
  }
  return faults.filter((fault) => {
    const error = first.get(JSON.stringify(fault.path));
    return error === undefined || error === fault;
  });
}
