import type { GroupView, MeshView } from '../../index/view.ts';
import { type Evacuation, isFor, nextChangeAt, percentAt } from '../../model/evacuation.ts';
import type { Crossing } from '../types.ts';

/** An evacuation that is in force. */
export interface Leaving extends Pick<Evacuation['spec'], 'idc' | 'groups' | 'selector'> {
  /** Share that leaves now, 1 to 100. */
  readonly percent: number;
}

/** The evacuations in force at a time, in milliseconds since the Unix epoch. */
export function evacuationsAt({ evacuations }: MeshView, wallMs: number): readonly Leaving[] {
  return [...evacuations.values()].flatMap(({ spec }): Leaving[] => {
    const percent = percentAt(spec, wallMs);
    const { idc, groups, selector } = spec;
    return percent === 0 ? [] : [{ idc, groups, percent, ...(selector === undefined ? {} : { selector }) }];
  });
}

/** When `evacuationsAt` may give something else; undefined: not without a change of the registry. */
export function evacuationsChangeAt({ evacuations }: MeshView, wallMs: number): number | undefined {
  const times = [...evacuations.values()].flatMap(({ spec }) => nextChangeAt(spec, wallMs) ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Whether all requests of all Groups are told to leave an IDC, and there is another for them. */
export function isLeftWholly({ idcs }: MeshView, leaving: readonly Leaving[], own: string): boolean {
  const whole = new Set(
    leaving
      .filter(
        ({ groups, selector, percent }) => percent === 100 && groups.length === 0 && selector === undefined,
      )
      .map(({ idc }) => idc),
  );
  return whole.has(own) && [...idcs.keys()].some((idc) => !whole.has(idc));
}

/**
 * The IDCs that a Group leaves, with the share, percent: of several evacuations of one IDC the highest
 * counts.
 */
export function evacuatedIdcs(view: GroupView, leaving: readonly Leaving[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const one of leaving)
    if (isFor(one, view.host, view.entry.meta.labels))
      found.set(one.idc, Math.max(one.percent, found.get(one.idc) ?? 0));
  return found;
}

/**
 * The share of its requests that an IDC keeps of a Group, percent; undefined: all. Where every other IDC is
 * being evacuated too, nobody leaves: they would change places.
 */
export function planHomeShare(
  own: string,
  evacuated: ReadonlyMap<string, number>,
  crossing: Crossing | undefined,
): number | undefined {
  const percent = evacuated.get(own);
  if (percent === undefined || crossing === undefined) return undefined;
  return crossing.idcs.every(({ idc }) => evacuated.has(idc)) ? undefined : 100 - percent;
}
