import { each, type Slices } from '../slices.ts';
import type { Unsettled } from '../state/unsettled.ts';
import { versionBytes } from './client-state-bytes.ts';
import type { Subscribed } from './subscribed.ts';
import { addToSend, isPending, resumeDelta, type Subscription } from './subscription.ts';

/**
 * The `initial_resource_versions` of each type, until they are compared: once the class has its resources.
 */
export class InitialVersions<M extends Subscribed<M>> {
  readonly #versions = new Map<M, ReadonlyMap<string, string>>();
  #bytes = 0;

  /** Estimated memory. */
  get bytes(): number {
    return this.#bytes;
  }

  isDue(): boolean {
    return this.#versions.size > 0;
  }

  *add(member: M, versions: ReadonlyMap<string, string>): Slices {
    this.#versions.set(member, versions);
    yield* each(versions, ([name, version]) => {
      this.#bytes += versionBytes(name, version);
    });
  }

  /** Compares all of them, for the node with this id; `resumed` is called for each type. */
  *run(unsettled: Unsettled, node: string, resumed: (sub: Subscription) => void): Slices {
    for (const [member, versions] of this.#versions) {
      yield* compareVersions(member, versions, unsettled, node);
      resumed(member.sub);
    }
    this.#versions.clear();
    this.#bytes = 0;
  }
}

/**
 * Diffs initial_resource_versions against the snapshot: what the client lacks, and what it has that was
 * removed.
 */
function* compareVersions<M>(
  { sub, snapshot, group }: Subscribed<M>,
  initialVersions: ReadonlyMap<string, string>,
  unsettled: Unsettled,
  node: string,
): Slices {
  // Changes from here on are sent as changes.
  const { changedAt } = group;
  const names = () => (group.wildcard ? snapshot.marks.keys() : sub.set.names);
  const current = (name: string) => snapshot.marks.get(name)?.resource?.version;
  const again = new Map([...sub.toSend].filter(([, why]) => why === 'again'));
  yield* resumeDelta(sub, initialVersions, names(), current);
  for (const [name, why] of again) addToSend(sub, name, why);
  if (unsettled.take(node, sub.rule.url))
    yield* each(names(), (name) => {
      if (current(name) !== undefined) addToSend(sub, name, 'again');
    });
  sub.revision = changedAt;
  if (!isPending(sub, group)) sub.confirmed = sub.revision;
}
