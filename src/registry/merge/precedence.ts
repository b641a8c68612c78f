import type { ObjectFinding } from '../../model/finding.ts';
import type { Change, MeshObject } from '../../model/object.ts';
import { refKey, refOf } from '../../model/object.ts';

/** An object of the source of this rank without effect: another source has one of its name, which counts. */
export interface Overruled {
  readonly rank: number;
  readonly finding: ObjectFinding;
}

/** The objects of one key by rank. */
type Holders = readonly (MeshObject | undefined)[];

/** Merges changes of several sources into one stream. */
interface Precedence {
  /** The changes that apply. `rank`: the source's; the lowest wins. */
  admit(rank: number, batch: readonly Change[]): readonly Change[];
  /** The rank of the source whose object of this key applies; undefined if none has it. */
  rankOf(key: string): number | undefined;
  /** Objects without effect, as another source has one of that name. */
  overruled(): readonly Overruled[];
}

/**
 * Creates it for sources by rank. Two sources may have an object of one kind, namespace and name: the one of
 * the lower rank applies, and the other one replaces it when it is deleted.
 */
export function createPrecedence(names: readonly string[]): Precedence {
  if (names.length < 2) return { admit: (_, batch) => batch, rankOf: () => 0, overruled: () => [] };
  // Lists, as there are very many, and few sources.
  const holders = new Map<string, Holders>();
  const contested = new Set<string>();
  const nobody: Holders = names.map(() => undefined);
  const winner = (by: Holders) => by.findIndex((one) => one !== undefined);

  function admitOne(rank: number, change: Change): Change | undefined {
    if (change.type === 'synced') return change;
    const key = change.type === 'upsert' ? refKey(refOf(change.object)) : refKey(change.ref);
    const before = holders.get(key) ?? nobody;
    const had = before[rank] !== undefined;
    const by = before.with(rank, change.type === 'upsert' ? change.object : undefined);
    const count = by.filter((one) => one !== undefined).length;
    if (count > 0) holders.set(key, by);
    else holders.delete(key);
    if (count > 1) contested.add(key);
    else contested.delete(key);
    if (change.type === 'upsert') return winner(by) === rank ? change : undefined;
    if (count === 0) return change;
    const next = winner(by);
    // The next one takes over only from an object that was in force.
    if (!had || next < rank) return undefined;
    return { type: 'upsert', object: by[next] as MeshObject, at: change.at };
  }

  return {
    admit: (rank, batch) =>
      batch.map((change) => admitOne(rank, change)).filter((change) => change !== undefined),
    rankOf(key) {
      const by = holders.get(key);
      return by && winner(by);
    },
    overruled: () =>
      [...contested].flatMap((key) => {
        const by = holders.get(key) ?? nobody;
        const first = winner(by);
        return by.flatMap((object, rank): Overruled[] => {
          if (object === undefined || rank === first) return [];
          const message = `the source ${names[first]} has an object of this name too, which applies (${by[first]?.meta.origin}); ${names[rank]}'s has no effect. Rename one.`;
          const finding: ObjectFinding = {
            ...{ code: 'OtherSourceCounts', severity: 'error', ref: refOf(object) },
            ...{ where: object.meta.origin, path: '', message },
          };
          return [{ rank, finding }];
        });
      }),
  };
}
