import { sameContent } from '../../index/same-content.ts';
import type { Idc } from '../../model/idc.ts';
import type { HungGateway } from '../../plan/gateways.ts';
import type { Crossing, GroupPlan } from '../../plan/types.ts';
import { keepEqual } from '../changes.ts';
import { onwardCluster, sharedAwayCluster } from '../names.ts';
import { type BuiltResource, buildSharedCluster, type Pack, type SharedCluster } from '../resources.ts';

/** A cluster of Groups that cross alike, and how many of their ports use it. */
interface Use {
  readonly kind: SharedCluster;
  crossing: Crossing;
  ports: number;
}

const kinds: readonly SharedCluster[] = ['away', 'onward'];

/**
 * The clusters of egress gateways that Groups with equal crossings share, with their endpoints: for requests
 * that begin here, and for those that another IDC has handed on. Counts the Groups: the last one takes a
 * cluster with it.
 */
export class SharedClusters {
  readonly #pack: Pack;
  /** By name. */
  readonly #uses = new Map<string, Use>();
  /** Names by host, for each of its ports. */
  readonly #ofHost = new Map<string, readonly string[]>();
  #built: readonly BuiltResource[] = [];

  constructor(pack: Pack) {
    this.#pack = pack;
  }

  /** All of them, as built last. */
  resources(): readonly BuiltResource[] {
    return this.#built;
  }

  /** Applies plans by host (an empty list: the Group was removed); returns whether `build` is due. */
  update(groups: ReadonlyMap<string, readonly GroupPlan[]>): boolean {
    let isDue = false;
    for (const [host, plans] of groups) {
      const names: string[] = [];
      for (const { seenBy, crossing } of plans) {
        if (seenBy?.gateways === false || crossing === undefined) continue;
        for (const kind of kinds) {
          const name = sharedClusterOf(kind, crossing);
          if (name === undefined) continue;
          names.push(name);
          isDue = this.#add(name, kind, crossing) || isDue;
        }
      }
      for (const name of this.#ofHost.get(host) ?? []) isDue = this.#remove(name) || isDue;
      if (names.length === 0) this.#ofHost.delete(host);
      else this.#ofHost.set(host, names);
    }
    return isDue;
  }

  /** Builds them for these surroundings; unchanged ones stay the same objects. */
  build(idcs: ReadonlyMap<string, Idc>, hungGateways?: readonly HungGateway[]): readonly BuiltResource[] {
    const all = [...this.#uses].flatMap(([name, { kind, crossing }]) =>
      buildSharedCluster(kind, name, crossing, [idcs, hungGateways]),
    );
    this.#built = keepEqual(
      all.map((one) => this.#pack(one, true)),
      this.#built,
    );
    return this.#built;
  }

  #add(name: string, kind: SharedCluster, crossing: Crossing): boolean {
    const known = this.#uses.get(name);
    if (known === undefined) {
      this.#uses.set(name, { kind, crossing, ports: 1 });
      return true;
    }
    known.ports += 1;
    // Of equal names the order may differ: an IDC that hangs comes last.
    const isNew = !sameContent(known.crossing.idcs, crossing.idcs);
    if (isNew) known.crossing = crossing;
    return isNew;
  }

  #remove(name: string): boolean {
    const known = this.#uses.get(name);
    if (known === undefined) return false;
    known.ports -= 1;
    return known.ports === 0 && this.#uses.delete(name);
  }
}

/** The name of such a cluster; undefined: these crossings have none. */
function sharedClusterOf(kind: SharedCluster, { away, onward }: Crossing): string | undefined {
  if (kind === 'away') return away && sharedAwayCluster(away);
  return onward && onwardCluster(onward);
}
