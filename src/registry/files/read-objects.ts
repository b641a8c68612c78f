import { type MeshObject, refKey } from '../../model/object.ts';
import type { Fault } from '../parse/fault.ts';
import { parseObject } from '../parse/object.ts';
import { createObjectsInForce } from './objects-in-force.ts';

/** An object as data, as a file of the folder has it. */
interface WrittenObject {
  /** Names its place in messages; unique. */
  readonly origin: string;
  readonly raw: unknown;
}

/** Objects that were read together. */
interface ReadObjects {
  /** Those that come into force. */
  readonly objects: readonly MeshObject[];
  /** Faults of each object by itself, then those that show only beside the others. */
  readonly faults: readonly { readonly origin: string; readonly fault: Fault }[];
}

/** Reads objects as a folder with a file for each is read. Never throws. */
export function readObjects(written: readonly WrittenObject[]): ReadObjects {
  const inForce = createObjectsInForce();
  const own = written.flatMap(({ origin, raw }) => {
    const { ref, object, idcs, draft, faults } = parseObject(raw, origin);
    if (ref !== undefined) {
      const known = { ...(object && { object }), ...(idcs && { idcs }), ...(draft && { draft }) };
      inForce.setFile(origin, [{ key: refKey(ref), ref, origin, ...known }]);
    }
    return faults.map((fault) => ({ origin, fault }));
  });
  inForce.applyClaims([]);
  const beside = inForce.faults().map(({ file, fault }) => ({ origin: file, fault }));
  return { objects: [...inForce.objects()], faults: [...own, ...beside] };
}
