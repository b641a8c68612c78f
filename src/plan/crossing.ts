import { contentHash } from '../base/hash.ts';
import type { MeshView } from '../index/view.ts';
import { type DrChoice, type DrGroup, roundTripLimits } from '../model/idc.ts';
import { joinVisited, type LoopPrevention } from '../model/trail.ts';
import { crossingConnectMs, crossingSilenceMs } from './health/checks.ts';
import type { Crossing, CrossingIdc, Permit } from './types.ts';

/** Input of where a Group may cross to. */
interface CrossingOptions {
  readonly drGroup: DrGroup | undefined;
  readonly idcs: MeshView['idcs'];
  readonly localIdc: string;
  /** The mesh's hop limit; the DR group may lower it. */
  readonly hopLimit: number;
  /** Round trip to the furthest IDC, milliseconds. */
  readonly roundTripMs?: number | undefined;
  /** IDCs used only when no other can serve, because they are evacuated or hang. */
  readonly evacuated?: ReadonlySet<string>;
  readonly hung?: ReadonlySet<string>;
  /** 'off' in drills alone: no IDC is excluded, nor visited only once. */
  readonly loopPrevention: LoopPrevention;
}

/** Crossings by IDCs, DR group and the rest: Groups of a DR group have few different ones. */
const planned = new WeakMap<MeshView['idcs'], WeakMap<DrGroup, Map<string, Crossing | undefined>>>();

/**
 * Where requests to a Group may cross to from the local IDC; undefined: nowhere. That is so without a DR
 * group, with hop limit 0, and if the local gateways are not declared. IDCs of the DR group without declared
 * gateways are left out: the registry rejects such a DR group, but the Idc may be deleted later. Equal
 * questions get the same object.
 */
export function planCrossing(options: CrossingOptions): Crossing | undefined {
  const { drGroup, idcs, localIdc, loopPrevention, evacuated = none, hung = none } = options;
  if (drGroup === undefined || !idcs.has(localIdc)) return undefined;
  const byGroup = planned.get(idcs) ?? new WeakMap<DrGroup, Map<string, Crossing | undefined>>();
  planned.set(idcs, byGroup);
  const known = byGroup.get(drGroup) ?? new Map<string, Crossing | undefined>();
  byGroup.set(drGroup, known);
  const { hopLimit, roundTripMs = '' } = options;
  const lasts = [evacuated, hung].map((names) => [...names].sort().join());
  const key = [localIdc, hopLimit, roundTripMs, loopPrevention, ...lasts].join(' ');
  if (!known.has(key)) known.set(key, planNewCrossing(drGroup, options));
  return known.get(key);
}

const none: ReadonlySet<string> = new Set();

function planNewCrossing(drGroup: DrGroup, options: CrossingOptions): Crossing | undefined {
  const { idcs, localIdc, loopPrevention, evacuated = none, hung = none } = options;
  const hopLimit = Math.min(options.hopLimit, drGroup.spec.hopLimit);
  const targets = planTargets(drGroup, idcs, localIdc, new Set([...evacuated, ...hung]));
  if (hopLimit === 0 || targets.length === 0) return undefined;
  const { roundTripMs = roundTripLimits.msDefault } = options;
  const times = {
    connectTimeoutMs: crossingConnectMs(roundTripMs),
    silenceMs: crossingSilenceMs(roundTripMs),
  };
  const begun = joinVisited([localIdc]);
  if (loopPrevention === 'off')
    return {
      ...{ idcs: targets, ...times, permits: 'all', begun },
      handOnNamesMax: Number.POSITIVE_INFINITY,
    };
  const isMember = drGroup.spec.idcs.some(({ name }) => name === localIdc);
  // Permits do not depend on preference, so that routes stay the same.
  const others = planTargets(drGroup, idcs, localIdc, none).map(({ idc }) => idc);
  // A request may begin outside of the DR group and then enter it; the peer listener serves only members.
  const outside = isMember ? [...idcs.keys()].filter((idc) => idc !== localIdc && !others.includes(idc)) : [];
  const sets = visitedSets(others, isMember ? hopLimit : 1, outside);
  const permits = sets.flatMap((visited): Permit[] => {
    const to = others.filter((idc) => !visited.includes(idc));
    return to.length === 0 ? [] : [{ visited: joinVisited([localIdc, ...visited]), to }];
  });
  // Which IDCs hang is not in the names: it changes endpoints, and no routes.
  const declared = planTargets(drGroup, idcs, localIdc, evacuated);
  const away = sharedName(declared, times);
  // At the peer listener a request has made at least one crossing: its trail has two names.
  const namesMax = Math.min(hopLimit, others.length + (outside.length > 0 ? 1 : 0));
  if (!isMember || namesMax < 2) return { idcs: targets, ...times, permits, begun, away };
  const onward = sharedName(declared, { ...times, permits });
  return { idcs: targets, ...times, permits, begun, away, handOnNamesMax: namesMax, onward };
}

/** How many IDCs a name shows. */
const shownIdcs = 4;

/** The name of a cluster of Groups that cross alike: what it shows, and a hash of all that decides. */
function sharedName(declared: readonly CrossingIdc[], rest: object): string {
  const shown = declared.slice(0, shownIdcs).map(({ idc }) => idc);
  return `${shown.join(',')}/${contentHash(JSON.stringify([declared, rest])).slice(0, 12)}`;
}

/**
 * Number of IDCs that a request handed on may still be sent to, by the number of names in its trail: from 2
 * on.
 */
export function idcsLeftToTry(crossing: Crossing | undefined): readonly number[] {
  const { permits, handOnNamesMax = 0 } = crossing ?? {};
  if (permits === undefined || permits === 'all') return [];
  return Array.from({ length: Math.max(0, handOnNamesMax - 1) }, (_, i) =>
    Math.max(
      0,
      ...permits.filter(({ visited }) => visited.split(',').length === i + 2).map(({ to }) => to.length),
    ),
  );
}

/**
 * The other IDCs of a DR group, most preferred first. In order: one priority each. By weight: all with weight
 * share the first priority, and weight 0 comes after them. Those of `last` come after all.
 */
function planTargets(
  drGroup: DrGroup,
  idcs: MeshView['idcs'],
  localIdc: string,
  last: ReadonlySet<string>,
): readonly CrossingIdc[] {
  const all = drGroup.spec.idcs.filter(({ name }) => name !== localIdc && idcs.has(name));
  const first = inOrder(all.filter(({ name }) => !last.has(name)));
  const after = 1 + Math.max(-1, ...first.map(({ priority }) => priority));
  const rest = inOrder(all.filter(({ name }) => last.has(name)));
  return [...first, ...rest.map((target) => ({ ...target, priority: after + target.priority }))];
}

function inOrder(others: readonly DrChoice[]): readonly CrossingIdc[] {
  if (!others.some(({ weight }) => weight !== undefined)) {
    return others.map(({ name }, priority) => ({ idc: name, priority }));
  }
  const weighted = others.filter(({ weight = 0 }) => weight > 0);
  const rest = others.filter(({ weight = 0 }) => weight === 0);
  const first = weighted.length > 0 ? 1 : 0;
  return [
    ...weighted.map(({ name, weight = 1 }) => ({ idc: name, priority: 0, weight })),
    ...rest.map(({ name }, i) => ({ idc: name, priority: first + i })),
  ];
}

/**
 * All sets of other IDCs that a request may have visited when it may still make one of `hopLimit` crossings:
 * with k others it has made k. For n IDCs all in the DR group these are the sum over k < h of C(n−1, k). At
 * most one of `outside` is among them, the first: no request crosses to an IDC outside of the DR group.
 */
function visitedSets(
  others: readonly string[],
  hopLimit: number,
  outside: readonly string[],
): readonly (readonly string[])[] {
  const inside = Array.from({ length: hopLimit }, (_, size) => combinations(others, size));
  const begun = inside.slice(0, -1).flat();
  return [...inside.flat(), ...outside.flatMap((origin) => begun.map((set) => [origin, ...set]))];
}

function combinations(names: readonly string[], size: number): readonly (readonly string[])[] {
  if (size === 0) return [[]];
  return names.flatMap((name, i) =>
    combinations(names.slice(i + 1), size - 1).map((rest) => [name, ...rest]),
  );
}
