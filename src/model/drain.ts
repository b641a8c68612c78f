import type { Meta } from './meta.ts';

/**
 * An operator's order that an instance gets no new requests. It has the namespace and name of the
 * WorkloadEntry that it is about, wherever that comes from, and comes by the API alone. Times in milliseconds
 * since the Unix epoch.
 */
export interface Drain {
  readonly kind: 'Drain';
  readonly meta: Meta;
  readonly spec: {
    /** When it was asked for. */
    readonly since: number;
    /** When it ends by itself; absent: it lasts until somebody ends it. */
    readonly until?: number;
    readonly reason?: string;
    /** The operator, as the command says. */
    readonly by?: string;
  };
}

/** Limits of drains. */
export const drainLimits = {
  /** The most instances that are drained, or were within a day. */
  recordsMax: 2_000,
  /** The longest `--for`, in milliseconds. */
  lastsMsMax: 30 * 24 * 3_600_000,
  reasonMax: 500,
  byMax: 200,
} as const;

/** Identifies the drain of an instance: `NAMESPACE/NAME`. */
export function drainKey({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

/** A drain in the API's form; `isDeclared`: whether a WorkloadEntry has its name. */
export function shownDrain({ meta: { namespace, name }, spec }: Drain, isDeclared: boolean) {
  const { since, until, reason, by } = spec;
  return {
    ...{ namespace, name, since: new Date(since).toISOString() },
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
    ...(reason === undefined ? {} : { reason }),
    ...(by === undefined ? {} : { by }),
    isDeclared,
  };
}
