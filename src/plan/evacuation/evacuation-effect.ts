import { compareText } from '../../base/text/compare-text.ts';
import type { GroupView, MeshView } from '../../index/view.ts';
import {
  beginsAt,
  type Evacuation,
  type EvacuationStatus,
  evacuates,
  percentAt,
} from '../../model/evacuation.ts';
import { instancesInUse } from '../naming.ts';
import { type ActiveEvacuation, evacuatedIdcs, evacuationsAt, isFullyEvacuated } from './evacuation.ts';
import { type GroupCapacity, groupCapacities, type KnownHealth } from './evacuation-capacity.ts';

/** The effect of an evacuation, by one IDC's registry. */
export interface EvacuationEffect {
  /** Hosts of Groups that would leave, by their first target IDC. */
  readonly leave: readonly { readonly host: string; readonly to: string }[];
  /** Hosts that would stay, and why. */
  readonly stay: readonly { readonly host: string; readonly why: StayReason }[];
  /** The local IDC's capacity for all of them, whichever IDC is evacuated. */
  readonly room: readonly GroupCapacity[];
}

/**
 * `alone`: no DR group names another IDC; `no-hops`: the hop limit of the DR group or of the mesh allows no
 * crossing; `last`: every other IDC is being evacuated.
 */
export type StayReason = 'alone' | 'no-hops' | 'last';

/** Input besides the registry. */
interface EffectContext extends KnownHealth {
  /** The local IDC. */
  readonly localIdc: string;
  /** The mesh's hop limit. */
  readonly hopLimit: number;
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number;
}

/** All evacuations at a time, by name. */
export function evacuationStatuses(view: MeshView, wallMs: number): readonly EvacuationStatus[] {
  return [...view.evacuations.values()]
    .sort((a, b) => compareText(a.meta.name, b.meta.name))
    .map(({ meta, spec }) => ({
      ...{ name: meta.name, idc: spec.idc, percentNow: percentAt(spec, wallMs), percent: spec.percent },
      groups: spec.groups,
      ...(spec.selector === undefined ? {} : { selector: spec.selector }),
      ...(spec.startsAt === undefined && beginsAt(spec) <= wallMs
        ? {}
        : { startsInMs: beginsAt(spec) - wallMs }),
      endsInMs: spec.expiresAt - wallMs,
      ...(spec.reason === undefined ? {} : { reason: spec.reason }),
      origin: meta.origin,
    }));
}

/** The effect of an evacuation added to those in force, replacing one of its name. */
export function evacuationEffect(
  view: MeshView,
  { meta, spec }: Evacuation,
  context: EffectContext,
): EvacuationEffect {
  const evacuations = new Map([...view.evacuations].filter(([name]) => name !== meta.name));
  const others = evacuationsAt({ ...view, evacuations }, context.wallMs);
  const groups = [...view.groups.values()]
    .filter(({ host, entry }) => evacuates(spec, host, entry.meta.labels))
    .sort((a, b) => compareText(a.host, b.host));
  const hosts = groups.map((group) => {
    return { host: group.host, ...destinationOf(group, spec.idc, view, others, context.hopLimit) };
  });
  return {
    room: groupCapacities(groups, view, context.localIdc, context),
    leave: hosts.flatMap(({ host, to }) => (to === undefined ? [] : { host, to })),
    stay: hosts.flatMap(({ host, why }) => (why === undefined ? [] : { host, why })),
  };
}

/**
 * Whether clients should use another IDC: all requests of all Groups leave this one. A Group that stays, and
 * has instances here, is served nowhere else.
 */
export function sendsAllAway(
  view: MeshView,
  leaving: readonly ActiveEvacuation[],
  localIdc: string,
  hopLimit: number,
): boolean {
  if (!isFullyEvacuated(view, leaving, localIdc)) return false;
  return [...view.groups.values()].every(
    (group) =>
      destinationOf(group, localIdc, view, leaving, hopLimit).to !== undefined ||
      instancesInUse(group, localIdc).length === 0,
  );
}

/** What the readiness path of the edge answers at a time; undefined: the IDC does not serve it. */
export function edgeReadiness(
  view: MeshView,
  localIdc: string,
  hopLimit: number,
  wallMs: number,
): boolean | undefined {
  if (!view.idcs.get(localIdc)?.spec.exposeReady) return undefined;
  return !sendsAllAway(view, evacuationsAt(view, wallMs), localIdc, hopLimit);
}

/** The first target IDC, or why there is none. */
function destinationOf(
  group: GroupView,
  idc: string,
  { idcs }: MeshView,
  others: readonly ActiveEvacuation[],
  hopLimit: number,
): { readonly to?: string; readonly why?: StayReason } {
  const { drGroup } = group;
  const named = (drGroup?.spec.idcs ?? []).filter(({ name }) => name !== idc && idcs.has(name));
  if (named.length === 0) return { why: 'alone' };
  if (Math.min(hopLimit, drGroup?.spec.hopLimit ?? 0) === 0) return { why: 'no-hops' };
  const evacuated = evacuatedIdcs(group, others);
  const to = named.find(({ name }) => !evacuated.has(name))?.name;
  return to === undefined ? { why: 'last' } : { to };
}
