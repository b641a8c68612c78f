import { pushesMax } from '../../src/delivery/ledger.ts';
import { refusedLimits } from '../../src/delivery/refused-streams.ts';
import { disconnectedLimits } from '../../src/delivery/roster.ts';
import { departedLimits } from '../../src/registry/registrations/departed.ts';
import { removedKeysMax } from '../../src/registry/registrations/journal.ts';
import { readNamesMax } from '../../src/xds/state/name-sets.ts';
import { removedMax } from '../../src/xds/state/snapshot.ts';
import { unsettledMax, unsettledMs } from '../../src/xds/state/unsettled.ts';
import { type Column, figure, table } from '../support/table.ts';

/**
 * A table of a control plane that fills up, by its gauge: so many entries at most, each for so long at most.
 */
interface Filling {
  readonly what: string;
  readonly gauge: string;
  readonly most?: number;
  readonly ageMs?: number;
}

/** The tables that the soak fills, and that tell when the heap has reached its final size. */
const tables: readonly Filling[] = [
  { what: 'names of requests, for who says the same', gauge: 'xds_level readNames', most: readNamesMax },
  { what: 'pushes, for late ACKs', gauge: 'xds_level pushes', most: pushesMax },
  { what: 'removed resources, for who is behind', gauge: 'xds_level removedResources', most: removedMax },
  {
    ...{ what: 'proxies that are gone', gauge: 'xds_level goneNodes' },
    ...{ most: disconnectedLimits.nodesMax, ageMs: disconnectedLimits.keptMs },
  },
  {
    ...{ what: 'clients that were refused', gauge: 'xds_level refusedClients' },
    ...{ most: refusedLimits.most, ageMs: refusedLimits.keptMs },
  },
  {
    ...{ what: 'lives of instances that are gone', gauge: 'registrations_remembered gone' },
    ...{ most: departedLimits.most, ageMs: departedLimits.keptMs },
  },
  {
    ...{ what: 'changes for other control planes', gauge: 'registrations_remembered changes' },
    most: removedKeysMax,
  },
  {
    ...{ what: 'proxies that left unsettled', gauge: 'xds_level unsettled' },
    ...{ most: unsettledMax, ageMs: unsettledMs },
  },
  { what: 'changes of resources, for who is behind', gauge: 'xds_level changes' },
  { what: 'sets of names', gauge: 'xds_level nameSets' },
  { what: 'classes of nodes', gauge: 'xds_level classes' },
  { what: 'proxies that are expected back', gauge: 'xds_level awaitedNodes' },
  { what: 'bytes of answers', gauge: 'xds_level answerBytes' },
  { what: 'bytes that clients said', gauge: 'xds_level saidBytes' },
];

/** The gauges of a page of metrics that tell how much is kept, by `NAME OF`. */
export function readKept(page: string): ReadonlyMap<string, number> {
  const kept = new Map<string, number>();
  const line = /^isthmus_(xds_level|registrations_remembered)\{[^}]*of="(\w+)"[^}]*\} (\S+)/gm;
  for (const [, name, of, value] of page.matchAll(line)) kept.set(`${name} ${of}`, Number(value));
  return kept;
}

/** The entries of all tables at a time, in milliseconds from the start. */
export interface KeptAt {
  readonly atMs: number;
  readonly kept: ReadonlyMap<string, number>;
}

/**
 * When a table had as many entries as it may, or the oldest went by their age; undefined: it has no limit in
 * numbers or time.
 */
function fullAt({ gauge, most, ageMs }: Filling, looks: readonly KeptAt[]): number | undefined {
  if (most === undefined && ageMs === undefined) return undefined;
  const full = looks.find(({ kept }) => (kept.get(gauge) ?? 0) >= 0.95 * (most ?? Number.POSITIVE_INFINITY));
  return Math.min(full?.atMs ?? Number.POSITIVE_INFINITY, ageMs ?? Number.POSITIVE_INFINITY);
}

/**
 * From when on what a control plane keeps is as much as it keeps: when the last of the tables that become
 * full within `withinMs` was.
 * `stillFilling`: those that do not.
 */
export function fullTables(looks: readonly KeptAt[], withinMs: number) {
  const all = tables.map((one) => ({ one, at: fullAt(one, looks) ?? 0 }));
  const inTime = all.filter(({ at }) => at <= withinMs);
  return {
    atMs: Math.max(0, ...inTime.map(({ at }) => at)),
    stillFilling: all.filter((one) => !inTime.includes(one)).map(({ one }) => one.what),
  };
}

/** The tables, with how much they had in the middle and at the end, and when they were full. */
export function tellTables(looks: readonly KeptAt[]): string {
  const levelAt = (index: number, { gauge }: Filling) => looks[index]?.kept.get(gauge) ?? 0;
  const minutes = (ms: number | undefined) =>
    ms === undefined ? '' : Number.isFinite(ms) ? `${figure(ms / 60_000)} min` : 'not yet';
  const columns: readonly Column<Filling>[] = [
    ['what is kept', ({ what }) => what],
    ['half-way', (one) => figure(levelAt(Math.floor(looks.length / 2), one))],
    ['at the end', (one) => figure(levelAt(looks.length - 1, one))],
    ['at most', ({ most }) => (most === undefined ? '' : `${most}`)],
    ['for at most', ({ ageMs }) => minutes(ageMs)],
    ['full after', (one) => minutes(fullAt(one, looks))],
  ];
  return table(columns, tables);
}
