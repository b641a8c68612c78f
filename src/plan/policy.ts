import type { MeshView } from '../index/view.ts';
import { guardedListeners, type TrailPolicy } from '../model/trail.ts';

/**
 * The trail policies of an IDC, one for each listener that is guarded; they are compiled into the filters.
 * What belongs to a Group (its DR group, its own hop limit) is in its routes, so this depends on IDCs alone.
 */
export function planPolicies(own: string, idcs: MeshView['idcs'], hopLimit: number): readonly TrailPolicy[] {
  const peers = [...idcs.keys()].filter((idc) => idc !== own).sort();
  return guardedListeners.map((listener) => ({ idc: own, peers, hopLimit, listener }));
}
