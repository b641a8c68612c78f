import { compareText } from '../../base/text/compare-text.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import {
  beginsAt,
  type Evacuation,
  evacuates,
  evacuationLimits,
  stepsAfterEnd,
} from '../../model/evacuation.ts';
import type { DrGroup } from '../../model/idc.ts';
import type { ServiceEntry } from '../../model/service.ts';
import { isWildcard, patternCovers } from '../../model/values/hostname.ts';
import type { Lint } from '../lint.ts';

/** The context of evacuations. */
interface Around {
  readonly evacuations: readonly Evacuation[];
  readonly entries: readonly ServiceEntry[];
  readonly groups: readonly DrGroup[];
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number;
}

/**
 * Evacuations that are over, too long, too far in the future, with unreachable steps, too many, without
 * Groups, impossible, or contradictory.
 */
export function lintEvacuations(around: Around): Lint[] {
  const { evacuations, wallMs } = around;
  const live = evacuations.filter(({ spec }) => spec.expiresAt > wallMs);
  return [
    ...evacuations.flatMap((one) => lintTimes(one, wallMs)),
    ...live.flatMap((one) => [...lintNames(one, around), ...lintWays(one, live, around)]),
    ...lintPairs(live, around),
    ...lintCount(live),
  ];
}

function lintTimes(object: Evacuation, wallMs: number): Lint[] {
  const { spec } = object;
  const { startsAt, expiresAt } = spec;
  const { lastsMsMax, aheadMsMax } = evacuationLimits;
  const path = ['spec', 'expires'];
  if (expiresAt <= wallMs)
    return [
      {
        code: 'EvacuationOver',
        object,
        path,
        message: 'has passed: the evacuation is over. Remove the object.',
      },
    ];
  if (startsAt === undefined) {
    if (expiresAt - wallMs <= lastsMsMax) return [];
    const message = `is more than 72 hours away: it is not in force before ${timeText(beginsAt(spec))}. End it sooner, and renew it when it is needed.`;
    return [{ code: 'EvacuationTooLong', object, path, message }];
  }
  const late =
    'is more than 30 days away: correct it, or add the object when it is needed. The API refuses such a start.';
  const tooLate: Lint[] =
    startsAt - wallMs > aheadMsMax
      ? [{ code: 'EvacuationTooEarly', object, path: ['spec', 'starts'], message: late }]
      : [];
  const [first, ...more] = stepsAfterEnd(spec);
  if (first === undefined) return tooLate;
  const shares = [first, ...more].map(({ share }) => share).join(', ');
  const message = `${shares} % never leave: ${first.share} % would begin at ${timeText(first.at)}, and it is over at ${timeText(expiresAt)}. End it later, shorten \`stepSeconds\`, or leave out steps.`;
  const index = spec.steps.indexOf(first.share);
  return [
    ...tooLate,
    {
      code: 'EvacuationStepsInVain',
      object,
      path: ['spec', 'steps', ...(index < 0 ? [] : [index])],
      message,
    },
  ];
}

/** More than the API accepts. */
function lintCount(live: readonly Evacuation[]): Lint[] {
  const { standingMax } = evacuationLimits;
  const object = [...live].sort((a, b) => compareText(a.meta.name, b.meta.name))[standingMax];
  if (object === undefined) return [];
  const message = `there are ${live.length} evacuations, and more than ${standingMax} are considered a mistake: each costs with each change. Name several Groups in one, or use a selector.`;
  return [{ code: 'TooManyEvacuations', object, path: ['spec'], message }];
}

function timeText(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
}

/** Hosts and labels that no ServiceEntry has. */
function lintNames(object: Evacuation, { entries }: Around): Lint[] {
  const hosts = [...new Set(entries.flatMap(({ spec }) => spec.hosts))];
  const { groups, selector } = object.spec;
  const unknown = groups.filter((group) => !hosts.some((host) => patternCovers(group, host)));
  const named = unknown.map((group): Lint => {
    const hint = isWildcard(group) || hosts.length > 500 ? '' : didYouMean(group, hosts);
    const message = `no ServiceEntry declares ${group}: correct it, or add the ServiceEntry.${hint}`;
    return {
      code: 'UnknownHost',
      object,
      path: ['spec', 'groups', groups.indexOf(group)],
      message,
      lacks: ['ServiceEntry'],
    };
  });
  if (
    selector === undefined ||
    entries.some((entry) => evacuates({ groups: [], selector }, '', entry.meta.labels))
  )
    return named;
  const message =
    'no ServiceEntry has these labels in its metadata: correct them, or label the ServiceEntries.';
  return [
    ...named,
    {
      code: 'SelectsNothing',
      object,
      path: ['spec', 'selector', 'matchLabels'],
      message,
      lacks: ['ServiceEntry'],
    },
  ];
}

/** Hosts that stay, as no other IDC is left for them. */
function lintWays(object: Evacuation, live: readonly Evacuation[], around: Around): Lint[] {
  const { idc } = object.spec;
  const stay = { alone: [] as string[], noHops: [] as string[], last: [] as string[] };
  for (const { host, entry, drGroup } of hostsOf(object, around)) {
    const others = drGroup?.spec.idcs.filter(({ name }) => name !== idc) ?? [];
    const isLeft = ({ name }: { name: string }) =>
      live.some(
        (one) =>
          one.spec.idc === name && evacuates(one.spec, host, entry.meta.labels) && overlap(one, object),
      );
    if (others.length === 0) stay.alone.push(host);
    else if (drGroup?.spec.hopLimit === 0) stay.noHops.push(host);
    else if (others.every(isLeft)) stay.last.push(host);
  }
  const found = (hosts: readonly string[], why: string): Lint[] =>
    hosts.length === 0
      ? []
      : [
          {
            code: 'StaysInIdc',
            object,
            path: ['spec', 'idc'],
            message: `${listSome(hosts)} ${why}`,
            lacks: ['DrGroup'],
          },
        ];
  return [
    ...found(stay.alone, `will not leave ${idc}: no DrGroup names another IDC for them. Add one.`),
    ...found(stay.noHops, `will not leave ${idc}: with hopLimit 0 of their DrGroup no request may cross.`),
    ...found(
      stay.last,
      `will not leave ${idc}: every other IDC of their DR group is evacuated at the same time. End one of the two.`,
    ),
  ];
}

interface Host {
  readonly host: string;
  readonly entry: ServiceEntry;
  readonly drGroup: DrGroup | undefined;
}

function hostsOf({ spec }: Evacuation, { entries, groups }: Around): readonly Host[] {
  return entries.flatMap((entry) =>
    entry.spec.hosts
      .filter((host) => evacuates(spec, host, entry.meta.labels))
      .map((host) => ({ host, entry, drGroup: drGroupOf(host, entry, groups) })),
  );
}

function drGroupOf(host: string, entry: ServiceEntry, groups: readonly DrGroup[]): DrGroup | undefined {
  return (
    groups.find(({ spec }) => spec.hosts.some((pattern) => patternCovers(pattern, host))) ??
    groups.find(
      ({ spec: { selector } }) => selector && evacuates({ groups: [], selector }, host, entry.meta.labels),
    )
  );
}

/** Two evacuations of one IDC that cover one host at one time with different percentages. */
function lintPairs(live: readonly Evacuation[], around: Around): Lint[] {
  return live.flatMap((object, i): Lint[] => {
    const other = live
      .slice(0, i)
      .find(
        (one) =>
          one.spec.idc === object.spec.idc &&
          one.spec.percent !== object.spec.percent &&
          overlap(one, object) &&
          hostsOf(object, around).some(({ host, entry }) => evacuates(one.spec, host, entry.meta.labels)),
      );
    if (other === undefined) return [];
    const { percent } = other.spec;
    const message = `Evacuation ${other.meta.name} says ${percent} for the same IDC, Groups and time: the higher one applies. Remove one of the two.`;
    return [{ code: 'EvacuationConflict', object, path: ['spec', 'percent'], message }];
  });
}

function overlap({ spec: a }: Evacuation, { spec: b }: Evacuation): boolean {
  return (a.startsAt ?? 0) < b.expiresAt && (b.startsAt ?? 0) < a.expiresAt;
}

function listSome(hosts: readonly string[]): string {
  const named = hosts.slice(0, 5).join(', ');
  return hosts.length > 5 ? `${named} and ${hosts.length - 5} more` : named;
}
