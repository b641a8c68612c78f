import type { Labels } from './meta.ts';

/** The order in which Groups get capacity that an IDC has for others. */
export const groupClasses = ['critical', 'default'] as const;
type GroupClass = (typeof groupClasses)[number];

/** The limit on a Group's requests from other IDCs. All optional; defaults in `plan/capacity.ts`. */
export interface GroupSpill {
  /** Requests that one instance serves concurrently without a queue. */
  readonly concurrentPerInstance?: number;
  /** The same, by IDC where it differs. */
  readonly concurrentByIdc?: Readonly<Record<string, number>>;
  /** The percentage that other IDCs may use. */
  readonly sharePercent?: number;
  readonly class?: GroupClass;
}

/** Limits shared by fields and annotations. */
export const capacityLimits = { concurrentMax: 1_000_000, shareMax: 100 } as const;

/** A share such as `30%`, a whole number from 1. Source text of a RegExp, for JSON Schemas too. */
export const sharePattern = /^(?:[1-9][0-9]?|100)%$/;

/** Percent of a share such as `30%`; undefined if malformed. */
export function parseSharePercent(text: string): number | undefined {
  return sharePattern.test(text) ? Number(text.slice(0, -1)) : undefined;
}

/** The error of a share. */
export const shareFault = "must be a share such as '30%', from 1% to 100%";

/** The error of a number of requests. */
export const concurrentFault = `must be a whole number of requests from 1 to ${capacityLimits.concurrentMax}`;

type Writable = { -readonly [K in keyof GroupSpill]: GroupSpill[K] };

/** Reads an annotation's value into `spill`; returns the error, or undefined. */
const readers: Readonly<Record<string, (value: string, spill: Writable) => string | undefined>> = {
  'isthmus.dev/concurrent-per-instance': (value, spill) => {
    const number = /^[0-9]{1,7}$/.test(value) ? Number(value) : 0;
    if (number < 1 || number > capacityLimits.concurrentMax) return `${concurrentFault}. It is '${value}'.`;
    spill.concurrentPerInstance = number;
    return undefined;
  },
  'isthmus.dev/spill-share': (value, spill) => {
    const percent = parseSharePercent(value);
    if (percent === undefined) return `${shareFault}. It is '${value}'.`;
    spill.sharePercent = percent;
    return undefined;
  },
  'isthmus.dev/class': (value, spill) => {
    const found = groupClasses.find((one) => one === value);
    if (found === undefined) return `'${value}' is not one of ${groupClasses.join(', ')}.`;
    spill.class = found;
    return undefined;
  },
};

/** The annotations for requests from other IDCs. */
export const spillAnnotations: readonly string[] = Object.keys(readers);

/** Parses them; invalid ones are left out, and returned as key and message. Undefined: none given. */
export function parseSpillAnnotations(annotations: Labels): {
  spill: GroupSpill | undefined;
  faults: { key: string; message: string }[];
} {
  const spill: Writable = {};
  const faults: { key: string; message: string }[] = [];
  for (const [key, read] of Object.entries(readers)) {
    const value = annotations[key];
    const message = value === undefined ? undefined : read(value, spill);
    if (message !== undefined) faults.push({ key, message });
  }
  return { spill: Object.keys(spill).length === 0 ? undefined : spill, faults };
}

/** A Group's limits: its ServiceEntry's override its DrGroup's, in every IDC. */
export function mergeSpill(
  drGroup: GroupSpill | undefined,
  entry: GroupSpill | undefined,
): GroupSpill | undefined {
  if (drGroup === undefined || entry === undefined) return entry ?? drGroup;
  const { concurrentByIdc, ...rest } = drGroup;
  const byIdc = entry.concurrentPerInstance === undefined && concurrentByIdc !== undefined;
  return { ...rest, ...(byIdc ? { concurrentByIdc } : {}), ...entry };
}
