import type { Labels } from '../model/meta.ts';
import { createPairIndex, sameLabels } from './label-pair-index.ts';
import type { IndexWork } from './view.ts';

/** A selector and what it selects. Equal selectors share one Selection, whoever owns them. */
export interface Selection<Item, Owner> {
  readonly selector: Labels;
  readonly owners: ReadonlySet<Owner>;
  /** The selected items by name. */
  readonly members: ReadonlyMap<string, Item>;
}

/** Which labelled items are selected by which selectors, maintained incrementally from both sides. */
export interface LabelMatcher<Item, Owner> {
  /** Adds or replaces an item. With equal labels nothing is matched again. */
  setItem(name: string, labels: Labels, item: Item): void;
  deleteItem(name: string): void;
  getItem(name: string): Item | undefined;
  /** The names of all items. */
  names(): Iterable<string>;
  /** Adds an owner to the Selection of `selector`. An empty selector selects everything. */
  attach(selector: Labels, owner: Owner): Selection<Item, Owner>;
  /** Removes an owner; a Selection without owners is dropped. */
  detach(selection: Selection<Item, Owner>, owner: Owner): void;
  /** The Selections that contain the item. */
  selectionsOf(name: string): readonly Selection<Item, Owner>[];
  /** Whether there are neither items nor selectors. */
  isEmpty(): boolean;
}

interface Node<Item, Owner> {
  readonly key: string;
  readonly selector: Labels;
  readonly owners: Set<Owner>;
  readonly members: Map<string, Item>;
  /**
   * The key of the label pair under which items find this selector; undefined: it has no pairs and all find
   * it.
   */
  readonly indexPair: string | undefined;
}

interface Labelled<Item, Owner> {
  /** Its index in `slots`: sets of small numbers are small and fast. */
  readonly slot: number;
  readonly name: string;
  labels: Labels;
  item: Item;
  nodes: readonly Node<Item, Owner>[];
}

const noLabels: Labels = {};
const noNodes: readonly never[] = [];

/**
 * Creates a matcher. `onTouch` is called for each item that a Selection gained, lost or got a new version of.
 *
 * An item visits only selectors indexed under one of its own pairs, and a selector only items that have its
 * rarest pair. A selector is indexed under the one of its pairs with fewest selectors: a pair shared by all
 * (`env=prod`) gets another selector only if every other pair of it has as many.
 */
export function createLabelMatcher<Item, Owner>(
  work: IndexWork,
  onTouch: (selection: Selection<Item, Owner>, name: string) => void,
): LabelMatcher<Item, Owner> {
  type Own = Node<Item, Owner>;
  const items = new Map<string, Labelled<Item, Owner>>();
  const slots: (Labelled<Item, Owner> | undefined)[] = [];
  const freeSlots: number[] = [];
  const slotsByPair = createPairIndex<number>();
  const nodes = new Map<string, Own>();
  const nodesByPair = createPairIndex<Own>();
  const unindexed = new Set<Own>();

  function matches(selector: Labels, labels: Labels): boolean {
    work.labelMatches++;
    for (const key in selector) if (labels[key] !== selector[key]) return false;
    return true;
  }

  function nodesFor(labels: Labels): readonly Own[] {
    const found: Own[] = [...unindexed];
    work.labelMatches += unindexed.size;
    for (const key in labels) {
      for (const node of nodesByPair.get(key, labels[key] as string) ?? noNodes) {
        if (matches(node.selector, labels)) found.push(node);
      }
    }
    return found.length > 0 ? [...found] : noNodes;
  }

  /** The smallest set of items that contains all that `selector` selects. */
  function* candidates(selector: Labels): Generator<Labelled<Item, Owner>> {
    let smallest: ReadonlySet<number> | undefined;
    for (const key in selector) {
      const having = slotsByPair.get(key, selector[key] as string);
      if (having === undefined) return;
      if (smallest === undefined || having.size < smallest.size) smallest = having;
    }
    if (smallest === undefined) yield* items.values();
    else for (const slot of smallest) yield slots[slot] as Labelled<Item, Owner>;
  }

  function chooseIndexPair(selector: Labels): string | undefined {
    const load = (key: string) => nodesByPair.get(key, selector[key] as string)?.size ?? 0;
    let rarest: string | undefined;
    for (const key in selector) if (rarest === undefined || load(key) < load(rarest)) rarest = key;
    return rarest;
  }

  function createNode(key: string, selector: Labels): Own {
    const node: Own = {
      key,
      selector,
      owners: new Set(),
      members: new Map(),
      indexPair: chooseIndexPair(selector),
    };
    nodes.set(key, node);
    if (node.indexPair === undefined) unindexed.add(node);
    else nodesByPair.add(node.indexPair, selector[node.indexPair] as string, node);
    for (const labelled of candidates(selector)) {
      if (!matches(selector, labelled.labels)) continue;
      node.members.set(labelled.name, labelled.item);
      labelled.nodes = labelled.nodes.concat(node);
      onTouch(node, labelled.name);
    }
    return node;
  }

  function forgetNode(node: Own): void {
    nodes.delete(node.key);
    if (node.indexPair === undefined) unindexed.delete(node);
    else nodesByPair.remove(node.indexPair, node.selector[node.indexPair] as string, node);
    for (const name of node.members.keys()) {
      const labelled = items.get(name);
      if (labelled) labelled.nodes = labelled.nodes.filter((other) => other !== node);
    }
  }

  function createLabelled(name: string, item: Item): Labelled<Item, Owner> {
    const slot = freeSlots.pop() ?? slots.length;
    const labelled: Labelled<Item, Owner> = { slot, name, labels: noLabels, item, nodes: noNodes };
    slots[slot] = labelled;
    items.set(name, labelled);
    return labelled;
  }

  /** Moves the item from the indexes of `labelled.labels` to those of `labels`; undefined: none. */
  function relabel(labelled: Labelled<Item, Owner>, labels: Labels | undefined): void {
    const { slot, labels: old, nodes: before } = labelled;
    for (const key in old) slotsByPair.remove(key, old[key] as string, slot);
    for (const key in labels) slotsByPair.add(key, labels[key] as string, slot);
    labelled.labels = labels ?? noLabels;
    labelled.nodes = labels === undefined ? noNodes : nodesFor(labels);
    for (const node of before) {
      if (labelled.nodes.includes(node)) continue;
      node.members.delete(labelled.name);
      onTouch(node, labelled.name);
    }
  }

  return {
    setItem(name, labels, item) {
      const known = items.get(name);
      const labelled = known ?? createLabelled(name, item);
      if (known === undefined || !sameLabels(known.labels, labels)) relabel(labelled, labels);
      labelled.item = item;
      for (const node of labelled.nodes) {
        node.members.set(name, item);
        onTouch(node, name);
      }
    },
    deleteItem(name) {
      const labelled = items.get(name);
      if (labelled === undefined) return;
      relabel(labelled, undefined);
      items.delete(name);
      slots[labelled.slot] = undefined;
      freeSlots.push(labelled.slot);
    },
    names: () => items.keys(),
    getItem: (name) => items.get(name)?.item,
    attach(selector, owner) {
      const key = JSON.stringify(Object.entries(selector).sort());
      const node = nodes.get(key) ?? createNode(key, selector);
      node.owners.add(owner);
      return node;
    },
    detach(selection, owner) {
      const node = selection as Own;
      node.owners.delete(owner);
      if (node.owners.size === 0) forgetNode(node);
    },
    selectionsOf: (name) => items.get(name)?.nodes ?? noNodes,
    isEmpty: () => items.size === 0 && nodes.size === 0,
  };
}
