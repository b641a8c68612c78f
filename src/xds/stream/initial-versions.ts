import type { StreamInfo } from '../events.ts';
import { clusterType, endpointType } from '../resource-types.ts';
import { each, type Slices } from '../slices.ts';
import type { Unsettled } from '../state/unsettled.ts';
import { versionBytes } from './client-state-bytes.ts';
import type { Subscribed } from './subscribed.ts';
import { addToSend, isPending, noneToSend, type Subscription } from './subscription.ts';

/**
 * How long removed clusters are kept after a Delta client's versions were compared, in milliseconds: until
 * its RDS request has come.
 */
export const graceMs = 1_000;

// So many are remembered of what a client did not report: a control plane that has just learned of thousands
// of resources keeps no list of them for each client.
const lackedMax = 1_000;

/** A stream, and whether it has requested a type. */
interface Requester {
  readonly info: Pick<StreamInfo, 'only'>;
  knows(typeUrl: string): boolean;
}

/** What a client reports of a type; `isWarming`: it may wait for resources although it reports them. */
interface Reported {
  readonly versions: ReadonlyMap<string, string>;
  readonly isWarming: boolean;
}

/**
 * The `initial_resource_versions` of each type, until they are compared: once the class has its resources.
 */
export class InitialVersions<M extends Subscribed<M>> {
  readonly #reported = new Map<M, Reported>();
  #bytes = 0;

  /** Estimated memory. */
  get bytes(): number {
    return this.#bytes;
  }

  isDue(): boolean {
    return this.#reported.size > 0;
  }

  /** Takes what a stream reports with its first request of a type. */
  *add(member: M, versions: ReadonlyMap<string, string>, stream: Requester): Slices {
    this.#reported.set(member, { versions, isWarming: mayWarm(member.sub.rule.url, stream) });
    yield* each(versions, ([name, version]) => {
      this.#bytes += versionBytes(name, version);
    });
  }

  /** Compares all of them, for the node with this id; `resumed` is called for each type. */
  *run(unsettled: Unsettled, node: string, resumed: (sub: Subscription) => void): Slices {
    for (const [member, reported] of this.#reported) {
      const { url } = member.sub.rule;
      const isUnsettled = unsettled.take(node, url) || reported.isWarming;
      yield* compareVersions(member, reported.versions, isUnsettled);
      resumed(member.sub);
    }
    this.#reported.clear();
    this.#bytes = 0;
  }
}

/**
 * Whether a client that reports endpoints may have a cluster that waits for them. Envoy requests no clusters
 * while one is warming, not even on a new stream; otherwise it requests them first.
 */
function mayWarm(typeUrl: string, stream: Requester): boolean {
  return typeUrl === endpointType && stream.info.only === undefined && !stream.knows(clusterType);
}

/**
 * Diffs initial_resource_versions against the snapshot: what the client lacks, and what it has that was
 * removed. If it is unsettled, it lacks everything.
 */
function* compareVersions<M>(
  { sub, snapshot, group }: Subscribed<M>,
  initialVersions: ReadonlyMap<string, string>,
  isUnsettled: boolean,
): Slices {
  // Changes from here on are sent as changes.
  const { changedAt } = group;
  const names = () => (group.wildcard ? snapshot.marks.keys() : sub.set.names);
  const current = (name: string) => snapshot.marks.resource(name)?.version;
  const again = new Map([...sub.toSend].filter(([, why]) => why === 'again'));
  yield* resumeDelta(sub, initialVersions, names(), current);
  for (const [name, why] of again) addToSend(sub, name, why);
  if (isUnsettled)
    yield* each(names(), (name) => {
      if (current(name) !== undefined) addToSend(sub, name, 'again');
    });
  sub.revision = changedAt;
  if (!isPending(sub, group)) sub.confirmed = sub.revision;
}

/**
 * Diffs what a reconnecting Delta client reports against the snapshot: only the difference is due. `current`
 * gives a name's version, or undefined; `visible`: names that the client would be sent.
 */
function* resumeDelta(
  sub: Subscription,
  initialVersions: ReadonlyMap<string, string>,
  visible: Iterable<string>,
  current: (name: string) => string | undefined,
): Slices {
  if (initialVersions.size === 0) return;
  sub.all = false;
  sub.answer = false;
  sub.toSend = noneToSend;
  const lacked = new Set<string>();
  yield* each(visible, (name) => {
    const version = current(name);
    const reported = initialVersions.get(name);
    if (version === undefined || version === reported) return;
    addToSend(sub, name, 'new');
    if (reported === undefined && lacked.size <= lackedMax) lacked.add(name);
  });
  if (lacked.size <= lackedMax) sub.lacked = lacked;
  const gone = new Set(sub.gone);
  yield* each(initialVersions.keys(), (name) => {
    if (current(name) === undefined) gone.add(name);
  });
  if (gone.size > 0) sub.gone = gone;
  // Subscribed, but on neither side: the client is told that it does not exist.
  yield* each(sub.set.names, (name) => {
    if (current(name) === undefined) addToSend(sub, name, 'new');
  });
}
