import {
  type GroupHealth,
  grpcServicePattern,
  type HealthSettings,
  healthLimits,
  healthPathPattern,
  parseStatuses,
} from '../health.ts';
import { durationMeant, parseDurationMs } from '../values/duration.ts';

type Writable = { -readonly [K in keyof HealthSettings]: HealthSettings[K] };
/** Reads a value into `settings`; returns the error, or undefined. */
type Reader = (value: string, settings: Writable) => string | undefined;

const readers: Readonly<Record<string, Reader>> = {
  'isthmus.dev/health-enabled': (value, settings) => {
    if (value !== 'true' && value !== 'false') return `'${value}' is neither 'true' nor 'false'.`;
    settings.enabled = value === 'true';
    return undefined;
  },
  'isthmus.dev/health-path': (value, settings) => {
    if (!healthPathPattern.test(value) || value.length > healthLimits.pathLengthMax) {
      return `'${value}' is not a path: give one like '/healthz', without spaces or '#'.`;
    }
    settings.path = value;
    return undefined;
  },
  'isthmus.dev/health-grpc': (value, settings) => {
    if (value !== 'true' && !grpcServicePattern.test(value)) {
      return `'${value}' is not a gRPC service: give 'true' for the whole server, or a name like 'shop.Checkout'.`;
    }
    settings.grpc = value === 'true' ? '' : value;
    return undefined;
  },
  'isthmus.dev/health-statuses': (value, settings) => {
    const statuses = parseStatuses(value.split(',').map((text) => text.trim()));
    if (typeof statuses === 'string') return statuses;
    settings.statuses = statuses;
    return undefined;
  },
  'isthmus.dev/health-interval': (value, settings) => {
    const ms = parseDurationMs(value);
    if (ms === undefined)
      return `'${value}' is not a duration: give one like '1.5s' or '250ms'.${durationMeant(value)}`;
    if (ms < healthLimits.intervalMsMin) {
      return `${value} is too short: give at least ${healthLimits.intervalMsMin}ms.`;
    }
    settings.intervalMs = ms;
    return undefined;
  },
  'isthmus.dev/health-port': (value, settings) => {
    const port = /^[0-9]{1,5}$/.test(value) ? Number(value) : 0;
    if (port < 1 || port > 65_535) return `'${value}' is not a port: give a number from 1 to 65535.`;
    settings.port = port;
    return undefined;
  },
};

/** The health annotations; each may end in `.PORT`, the name or number of a port. */
export const healthAnnotations: readonly string[] = Object.keys(readers);

/** An annotation's base key, and the port after its dot, if any. */
export function splitHealthKey(key: string): { readonly base: string; readonly port: string | undefined } {
  const dot = key.indexOf('.', 'isthmus.dev/'.length);
  return dot < 0 ? { base: key, port: undefined } : { base: key.slice(0, dot), port: key.slice(dot + 1) };
}

/** Collects health annotations. */
interface HealthReader {
  /** Reads one; undefined: valid, or not a health annotation. */
  take(key: string, value: string): string | undefined;
  /** The combined settings; undefined: none. */
  readonly health: GroupHealth | undefined;
}

export function createHealthReader(): HealthReader {
  const all: Writable = {};
  const ports = new Map<string, Writable>();
  let found = false;
  return {
    take(key, value) {
      const { base, port } = splitHealthKey(key);
      const read = Object.hasOwn(readers, base) ? readers[base] : undefined;
      if (read === undefined) return undefined;
      const settings = port === undefined ? all : (ports.get(port) ?? {});
      const fault = read(value, settings);
      if (fault !== undefined) return fault;
      found = true;
      if (port !== undefined) ports.set(port, settings);
      return undefined;
    },
    get health() {
      if (!found) return undefined;
      return ports.size === 0 ? all : { ...all, ports: Object.fromEntries(ports) };
    },
  };
}
