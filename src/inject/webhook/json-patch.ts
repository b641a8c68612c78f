import { isMap } from '../../base/raw-map.ts';

/** An operation of a JSON patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** The patch that makes `after` of `before`. Mappings are compared field by field, lists as a whole. */
export function diffJson(before: unknown, after: unknown, path = ''): PatchOperation[] {
  if (before === after) return [];
  if (!isMap(before) || !isMap(after))
    return isSameJson(before, after) ? [] : [{ op: 'replace', path, value: after }];
  const at = (key: string) => `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const operations: PatchOperation[] = [];
  for (const key of Object.keys(before))
    if (after[key] === undefined) operations.push({ op: 'remove', path: at(key) });
  for (const [key, value] of Object.entries(after)) {
    if (value === undefined) continue;
    if (before[key] === undefined) operations.push({ op: 'add', path: at(key), value });
    else operations.push(...diffJson(before[key], value, at(key)));
  }
  return operations;
}

/** Whether two values of JSON are the same, whatever the order of their fields. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((one, i) => isSameJson(one, b[i]))
    );
  if (!isMap(a) || !isMap(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => isSameJson(a[key], b[key]));
}
