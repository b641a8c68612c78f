import { isMap } from '../../../base/raw-map.ts';
import { didYouMean } from '../../../base/text/suggest.ts';
import { type GroupSpill, groupClasses, parseSharePercent } from '../../../model/capacity.ts';
import type { Fields } from '../fields.ts';

/**
 * `capacity`, `spill` and `class` of a DrGroup; undefined if none is given. The schema has checked each
 * value; here it is checked that they name IDCs of the DR group.
 */
export function parseSpill(spec: Fields): GroupSpill | undefined {
  const { capacity, spill, class: given } = spec.raw;
  const concurrent = isMap(capacity) ? numberOf(capacity.concurrentPerInstance) : undefined;
  const byIdc = isMap(capacity) && isMap(capacity.idcs) ? checkIdcs(spec, capacity.idcs) : undefined;
  const share = isMap(spill) && typeof spill.share === 'string' ? parseSharePercent(spill.share) : undefined;
  const found = groupClasses.find((one) => one === given);
  const parsed: GroupSpill = {
    ...(concurrent === undefined ? {} : { concurrentPerInstance: concurrent }),
    ...(byIdc === undefined ? {} : { concurrentByIdc: byIdc }),
    ...(share === undefined ? {} : { sharePercent: share }),
    ...(found === undefined ? {} : { class: found }),
  };
  return Object.keys(parsed).length === 0 ? undefined : parsed;
}

function checkIdcs(
  spec: Fields,
  idcs: Readonly<Record<string, unknown>>,
): Readonly<Record<string, number>> | undefined {
  const list: unknown[] = Array.isArray(spec.raw.idcs) ? spec.raw.idcs : [];
  const members = list.flatMap((choice) =>
    isMap(choice) && typeof choice.name === 'string' ? [choice.name] : [],
  );
  const found: [string, number][] = [];
  for (const [name, value] of Object.entries(idcs)) {
    if (!members.includes(name)) {
      const message = `is not among spec.idcs: correct the name, or add it there.${didYouMean(name, members)}`;
      spec.error(message, 'capacity', 'idcs', name);
    }
    const number = isMap(value) ? numberOf(value.concurrentPerInstance) : undefined;
    if (number !== undefined) found.push([name, number]);
  }
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
