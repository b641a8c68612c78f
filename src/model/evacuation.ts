import type { Labels, Meta } from './meta.ts';
import { covers } from './values/hostname.ts';

/** isthmus.dev Evacuation: requests leave an IDC for a time. Times in milliseconds since the Unix epoch. */
export interface Evacuation {
  readonly kind: 'Evacuation';
  readonly meta: Meta;
  readonly spec: {
    /** The IDC that is left. */
    readonly idc: string;
    /** Groups by host, or by patterns such as `*.shop`; without a selector either: all Groups. */
    readonly groups: readonly string[];
    /** Groups by the labels of their ServiceEntry. */
    readonly selector?: Labels;
    /** Share of the IDC's own requests that leave it in the end, 1 to 100. */
    readonly percent: number;
    /** Absent: at once. */
    readonly startsAt?: number;
    readonly expiresAt: number;
    /** Shares on the way to `percent`, each for `stepMs` from `startsAt` on. */
    readonly steps: readonly number[];
    readonly stepMs: number;
    readonly reason?: string;
  };
}

/** An evacuation, whether it is in force or not. Times in milliseconds from now. */
export interface EvacuationStatus {
  readonly name: string;
  /** The IDC that is left. */
  readonly idc: string;
  /** The share that leaves now, and in the end, percent. */
  readonly percentNow: number;
  readonly percent: number;
  /** Empty, and no selector: all Groups. */
  readonly groups: readonly string[];
  readonly selector?: Labels;
  readonly startsInMs?: number;
  /** Not more than 0: it is over. */
  readonly endsInMs: number;
  readonly reason?: string;
  /** The file that it stands in, or that it came by the API. */
  readonly origin: string;
}

/** Bounds and defaults of an Evacuation. */
export const evacuationLimits = {
  /** The furthest that one may end after its start: what is forgotten must end. */
  lastsMsMax: 72 * 3_600_000,
  /** The furthest that a start may be ahead. */
  aheadMsMax: 30 * 24 * 3_600_000,
  /**
   * So far may clocks of control planes differ, and each still begins at once what another one was asked for.
   */
  clocksApartMs: 3_600_000,
  /** The most that may be in force or to come at once. */
  standingMax: 100,
  stepsMax: 20,
  stepSecondsMax: 86_400,
  stepSecondsDefault: 60,
  percentDefault: 100,
  groupsMax: 1_000,
  reasonMax: 500,
} as const;

type Spec = Evacuation['spec'];

/**
 * When it begins at the earliest: without a start of its own it is in force for the last of its time alone,
 * however far its end is.
 */
export function beginsAt({ startsAt, expiresAt }: Pick<Spec, 'startsAt' | 'expiresAt'>): number {
  return startsAt ?? expiresAt - evacuationLimits.lastsMsMax - evacuationLimits.clocksApartMs;
}

/** The shares of `steps`, with when each begins, that it never comes to: it is over before. */
export function stepsInVain({ percent, startsAt, expiresAt, steps, stepMs }: Spec) {
  if (startsAt === undefined || steps.length === 0) return [];
  return [...steps, ...(percent === steps.at(-1) ? [] : [percent])]
    .map((share, i) => ({ share, at: startsAt + i * stepMs }))
    .filter(({ at }) => at >= expiresAt);
}

/** The share that leaves at a time, percent; 0: it is not in force. */
export function percentAt(spec: Spec, wallMs: number): number {
  const { percent, startsAt, expiresAt, steps, stepMs } = spec;
  if (wallMs >= expiresAt || wallMs < beginsAt(spec)) return 0;
  const step = startsAt === undefined ? steps.length : Math.floor((wallMs - startsAt) / stepMs);
  return steps[step] ?? percent;
}

/** When `percentAt` may change next; undefined: never again. */
export function nextChangeAt(spec: Spec, wallMs: number): number | undefined {
  const { startsAt, expiresAt, steps, stepMs } = spec;
  const later = startsAt === undefined ? [] : steps.map((_, i) => startsAt + (i + 1) * stepMs);
  const ahead = [beginsAt(spec), ...later, expiresAt].filter((at) => at > wallMs && at <= expiresAt);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}

/** Whether an evacuation is for a Group, by its host and the labels of its ServiceEntry. */
export function isFor(
  { groups, selector }: Pick<Spec, 'groups' | 'selector'>,
  host: string,
  labels: Labels,
): boolean {
  if (groups.length === 0 && selector === undefined) return true;
  if (groups.some((pattern) => covers(pattern, host))) return true;
  return (
    selector !== undefined &&
    Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)
  );
}
