import type { GroupView, MeshView } from '../index/view.ts';
import { type Evacuation, type EvacuationStatus, isFor, percentAt } from '../model/evacuation.ts';
import { evacuatedIdcs, evacuationsAt, type Leaving } from './evacuation.ts';
import { type GroupRoom, type KnownHealth, roomFor } from './evacuation-room.ts';

/** What an evacuation would do, as far as one IDC's registry knows. */
export interface EvacuationEffect {
  /** Hosts of Groups that would leave, by where the first of their requests would go. */
  readonly leave: readonly { readonly host: string; readonly to: string }[];
  /** Hosts that stay: `alone`: no DR group names another IDC; `last`: every other one is being evacuated. */
  readonly stay: readonly { readonly host: string; readonly why: 'alone' | 'last' }[];
  /** What the own IDC has for all of them, whichever IDC is left. */
  readonly room: readonly GroupRoom[];
}

/** All evacuations at a time, by name. */
export function evacuationStatuses(view: MeshView, wallMs: number): readonly EvacuationStatus[] {
  return [...view.evacuations.values()]
    .sort((a, b) => (a.meta.name < b.meta.name ? -1 : 1))
    .map(({ meta, spec }) => ({
      ...{ name: meta.name, idc: spec.idc, percentNow: percentAt(spec, wallMs), percent: spec.percent },
      groups: spec.groups,
      ...(spec.selector === undefined ? {} : { selector: spec.selector }),
      ...(spec.startsAt === undefined ? {} : { startsInMs: spec.startsAt - wallMs }),
      endsInMs: spec.expiresAt - wallMs,
      ...(spec.reason === undefined ? {} : { reason: spec.reason }),
      origin: meta.origin,
    }));
}

/** What an evacuation would do beside those in force, in place of one of its name. */
export function evacuationEffect(
  view: MeshView,
  { meta, spec }: Evacuation,
  own: string,
  wallMs: number,
  known: KnownHealth = {},
): EvacuationEffect {
  const evacuations = new Map([...view.evacuations].filter(([name]) => name !== meta.name));
  const others = evacuationsAt({ ...view, evacuations }, wallMs);
  const groups = [...view.groups.values()]
    .filter(({ host, entry }) => isFor(spec, host, entry.meta.labels))
    .sort((a, b) => (a.host < b.host ? -1 : 1));
  const hosts = groups.map((group) => ({ host: group.host, to: standIns(group, spec.idc, view, others) }));
  return {
    room: roomFor(groups, view, own, known),
    leave: hosts.flatMap(({ host, to: [first] }) =>
      first === undefined || first === '' ? [] : { host, to: first },
    ),
    stay: hosts.flatMap(({ host, to: [first] }) =>
      first === undefined ? { host, why: 'alone' } : first === '' ? { host, why: 'last' } : [],
    ),
  };
}

/** The IDCs that stand in for one, most preferred first; empty: none is named, ['']: all of them are left too. */
function standIns(
  group: GroupView,
  idc: string,
  { idcs }: MeshView,
  others: readonly Leaving[],
): readonly string[] {
  const named = (group.drGroup?.spec.idcs ?? []).filter(({ name }) => name !== idc && idcs.has(name));
  if (named.length === 0 || group.drGroup?.spec.hopLimit === 0) return [];
  const evacuated = evacuatedIdcs(group, others);
  const left = named.map(({ name }) => name).filter((name) => !evacuated.has(name));
  return left.length === 0 ? [''] : left;
}
