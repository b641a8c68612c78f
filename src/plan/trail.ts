import type { MeshView } from '../index/view.ts';
import { guardedListeners, idcsMax, type LoopPrevention, type TrailPolicy } from '../model/trail.ts';

/**
 * The trail policies of an IDC, one for each guarded listener, compiled into the filters. A Group's part (DR
 * group, own hop limit) is in its routes, so this depends on IDCs alone. Beyond `idcsMax` the last IDCs by
 * name are unknown to the filter. `loopPrevention` 'off' is the negative control of drills: filters that
 * refuse nothing.
 */
export function planTrailPolicies(
  localIdc: string,
  idcs: MeshView['idcs'],
  hopLimit: number,
  loopPrevention: LoopPrevention = 'on',
): readonly TrailPolicy[] {
  const others = [...idcs.keys()].filter((idc) => idc !== localIdc).sort();
  const peers = others.slice(0, idcsMax - 1);
  const enforce = loopPrevention !== 'off';
  return guardedListeners.map((listener) => ({ idc: localIdc, peers, hopLimit, listener, enforce }));
}
