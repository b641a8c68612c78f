import type { GroupView, MeshView } from '../../index/view.ts';
import { type Evacuation, evacuates, nextChangeAt, percentAt } from '../../model/evacuation.ts';
import type { Crossing } from '../types.ts';

/** An evacuation in force. */
export interface ActiveEvacuation extends Pick<Evacuation['spec'], 'idc' | 'groups' | 'selector'> {
  /** Percentage that leaves now, 1 to 100. */
  readonly percent: number;
}

/** The evacuations in force at a time, in milliseconds since the Unix epoch. */
export function evacuationsAt({ evacuations }: MeshView, wallMs: number): readonly ActiveEvacuation[] {
  return [...evacuations.values()].flatMap(({ spec }): ActiveEvacuation[] => {
    const percent = percentAt(spec, wallMs);
    const { idc, groups, selector } = spec;
    return percent === 0 ? [] : [{ idc, groups, percent, ...(selector === undefined ? {} : { selector }) }];
  });
}

/** When the result of `evacuationsAt` may change next; undefined: only with the registry. */
export function evacuationsChangeAt({ evacuations }: MeshView, wallMs: number): number | undefined {
  const times = [...evacuations.values()].flatMap(({ spec }) => nextChangeAt(spec, wallMs) ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Whether all requests of all Groups leave an IDC that has an alternative. */
export function isFullyEvacuated(
  { idcs }: MeshView,
  evacuations: readonly ActiveEvacuation[],
  localIdc: string,
): boolean {
  const whole = new Set(
    evacuations
      .filter(
        ({ groups, selector, percent }) => percent === 100 && groups.length === 0 && selector === undefined,
      )
      .map(({ idc }) => idc),
  );
  return whole.has(localIdc) && [...idcs.keys()].some((idc) => !whole.has(idc));
}

/** The IDCs that a Group leaves, with percentages: of several evacuations of an IDC the highest counts. */
export function evacuatedIdcs(
  view: GroupView,
  evacuations: readonly ActiveEvacuation[],
): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const one of evacuations)
    if (evacuates(one, view.host, view.entry.meta.labels))
      found.set(one.idc, Math.max(one.percent, found.get(one.idc) ?? 0));
  return found;
}

/**
 * The percentage of its requests that an IDC keeps of a Group; undefined: all. If every other IDC is being
 * evacuated too, all stay: they would only change places.
 */
export function planLocalShare(
  localIdc: string,
  evacuated: ReadonlyMap<string, number>,
  crossing: Crossing | undefined,
): number | undefined {
  const percent = evacuated.get(localIdc);
  if (percent === undefined || crossing === undefined) return undefined;
  return crossing.idcs.every(({ idc }) => evacuated.has(idc)) ? undefined : 100 - percent;
}
