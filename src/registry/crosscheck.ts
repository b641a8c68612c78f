import type { MeshObject } from '../model/object.ts';
import { refKey, refOf } from '../model/object.ts';
import { createCatalog } from './catalog.ts';
import type { Entry } from './content.ts';
import { renderPath } from './fault.ts';
import { lintMesh } from './lint.ts';
import type { Problem } from './source.ts';

/**
 * What is wrong among objects that are each right in themselves. Pure. Errors: two objects of one name, a host
 * in two ServiceEntries or named by two DrGroups, a DrGroup with an IDC that no Idc defines; each rejects the
 * later object, in the order given. Warnings: what has no effect.
 */
export function crossCheck(objects: readonly MeshObject[]): Problem[] {
  const catalog = createCatalog();
  const entries = objects.map((object): Entry => {
    const ref = refOf(object);
    return { key: refKey(ref), ref, origin: object.meta.origin, object };
  });
  catalog.setFile('', entries);
  catalog.settle([]);
  const errors = catalog.faults().map(({ entry, fault }): Problem => {
    return {
      severity: fault.severity,
      where: entry.origin,
      path: renderPath(fault.path),
      message: fault.message,
    };
  });
  const warnings = lintMesh(catalog.objects()).map(({ object, path, message }): Problem => {
    return { severity: 'warning', where: object.meta.origin, path: renderPath(path), message };
  });
  return [...errors, ...warnings];
}
