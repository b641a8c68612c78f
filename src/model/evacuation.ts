import type { Labels, Meta } from './meta.ts';
import { patternCovers } from './values/hostname.ts';

/**
 * isthmus.dev Evacuation: requests leave an IDC for some time. Times in milliseconds since the Unix epoch.
 */
export interface Evacuation {
  readonly kind: 'Evacuation';
  readonly meta: Meta;
  readonly spec: {
    /** The evacuated IDC. */
    readonly idc: string;
    /** Groups by host, or by patterns such as `*.shop`; empty and without selector: all Groups. */
    readonly groups: readonly string[];
    /** Groups by the labels of their ServiceEntry. */
    readonly selector?: Labels;
    /** Final percentage of the IDC's own requests that leave it, 1 to 100. */
    readonly percent: number;
    /** Absent: at once. */
    readonly startsAt?: number;
    readonly expiresAt: number;
    /** Percentages before `percent`, each for `stepMs` from `startsAt` on. */
    readonly steps: readonly number[];
    readonly stepMs: number;
    readonly reason?: string;
  };
}

/** An evacuation with its state. Times in milliseconds from now. */
export interface EvacuationStatus {
  readonly name: string;
  /** The evacuated IDC. */
  readonly idc: string;
  /** The percentage that leaves now, and finally. */
  readonly percentNow: number;
  readonly percent: number;
  /** Empty, and no selector: all Groups. */
  readonly groups: readonly string[];
  readonly selector?: Labels;
  readonly startsInMs?: number;
  /** Zero or less: it is over. */
  readonly endsInMs: number;
  readonly reason?: string;
  /** Its file, or that it came by the API. */
  readonly origin: string;
}

/** Limits and defaults of an Evacuation. */
export const evacuationLimits = {
  /** The longest duration: a forgotten one must end. */
  lastsMsMax: 72 * 3_600_000,
  /** The furthest start in the future. */
  aheadMsMax: 30 * 24 * 3_600_000,
  /** Tolerated clock difference of control planes: a request to begin now begins at once on each. */
  clocksApartMs: 3_600_000,
  /** The most in force or scheduled at once. */
  standingMax: 100,
  stepsMax: 20,
  stepSecondsMax: 86_400,
  stepSecondsDefault: 60,
  percentDefault: 100,
  groupsMax: 1_000,
  reasonMax: 500,
} as const;

type Spec = Evacuation['spec'];

/** The earliest begin: without `startsAt` it is in force only for the maximal duration before its end. */
export function beginsAt({ startsAt, expiresAt }: Pick<Spec, 'startsAt' | 'expiresAt'>): number {
  return startsAt ?? expiresAt - evacuationLimits.lastsMsMax - evacuationLimits.clocksApartMs;
}

/** The `steps`, with their begin, that are never reached before the end. */
export function stepsAfterEnd({ percent, startsAt, expiresAt, steps, stepMs }: Spec) {
  if (startsAt === undefined || steps.length === 0) return [];
  return [...steps, ...(percent === steps.at(-1) ? [] : [percent])]
    .map((share, i) => ({ share, at: startsAt + i * stepMs }))
    .filter(({ at }) => at >= expiresAt);
}

/** The percentage that leaves at a time; 0: not in force. */
export function percentAt(spec: Spec, wallMs: number): number {
  const { percent, startsAt, expiresAt, steps, stepMs } = spec;
  if (wallMs >= expiresAt || wallMs < beginsAt(spec)) return 0;
  const step = startsAt === undefined ? steps.length : Math.floor((wallMs - startsAt) / stepMs);
  return steps[step] ?? percent;
}

/** When `percentAt` may change next; undefined: never. */
export function nextChangeAt(spec: Spec, wallMs: number): number | undefined {
  const { startsAt, expiresAt, steps, stepMs } = spec;
  const later = startsAt === undefined ? [] : steps.map((_, i) => startsAt + (i + 1) * stepMs);
  const ahead = [beginsAt(spec), ...later, expiresAt].filter((at) => at > wallMs && at <= expiresAt);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}

/** Whether an evacuation applies to a Group, by its host and the labels of its ServiceEntry. */
export function evacuates(
  { groups, selector }: Pick<Spec, 'groups' | 'selector'>,
  host: string,
  labels: Labels,
): boolean {
  if (groups.length === 0 && selector === undefined) return true;
  if (groups.some((pattern) => patternCovers(pattern, host))) return true;
  return (
    selector !== undefined &&
    Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)
  );
}
