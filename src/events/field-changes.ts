import { cut, eventTextMax } from './cut.ts';

/** A field that differs. Values as JSON, cut; absent: not set. */
interface FieldChange {
  readonly path: string;
  readonly from?: string;
  readonly to?: string;
}

/** What differs between two versions of an object; `more`: fields beyond the limit, or objects too large. */
interface FieldChanges {
  readonly fields: readonly FieldChange[];
  readonly more: number;
}

/** Fields named of one object, and values looked at for it: an Idc may have thousands. */
export const fieldChangeLimits = { fields: 10, values: 1_000 } as const;

/** The names of fields that differ between two plain values, with both values. Bounded in time. */
export function fieldChanges(from: unknown, to: unknown): FieldChanges {
  const fields: FieldChange[] = [];
  let more = 0;
  let looks: number = fieldChangeLimits.values;

  function compare(path: string, a: unknown, b: unknown): void {
    if (Object.is(a, b)) return;
    looks -= 1;
    if (looks < 0) {
      more = Math.max(more, 1);
      return;
    }
    const isSame = isTree(a) && isTree(b) && Array.isArray(a) === Array.isArray(b);
    if (isSame || (isTree(a) && b === undefined) || (isTree(b) && a === undefined)) {
      compareEach(path, (a ?? {}) as Tree, (b ?? {}) as Tree);
      return;
    }
    if (fields.length >= fieldChangeLimits.fields) {
      more += 1;
      return;
    }
    fields.push({ path: cut(path), ...sideOf('from', a), ...sideOf('to', b) });
  }

  function compareEach(path: string, a: Tree, b: Tree): void {
    const isList = Array.isArray(a) || Array.isArray(b);
    for (const key in a) {
      if (looks < 0) return;
      if (Object.hasOwn(a, key)) compare(pathOf(path, key, isList), a[key], own(b, key));
    }
    for (const key in b) {
      if (looks < 0) return;
      if (Object.hasOwn(b, key) && !Object.hasOwn(a, key))
        compare(pathOf(path, key, isList), undefined, b[key]);
    }
  }

  compare('', from, to);
  return { fields, more };
}

type Tree = Readonly<Record<string, unknown>>;

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null;
}

function own(of: Tree, key: string): unknown {
  return Object.hasOwn(of, key) ? of[key] : undefined;
}

function pathOf(path: string, key: string, isList: boolean): string {
  if (isList) return `${path}[${key}]`;
  const name = /^[\w-]+$/.test(key) ? key : JSON.stringify(cut(key));
  return path === '' ? name : `${path}.${name}`;
}

function sideOf(side: 'from' | 'to', value: unknown): { readonly [Side in typeof side]?: string } {
  if (value === undefined) return {};
  const start = typeof value === 'string' ? cut(value, eventTextMax.value) : value;
  // Of a list or an object that became something else, or the other way, only that it is one.
  if (isTree(start)) return { [side]: Array.isArray(start) ? '[…]' : '{…}' };
  return { [side]: typeof start === 'bigint' ? String(start) : (JSON.stringify(start) ?? String(start)) };
}
