import type { MeshObject } from '../model/object.ts';

/** Whether two plain values have equal content, whatever the order of their keys. */
export function sameContent(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && sameList(a, b);
  }
  const fields = Object.entries(a);
  if (fields.length !== Object.keys(b).length) return false;
  return fields.every(([key, value]) => Object.hasOwn(b, key) && sameContent(value, Reflect.get(b, key)));
}

/** Whether two lists have equal content in the same order. */
export function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a === b || (a.length === b.length && a.every((item, i) => sameContent(item, b[i])));
}

/**
 * Whether two objects are equal except for their location: a line inserted at the top of a file moves all
 * objects below it, and must push none of them.
 */
export function sameObject(a: MeshObject | undefined, b: MeshObject | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return (
    a.kind === b.kind &&
    a.meta.namespace === b.meta.namespace &&
    a.meta.name === b.meta.name &&
    a.meta.createdMs === b.meta.createdMs &&
    sameContent(a.meta.labels, b.meta.labels) &&
    sameContent(a.meta.annotations, b.meta.annotations) &&
    sameContent(a.spec, b.spec)
  );
}
