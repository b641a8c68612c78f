import {
  capacityLimits,
  mergeSpill,
  parseSharePercent,
  parseSpillAnnotations,
  spillAnnotations,
} from '../capacity.ts';
import { mergeHealth } from '../health.ts';
import { type GroupTraffic, roundTripLimits } from '../idc.ts';
import type { Labels } from '../meta.ts';
import type { ServiceEntry } from '../service.ts';
import { durationMeant, parseDurationMs } from '../values/duration.ts';
import { parseSizeBytes } from '../values/size.ts';
import { createHealthReader, healthAnnotations, splitHealthKey } from './health-annotations.ts';

/** The prefix of Isthmus's annotations. */
export const annotationPrefix = 'isthmus.dev/';

/** An error of an annotation: its key, what is wrong, what to do. */
interface AnnotationFault {
  readonly key: string;
  readonly message: string;
}

/** Limits shared with DrGroup's `spec.traffic`. */
export const trafficLimits = {
  retriesMax: 3,
  /** They become one regular expression, whose size Envoy limits. */
  methodsMax: 16,
  /** Each hop buffers a request's body: what one Group sets, all of them hold. */
  retryBodyBytesMax: 64 * 2 ** 20,
} as const;

/** An HTTP method in capitals (methods are case-sensitive; `get` is not GET). */
export const methodPattern = /^[A-Z][A-Z-]{0,31}$/;

/** The error of hedging without a timeout of tries. */
export const hedgeWithoutTime = '0 leaves no time after which to hedge: give one, or remove the hedging.';

/** The error of a round trip between IDCs, in milliseconds; undefined: none. */
export function roundTripFault(text: string, ms: number | undefined): string | undefined {
  const { msMin, msMax } = roundTripLimits;
  if (ms !== undefined && ms >= msMin && ms <= msMax) return undefined;
  return `'${text}' is no round trip between IDCs: give ${msMin}ms to ${msMax}ms.`;
}

type Writable = { -readonly [K in keyof GroupTraffic]: GroupTraffic[K] };
/** Reads an annotation's value into `traffic`; returns the error, or undefined. */
type Reader = (value: string, traffic: Writable) => string | undefined;

const readers: Readonly<Record<string, Reader>> = {
  'isthmus.dev/timeout': duration('timeoutMs', 0),
  'isthmus.dev/idle-timeout': duration('idleTimeoutMs', 0),
  'isthmus.dev/per-try-timeout': duration('perTryTimeoutMs', 0),
  'isthmus.dev/retry-body-limit': (value, traffic) => {
    const bytes = parseSizeBytes(value);
    if (bytes === undefined) return `'${value}' is not a size: give one like '4Mi' or '65536'.`;
    if (bytes > trafficLimits.retryBodyBytesMax) return `${value} is too much: give at most 64Mi.`;
    traffic.retryBodyBytes = bytes;
    return undefined;
  },
  'isthmus.dev/retry-budget': (value, traffic) => {
    const [, number = '', share] = /^([0-9]{1,7})(?:,\s*(\S+))?$/.exec(value) ?? [];
    const sharePercent = share === undefined ? undefined : parseSharePercent(share);
    const requestsPerSecond = Number(number);
    const isRight = requestsPerSecond >= 1 && requestsPerSecond <= capacityLimits.concurrentMax;
    if (!isRight || (share !== undefined && sharePercent === undefined))
      return `'${value}' is not a budget: give the requests a second of one proxy, as '300', or with a share, as '300,20%'.`;
    traffic.retryBudget = { requestsPerSecond, ...(sharePercent === undefined ? {} : { sharePercent }) };
    return undefined;
  },
  'isthmus.dev/round-trip': (value, traffic) => {
    const ms = parseDurationMs(value);
    const message = roundTripFault(value, ms);
    if (message === undefined && ms !== undefined) traffic.roundTripMs = ms;
    return message;
  },
  'isthmus.dev/hedge': choice('hedge'),
  'isthmus.dev/sidecars': choice('sidecars'),
  'isthmus.dev/retries': (value, traffic) => {
    if (!/^[0-9]$/.test(value) || Number(value) > trafficLimits.retriesMax) {
      return `'${value}' is not a number of retries: give '0' to '${trafficLimits.retriesMax}'.`;
    }
    traffic.retries = Number(value);
    return undefined;
  },
  'isthmus.dev/idempotent-methods': (value, traffic) => {
    const methods = value
      .split(',')
      .map((method) => method.trim())
      .filter((method) => method !== '');
    const bad = methods.find((method) => !methodPattern.test(method));
    if (bad !== undefined)
      return `'${bad}' is not an HTTP method: give a list like 'GET,HEAD,PUT', in capitals.`;
    const unique = [...new Set(methods)];
    if (unique.length > trafficLimits.methodsMax)
      return `has too many methods: give up to ${trafficLimits.methodsMax}.`;
    traffic.idempotentMethods = unique;
    return undefined;
  },
};

/** The annotations that Isthmus reads from a ServiceEntry. */
export const trafficAnnotations: readonly string[] = [
  ...Object.keys(readers),
  ...spillAnnotations,
  ...healthAnnotations,
];

/** Whether an annotation is known; health annotations may end in a port's name or number. */
export function isTrafficAnnotation(key: string): boolean {
  return trafficAnnotations.includes(key) || healthAnnotations.includes(splitHealthKey(key).base);
}

/** What annotations say of traffic. */
interface TrafficAnnotations {
  readonly traffic: GroupTraffic;
  readonly faults: readonly AnnotationFault[];
}

/** What has been read, by the annotations of an object, which never change. */
const known = new WeakMap<Labels, TrafficAnnotations>();

/**
 * Reads the traffic settings out of annotations. What is faulty is left out of `traffic` and named in
 * `faults`; annotations that are not Isthmus's, or not known, are not looked at. Those of one object are read
 * once, when it is parsed: who asks later gets the same.
 */
export function parseTrafficAnnotations(annotations: Labels): TrafficAnnotations {
  const read = known.get(annotations) ?? readTrafficAnnotations(annotations);
  known.set(annotations, read);
  return read;
}

function readTrafficAnnotations(annotations: Labels): TrafficAnnotations {
  const traffic: Writable = {};
  const faults: AnnotationFault[] = [];
  for (const [key, read] of Object.entries(readers)) {
    const value = annotations[key];
    if (value === undefined) continue;
    const message = read(value, traffic);
    if (message !== undefined) faults.push({ key, message });
  }
  const bounds = parseSpillAnnotations(annotations);
  if (bounds.spill !== undefined) traffic.spill = bounds.spill;
  faults.push(...bounds.faults);
  const reader = createHealthReader();
  for (const [key, value] of Object.entries(annotations)) {
    const message = reader.take(key, value);
    if (message !== undefined) faults.push({ key, message });
  }
  if (reader.health !== undefined) traffic.health = reader.health;
  const { timeoutMs = 0, perTryTimeoutMs = 0 } = traffic;
  if (timeoutMs > 0 && perTryTimeoutMs > timeoutMs) {
    const message = 'is longer than isthmus.dev/timeout: one try would use up all the time. Shorten it.';
    faults.push({ key: 'isthmus.dev/per-try-timeout', message });
  }
  if (traffic.hedge && traffic.perTryTimeoutMs === 0) {
    faults.push({ key: 'isthmus.dev/per-try-timeout', message: hedgeWithoutTime });
  }
  return { traffic, faults };
}

const none: GroupTraffic = {};

/** The traffic settings of a ServiceEntry's annotations; they override its DrGroup's, field by field. */
export function trafficFromAnnotations(entry: ServiceEntry): GroupTraffic {
  for (const key in entry.meta.annotations) {
    if (key.startsWith(annotationPrefix)) return parseTrafficAnnotations(entry.meta.annotations).traffic;
  }
  return none;
}

/** A Group's settings: its ServiceEntry's override its DrGroup's. */
export function mergeTraffic(drGroup: GroupTraffic | undefined, entry: GroupTraffic): GroupTraffic {
  const health = mergeHealth(drGroup?.health, entry.health);
  const spill = mergeSpill(drGroup?.spill, entry.spill);
  return {
    ...drGroup,
    ...entry,
    ...(health === undefined ? {} : { health }),
    ...(spill === undefined ? {} : { spill }),
  };
}

function choice(field: 'hedge' | 'sidecars'): Reader {
  return (value, traffic) => {
    if (value !== 'true' && value !== 'false') return `'${value}' is not a choice: give 'true' or 'false'.`;
    traffic[field] = value === 'true';
    return undefined;
  };
}

type DurationField = 'timeoutMs' | 'idleTimeoutMs' | 'perTryTimeoutMs';

function duration(field: DurationField, msMin: number): Reader {
  return (value, traffic) => {
    const ms = parseDurationMs(value);
    if (ms === undefined)
      return `'${value}' is not a duration: give one like '1.5s' or '250ms'.${durationMeant(value)}`;
    if (ms < msMin) return `${value} is too short: give at least ${msMin}ms.`;
    traffic[field] = ms;
    return undefined;
  };
}
