import type { LeaseNotes } from '../kube/lease.ts';
import type { KubeObject } from '../kube/watch/watch-events.ts';
import { entryKeys } from './instance-entry.ts';

/**
 * The Lease in the Primary of whoever registers the instances of a Remote. It is where they are written, so
 * that there is one writer whoever runs it, and an API server that is away takes neither the Lease nor the
 * entries alone.
 */
export function remoteLease(cluster: string): string {
  return `isthmus-registrar-${cluster}`;
}

/** Annotations of the Lease. */
const leaseKeys = {
  /** When the Remote was last heard of, as its registrar says, in RFC 3339. */
  heard: 'registrar.isthmus.dev/heard',
  /** How the Remote is registered. */
  by: 'registrar.isthmus.dev/by',
} as const;

/** How a Remote is registered: by a program in it, by a Secret of the Primary, or not any more. */
export type RegisteredBy = 'registrar' | 'secret' | 'nobody';

/** What a registrar tells in its Lease. `heardMs`: the wall time at which the Remote was last heard of. */
export function remoteNotes(cluster: string, by: RegisteredBy, heardMs: number | undefined): LeaseNotes {
  return {
    labels: { [entryKeys.cluster]: cluster },
    annotations: {
      [leaseKeys.by]: by,
      ...(heardMs !== undefined && { [leaseKeys.heard]: new Date(heardMs).toISOString() }),
    },
  };
}

/** What the Lease of a Remote says. */
export interface RemoteNews {
  readonly cluster: string;
  readonly by: RegisteredBy;
  /** RFC 3339; '' if it was never heard of. */
  readonly heard: string;
}

/** Reads a Lease; undefined: it is not of a Remote. */
export function readRemoteNews({ metadata }: KubeObject): RemoteNews | undefined {
  const { labels = {}, annotations = {} } = metadata ?? {};
  const cluster = labels[entryKeys.cluster];
  const by = annotations[leaseKeys.by];
  if (cluster === undefined || (by !== 'registrar' && by !== 'secret' && by !== 'nobody')) return undefined;
  return { cluster, by, heard: annotations[leaseKeys.heard] ?? '' };
}
