import { MeshError } from '../../base/error.ts';
import { peerOfHostPort } from '../../base/fair-slots.ts';
import type { Hub } from '../hub.ts';
import type { Session } from '../stream/session.ts';

// Freeing fewer names makes no difference.
const shedNamesMin = 1_000;
// A machine has one proxy or a few; a NAT address may have as many as there are in all.
const shedKindsMin = 4;
const manyKinds = 64;

// Names of as many bytes, kept for clients that may come, are room that was made.
const recentBytesMin = 2 ** 20;

/** Makes room in memory, as `XdsServer.shed` says. Whether there was something to end, or to forget. */
export function shed(hub: Hub, why: string, isUrgent: boolean): boolean {
  const forgotten = hub.sets.forgetRecent();
  const { sessions, words } = toEnd(hub, isUrgent);
  for (const { stream } of sessions) stream.refuse?.(new MeshError('exhausted', `${why}, and ${words}`));
  return sessions.length > 0 || forgotten >= recentBytesMin;
}

function toEnd(
  hub: Hub,
  isUrgent: boolean,
): { readonly sessions: readonly Session[]; readonly words: string } {
  const kind = kindToShed(hub.sessions(), isUrgent ? shedKindsMin : manyKinds);
  if (kind !== undefined) {
    const words = `this address has ${kind.kinds} node classes that no other has, the most of all`;
    return { sessions: kind.sessions, words };
  }
  const most = isUrgent ? heaviest(hub.sessions(), shedNamesMin) : undefined;
  if (most !== undefined)
    return {
      sessions: [most],
      words: 'this stream has the most names that no other stream subscribes to',
    };
  // What it asks for is not counted before it is done.
  const working = isUrgent ? [...hub.sessions()].find((session) => session.isAtWork) : undefined;
  return { sessions: working === undefined ? [] : [working], words: 'this stream asks for much' };
}

/** The session with most names that no other subscribes to, if at least `namesMin`. */
function heaviest(sessions: Iterable<Session>, namesMin: number): Session | undefined {
  let [most, found]: [number, Session | undefined] = [namesMin, undefined];
  for (const session of sessions) {
    const names = ownNames(session);
    if (names >= most) [most, found] = [names, session];
  }
  return found;
}

/** Number of subscribed names, each set divided by the streams that share it. */
function ownNames({ subscriptions }: Session): number {
  return subscriptions.reduce((sum, { sub, group }) => sum + sub.set.names.size / group.members.size, 0);
}

/** Streams of one node class, and how many classes only their address has. */
interface ShedKind {
  readonly kinds: number;
  readonly sessions: readonly Session[];
}

/**
 * The newest class of the address that alone has most classes, at least `kindsMin`. The resources of a class
 * go with its last stream; a machine has one proxy, or a few.
 */
function kindToShed(sessions: Iterable<Session>, kindsMin: number): ShedKind | undefined {
  const byClass = new Map<
    string,
    { readonly peer: string; isShared: boolean; readonly sessions: Session[] }
  >();
  for (const session of sessions) {
    const { nodeClass, peer } = session.info;
    const from = peerOfHostPort(peer.address);
    const known = byClass.get(nodeClass);
    if (known === undefined) byClass.set(nodeClass, { peer: from, isShared: false, sessions: [session] });
    else {
      known.isShared ||= known.peer !== from;
      known.sessions.push(session);
    }
  }
  const byPeer = new Map<string, Session[][]>();
  for (const { peer, isShared, sessions } of byClass.values())
    if (!isShared) byPeer.set(peer, [...(byPeer.get(peer) ?? []), sessions]);
  let most: Session[][] = [];
  for (const kinds of byPeer.values()) if (kinds.length > most.length) most = kinds;
  if (most.length < kindsMin) return undefined;
  const beganAt = (kind: Session[]) => Math.min(...kind.map(({ openedAtMs }) => openedAtMs));
  const newest = most.reduce((one, other) => (beganAt(other) > beganAt(one) ? other : one));
  return { kinds: most.length, sessions: newest };
}
