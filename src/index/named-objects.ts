import type { MeshObject } from '../model/object.ts';
import { sameObject } from './same-content.ts';

/** Objects of a kind without namespaces, by name. */
interface NamedObjects<T extends MeshObject> {
  set(object: T): void;
  delete(name: string): void;
  get(name: string): T | undefined;
  values(): Iterable<T>;
  /** The names of objects changed since the last call. */
  takeChanged(): ReadonlySet<string>;
  /** As of the last `takeChanged`; a new map only after a change. */
  view(): ReadonlyMap<string, T>;
}

/** Creates an empty set of objects. */
export function createNamedObjects<T extends MeshObject>(): NamedObjects<T> {
  const objects = new Map<string, T>();
  const dirty = new Set<string>();
  let view: ReadonlyMap<string, T> = new Map();
  return {
    set(object) {
      objects.set(object.meta.name, object);
      dirty.add(object.meta.name);
    },
    delete(name) {
      objects.delete(name);
      dirty.add(name);
    },
    get: (name) => objects.get(name),
    values: () => objects.values(),
    takeChanged() {
      const changed = new Set([...dirty].filter((name) => !sameObject(view.get(name), objects.get(name))));
      dirty.clear();
      if (changed.size > 0) view = new Map(objects);
      return changed;
    },
    view: () => view,
  };
}
