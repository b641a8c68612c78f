import { isMap, type RawMap } from '../base/raw-map.ts';

/** A name that stands for each container of a Pod that is not of Isthmus. */
const everyOther = '*';

/**
 * Merges a template into a Pod: mappings field by field; lists of things that have names by name, in which
 * `*` is each container that is not ours; other lists and values are replaced; null removes. Neither is
 * changed.
 */
export function mergeTemplate(pod: RawMap, template: RawMap, isOurs: (name: string) => boolean): RawMap {
  return mergeMaps(pod, template, isOurs);
}

type IsOurs = (name: string) => boolean;

function mergeMaps(base: RawMap, over: RawMap, isOurs: IsOurs): RawMap {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === null) delete merged[key];
    else merged[key] = mergeValues(base[key], value, isOurs);
  }
  return merged;
}

function mergeValues(base: unknown, over: unknown, isOurs: IsOurs): unknown {
  if (isMap(over)) return mergeMaps(isMap(base) ? base : {}, over, isOurs);
  if (!Array.isArray(over) || !Array.isArray(base) || !over.every(isNamed)) return over;
  return over.reduce<unknown[]>((list, item) => mergeItem(list, item, isOurs), base);
}

function mergeItem(list: readonly unknown[], item: Named, isOurs: IsOurs): unknown[] {
  const { name, ...rest } = item;
  const isMeant = (one: unknown) =>
    isNamed(one) && (name === everyOther ? !isOurs(one.name) : one.name === name);
  const merged = list.map((one) => (isMap(one) && isMeant(one) ? mergeMaps(one, rest, isOurs) : one));
  return name === everyOther || list.some(isMeant) ? merged : [...merged, item];
}

interface Named extends RawMap {
  readonly name: string;
}

function isNamed(value: unknown): value is Named {
  return isMap(value) && typeof value.name === 'string';
}
