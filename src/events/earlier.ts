import type { PlaneEvent } from '../contract/events.ts';
import type { Journal } from './journal.ts';

type FailoverEvent = Extract<PlaneEvent, { readonly kind: 'failover' }>;

/** What an earlier control plane has left in the journal. */
export interface Earlier {
  /** How it ended; undefined: there was none. */
  readonly before: 'stopped' | 'died' | undefined;
  /** When it noted its last event, or was alive later than that. */
  readonly lastHeardAt: string | undefined;
  /** Failovers that it began and did not end, by Group. Times in milliseconds. */
  readonly failovers: ReadonlyMap<
    string,
    { readonly why: NonNullable<FailoverEvent['why']>; readonly forMs: number }
  >;
}

/** Reads it; `wallMs`: the time now. To be called before the first event of this control plane. */
export function earlierIn(journal: Pick<Journal, 'read' | 'aliveAt'>, wallMs: number): Earlier {
  const { events } = journal.read({ limit: Number.POSITIVE_INFINITY });
  const failovers = new Map<string, { why: NonNullable<FailoverEvent['why']>; forMs: number }>();
  let before: Earlier['before'];
  for (const event of events) {
    if (event.kind === 'controlplane') before = event.phase === 'stopping' ? 'stopped' : 'died';
    if (event.kind !== 'failover') continue;
    const { group, why = 'checks', phase } = event;
    if (phase === 'end') failovers.delete(group);
    else if (!failovers.has(group))
      failovers.set(group, { why, forMs: Math.max(0, wallMs - Date.parse(event.at)) });
  }
  const last = events.at(-1)?.at;
  const heardMs = Math.max(last === undefined ? 0 : Date.parse(last), journal.aliveAt() ?? 0);
  // A clock that was set back since, or a file that was copied.
  const isKnown = last !== undefined && heardMs <= wallMs;
  return { before, lastHeardAt: isKnown ? new Date(heardMs).toISOString() : last, failovers };
}
