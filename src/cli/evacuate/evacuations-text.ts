import { isDeepStrictEqual } from 'node:util';
import { printable } from '../../base/text/safe-excerpt.ts';
import { textTable } from '../../base/text/text-table.ts';
import type { Answer } from '../../contract/contract.ts';
import { durationText } from '../../model/values/duration.ts';

type EvacuationList = Answer<'listEvacuations'>['body'];
type Item = EvacuationList['items'][number];

/** A control plane, and its evacuations. */
type PlaneList = EvacuationList & { readonly admin: string };

/** An evacuation, and the control planes that have it as it is here. */
interface HeldEvacuation extends Item {
  readonly at: readonly { readonly admin: string; readonly idc: string }[];
}

/** Evacuations by name: one for all control planes that have the same. */
export function heldBy(lists: readonly PlaneList[]): readonly HeldEvacuation[] {
  const held: HeldEvacuation[] = [];
  for (const { admin, idc, items } of lists)
    for (const item of items) {
      const i = held.findIndex((one) => isSame(one, item));
      const known = held[i];
      if (known === undefined) held.push({ ...item, at: [{ admin, idc }] });
      else held[i] = { ...known, at: [...known.at, { admin, idc }] };
    }
  return held.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** The same but for clocks, and for the file that it stands in. */
function isSame(a: Item, b: Item): boolean {
  const lasting = ({ name, idc, percent, percentNow, groups, selector }: Item) => [
    ...[name, idc, percent, percentNow],
    ...[groups, selector ?? {}],
  ];
  return isDeepStrictEqual(lasting(a), lasting(b));
}

/** Which control planes lack an evacuation that another one has, or have it otherwise: a line each. */
export function missingAt(held: readonly HeldEvacuation[], lists: readonly PlaneList[]): readonly string[] {
  return held.flatMap(({ name, at }) => {
    const without = lists.filter(({ admin }) => !at.some((one) => one.admin === admin));
    return without.map(({ admin, idc, items }) => {
      const other = items.find((one) => one.name === name);
      const what =
        other === undefined ? 'lacks it' : `has it with ${other.percentNow} % leaving ${other.idc}`;
      return printable(`! evacuation ${name}: the control plane of ${idc} at ${admin} ${what}`);
    });
  });
}

/** The list for people. */
export function evacuationsText(held: readonly HeldEvacuation[], width: 'table' | 'wide'): string {
  if (held.length === 0) return 'No evacuation is in force or planned.\n';
  const isWide = width === 'wide';
  const rows = held.map((one) => [
    ...[one.name, one.idc, `${one.percentNow} %`, `${one.percent} %`, groupsText(one), startText(one)],
    ...[durationText(one.endsInMs), [...new Set(one.at.map(({ idc }) => idc))].sort().join(', ')],
    ...(isWide ? [one.origin, one.at.map(({ admin }) => admin).join(', ')] : []),
    one.reason ?? '-',
  ]);
  const header = [
    ...['NAME', 'IDC', 'LEAVES', 'IN THE END', 'GROUPS', 'BEGINS IN', 'ENDS IN', 'KNOWN IN'],
    ...(isWide ? ['ORIGIN', 'CONTROL PLANES'] : []),
    'REASON',
  ];
  return textTable([header, ...rows])
    .map((line) => `${printable(line)}\n`)
    .join('');
}

function groupsText({ groups, selector = {} }: Item): string {
  const all = [...groups, ...Object.entries(selector).map(([label, value]) => `${label}=${value}`)];
  return all.length === 0 ? 'all' : all.join(',');
}

function startText({ startsInMs = 0 }: Item): string {
  return startsInMs > 0 ? durationText(startsInMs) : '-';
}
