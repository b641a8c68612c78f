import type { LeaseNotes } from '../kube/lease.ts';
import { entryKeys } from './instance-entry.ts';

/**
 * The Lease in the Primary of whoever registers the instances of a Remote. It is where they are written, so
 * that there is one writer whoever runs it, and an API server that is away takes neither the Lease nor the
 * entries alone.
 */
export function remoteLease(cluster: string): string {
  return `isthmus-registrar-${cluster}`;
}

/** Annotation: when the Remote was last heard of, as its registrar says, in RFC 3339. */
const heardKey = 'registrar.isthmus.dev/heard';

/** What a registrar tells in its Lease. `heardMs`: the wall time at which the Remote was last heard of. */
export function remoteNotes(cluster: string, heardMs: number | undefined): LeaseNotes {
  return {
    labels: { [entryKeys.cluster]: cluster },
    annotations: heardMs === undefined ? {} : { [heardKey]: new Date(heardMs).toISOString() },
  };
}
