import type { Idc } from '../model/idc.ts';
import type { HungGateway } from '../plan/gateways.ts';
import type { Crossing, GroupPlan } from '../plan/types.ts';
import { keepEqual } from './changes.ts';
import { type BuiltResource, buildOnward, type Pack } from './resources.ts';

/** A crossing that Groups have in common, and how many of their ports have it. */
interface Use {
  crossing: Crossing;
  ports: number;
}

/**
 * The clusters of egress gateways for requests that another IDC has handed on, with their endpoints: one for
 * all Groups with equal `Crossing.onward`. Counts the Groups: the last one takes the cluster with it.
 */
export class OnwardClusters {
  readonly #pack: Pack;
  readonly #uses = new Map<string, Use>();
  /** Names by host, one for each port. */
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
      const crossings = plans.flatMap(({ seenBy, crossing }) =>
        seenBy?.gateways === false || crossing?.onward === undefined ? [] : [crossing],
      );
      const before = this.#ofHost.get(host) ?? [];
      const now = crossings.map((one) => one.onward as string);
      for (const crossing of crossings) isDue = this.#add(crossing) || isDue;
      for (const name of before) isDue = this.#remove(name) || isDue;
      if (now.length === 0) this.#ofHost.delete(host);
      else this.#ofHost.set(host, now);
    }
    return isDue;
  }

  /** Builds them for these surroundings; unchanged ones stay the same objects. */
  build(idcs: ReadonlyMap<string, Idc>, hungGateways?: readonly HungGateway[]): readonly BuiltResource[] {
    const all = [...this.#uses.values()].flatMap(({ crossing }) => buildOnward(crossing, idcs, hungGateways));
    this.#built = keepEqual(
      all.map((one) => this.#pack(one, true)),
      this.#built,
    );
    return this.#built;
  }

  #add(crossing: Crossing): boolean {
    const name = crossing.onward as string;
    const known = this.#uses.get(name);
    if (known === undefined) {
      this.#uses.set(name, { crossing, ports: 1 });
      return true;
    }
    known.ports += 1;
    // Of equal names the order may differ: an IDC that hangs comes last.
    const isNew = known.crossing.idcs !== crossing.idcs;
    known.crossing = crossing;
    return isNew;
  }

  #remove(name: string): boolean {
    const known = this.#uses.get(name);
    if (known === undefined) return false;
    known.ports -= 1;
    return known.ports === 0 && this.#uses.delete(name);
  }
}
