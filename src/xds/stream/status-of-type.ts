import type { Concern, NackStatus, StreamInfo, StreamStatus, TypeStatus } from '../events.ts';
import { type Group, isSubscribedTo, type Snapshot } from '../state/snapshot.ts';
import { type AddedRevisionOf, mayHaveOlder } from './refusal.ts';
import type { Subscribed } from './subscribed.ts';
import { isPending, type Subscription } from './subscription.ts';

/** Whether a subscription has ACKed what a concern names, as far as the stream sees it. */
export function hasAcked<M>(
  sub: Subscription,
  group: Group<M>,
  { revision, types, resources, lenient = false }: Concern,
): boolean {
  const { url } = sub.rule;
  if (types?.includes(url) === false || resources?.has(url) === false) return true;
  const names = resources?.get(url);
  const counts = (name: string) => (names === undefined ? !lenient : names.has(name));
  if (names === undefined ? !lenient && sub.rejected.size > 0 : hasAny(names, sub.rejected)) return false;
  for (const name of sub.inFlight?.released ?? []) if (counts(name)) return false;
  // Unknown revision: the client reported the resource when it connected.
  for (const [name, held] of sub.held) if (counts(name) && (held.revision ?? 0) <= revision) return false;
  const idle = sub.inFlight === undefined && sub.suspects.length === 0 && !isPending(sub, group);
  return idle || sub.confirmed >= Math.min(revision, group.changedAt);
}

/** The status of a stream, for `XdsServer.status`. */
export function streamStatusOf<M>({ info, openedAtMs, subscriptions }: StreamState<M>): StreamStatus {
  const types = subscriptions.map(({ sub, group, snapshot }) => typeStatusOf(sub, group, snapshot.marks));
  return { ...info, openedAtMs, types };
}

interface StreamState<M> {
  readonly info: StreamInfo;
  readonly openedAtMs: number;
  readonly subscriptions: readonly Subscribed<M>[];
}

/** The status of one type of a stream. */
function typeStatusOf<M>(
  sub: Subscription,
  group: Group<M>,
  marks: Pick<Snapshot<M>['marks'], 'get' | 'resource'>,
): TypeStatus {
  const addedRevision: AddedRevisionOf = (name) => marks.get(name)?.addedRevision;
  const exists = (name: string) => isSubscribedTo(group, name) && marks.resource(name) !== undefined;
  const last = [sub.acked, sub.nacked].filter((one) => one !== undefined);
  const due = sub.inFlight !== undefined || sub.held.size > 0 || isPending(sub, group);
  const never = last.length === 0 && sub.inFlight === undefined && sub.confirmed === 0;
  return {
    typeUrl: sub.rule.url,
    type: sub.rule.short,
    state: sub.nacked ? 'NACKED' : never ? 'NOT SENT' : due ? 'STALE' : 'SYNCED',
    version: sub.acked?.version,
    sinceMs: last.length === 0 ? undefined : Math.max(...last.map(({ at }) => at)),
    names: sub.wildcard ? undefined : sub.set.names.size,
    absent: absentOf(sub, exists),
    nack: sub.nacked && {
      version: sub.nacked.version,
      message: sub.nacked.message,
      ...refusedOf(sub, addedRevision),
    },
    sent: sub.inFlight && { version: sub.inFlight.response.version, atMs: sub.inFlight.sentAt },
  };
}

// For messages, and only if cheap: a status query asks for each stream.
const lookedAtMax = 200;
const absentMax = 20;

function absentOf({ set }: Subscription, exists: (name: string) => boolean): readonly string[] {
  if (set.names.size > lookedAtMax) return [];
  return [...set.names].filter((name) => !exists(name)).slice(0, absentMax);
}

// For messages; `differences` lists all.
const refusedMax = 20;

/** The names known to be refused, and when the first of them is offered again. */
function refusedOf(
  sub: Subscription,
  addedRevision: AddedRevisionOf,
): Pick<NackStatus, 'names' | 'lacking' | 'againAtMs'> {
  const { rejected } = sub;
  const known = [...rejected].filter(([, refusal]) => refusal.isCertain);
  const againAtMs =
    rejected.size === 0 ? undefined : Math.min(...Array.from(rejected.values(), ({ at }) => at));
  const names = known.slice(0, refusedMax).map(([name]) => name);
  return { names, lacking: names.filter((name) => !mayHaveOlder(sub, name, addedRevision)), againAtMs };
}

/** Whether any of the names is a key of the map; scans the shorter. */
function hasAny(names: ReadonlySet<string>, map: ReadonlyMap<string, unknown>): boolean {
  const [few, many] = names.size < map.size ? [names, map] : [map, names];
  for (const name of few.keys()) if (many.has(name)) return true;
  return false;
}
