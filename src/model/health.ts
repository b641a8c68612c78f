/** A range of HTTP statuses, inclusive. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** Health check settings; all optional, defaults in `plan/`. */
export interface HealthSettings {
  /** False: no checks. */
  readonly enabled?: boolean;
  /** The path of an HTTP GET. */
  readonly path?: string;
  /** The service for grpc.health.v1; '' is the whole server. */
  readonly grpc?: string;
  /** Statuses that mean healthy. */
  readonly statuses?: readonly StatusRange[];
  /** Milliseconds between two checks. */
  readonly intervalMs?: number;
  /** The instance's health check port, if not the service's. */
  readonly port?: number;
}

/** A Group's settings: for all its ports, and overrides by a port's name or number. */
export interface GroupHealth extends HealthSettings {
  readonly ports?: Readonly<Record<string, HealthSettings>>;
}

/** Limits of declared values. */
export const healthLimits = {
  intervalMsMin: 100,
  pathLengthMax: 1024,
  statusesMax: 16,
  /** A 5xx cannot be told from an intermediate proxy's local reply. */
  statusMin: 200,
  statusMax: 499,
} as const;

/** A path of a health check: absolute, visible ASCII, without fragment. */
export const healthPathPattern = /^\/[!-"$-~]*$/;

/** The full name of a gRPC service. */
export const grpcServicePattern = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;

/** A status, or a range: `204`, `200-299`. */
export const statusPattern = /^[1-9][0-9]{2}(?:-[1-9][0-9]{2})?$/;

/** Parses statuses; a string is the error. */
export function parseStatuses(texts: readonly string[]): readonly StatusRange[] | string {
  const { statusMin, statusMax, statusesMax } = healthLimits;
  if (texts.length === 0) return 'names no status: give one like 204, or a range like 200-299.';
  if (texts.length > statusesMax) return `has too many statuses: give up to ${statusesMax}.`;
  const ranges: StatusRange[] = [];
  for (const text of texts) {
    const [from = 0, to = from] = statusPattern.test(text) ? text.split('-').map(Number) : [];
    if (from === 0 || from > to)
      return `'${text}' is not a status: give one like 204, or a range like 200-299.`;
    if (from < statusMin || to > statusMax) {
      return `'${text}' is not from ${statusMin} to ${statusMax}: a 5xx may be a proxy's own answer when no instance is there.`;
    }
    ranges.push({ from, to });
  }
  return ranges;
}

/** Overrides `base` by `over`, field by field, for all ports and for each. */
export function mergeHealth(
  base: GroupHealth | undefined,
  over: GroupHealth | undefined,
): GroupHealth | undefined {
  if (base === undefined || over === undefined) return over ?? base;
  const ports = new Map(Object.entries(base.ports ?? {}));
  for (const [name, settings] of Object.entries(over.ports ?? {}))
    ports.set(name, { ...ports.get(name), ...settings });
  return { ...base, ...over, ...(ports.size === 0 ? {} : { ports: Object.fromEntries(ports) }) };
}

/** The overrides for a port: by its number, before by its name. */
export function healthOfPort(
  health: GroupHealth,
  port: { readonly name: string; readonly number: number },
): HealthSettings {
  const own = (key: string) => (Object.hasOwn(health.ports ?? {}, key) ? health.ports?.[key] : undefined);
  return { ...own(String(port.number)), ...own(port.name) };
}
