import type { Labels } from '../model/object.ts';
import type { IndexWork } from './view.ts';

/** A selector and what it selects now. Equal selectors share one Selection, whoever owns them. */
export interface Selection<Item, Owner> {
  readonly selector: Labels;
  readonly owners: ReadonlySet<Owner>;
  /** The selected items by name. */
  readonly members: ReadonlyMap<string, Item>;
}

/** Which labelled items are selected by which selectors, kept up to date from both sides. */
export interface LabelMatcher<Item, Owner> {
  /** Adds or replaces an item. With equal labels nothing is matched again. */
  setItem(name: string, labels: Labels, item: Item): void;
  deleteItem(name: string): void;
  getItem(name: string): Item | undefined;
  /** Makes `owner` an owner of the Selection of `selector`. An empty selector selects everything. */
  attach(selector: Labels, owner: Owner): Selection<Item, Owner>;
  /** Ends an ownership; a Selection without owners is forgotten. */
  detach(selection: Selection<Item, Owner>, owner: Owner): void;
  /** The Selections that the item is in. */
  selectionsOf(name: string): readonly Selection<Item, Owner>[];
  /** Whether there is neither item nor selector. */
  isEmpty(): boolean;
}

interface Node<Item, Owner> {
  readonly key: string;
  readonly selector: Labels;
  readonly owners: Set<Owner>;
  readonly members: Map<string, Item>;
  /** The one pair under which items find this selector. */
  readonly home: string;
}

interface Labelled<Item, Owner> {
  readonly name: string;
  labels: Labels;
  item: Item;
  nodes: Node<Item, Owner>[];
}

/** Every item has this pair: the home of the empty selector. */
const anyPair = '';

/**
 * Creates a matcher. `onTouch` is called for each item that a Selection gained, lost or got a new version of.
 *
 * An item looks only at selectors whose home is one of its own pairs, and a selector only at items that have
 * its rarest pair. A selector's home is, of its pairs, the one that is home to the fewest: a pair that all
 * share (`env=prod`) gets another selector only where every other pair of it is home to as many.
 */
export function createLabelMatcher<Item, Owner>(
  work: IndexWork,
  onTouch: (selection: Selection<Item, Owner>, name: string) => void,
): LabelMatcher<Item, Owner> {
  type Own = Node<Item, Owner>;
  const items = new Map<string, Labelled<Item, Owner>>();
  const itemsByPair = new Map<string, Set<Labelled<Item, Owner>>>();
  const nodes = new Map<string, Own>();
  const nodesByHome = new Map<string, Set<Own>>();

  function matches(selector: Labels, labels: Labels): boolean {
    work.labelMatches++;
    for (const key in selector) if (labels[key] !== selector[key]) return false;
    return true;
  }

  function nodesFor(labels: Labels): Own[] {
    const found: Own[] = [];
    for (const pair of [anyPair, ...pairsOf(labels)]) {
      for (const node of nodesByHome.get(pair) ?? []) if (matches(node.selector, labels)) found.push(node);
    }
    return found;
  }

  /** The smallest set of items that can contain all that `selector` selects. */
  function candidates(selector: Labels): Iterable<Labelled<Item, Owner>> {
    let smallest: Set<Labelled<Item, Owner>> | undefined;
    for (const pair of pairsOf(selector)) {
      const having = itemsByPair.get(pair);
      if (having === undefined) return [];
      if (smallest === undefined || having.size < smallest.size) smallest = having;
    }
    return smallest ?? items.values();
  }

  function chooseHome(selector: Labels): string {
    const [first = anyPair, ...others] = pairsOf(selector);
    const load = (pair: string) => nodesByHome.get(pair)?.size ?? 0;
    return others.reduce((best, pair) => (load(pair) < load(best) ? pair : best), first);
  }

  function createNode(key: string, selector: Labels): Own {
    const node: Own = { key, selector, owners: new Set(), members: new Map(), home: chooseHome(selector) };
    nodes.set(key, node);
    addTo(nodesByHome, node.home, node);
    for (const labelled of candidates(selector)) {
      if (!matches(selector, labelled.labels)) continue;
      node.members.set(labelled.name, labelled.item);
      labelled.nodes.push(node);
      onTouch(node, labelled.name);
    }
    return node;
  }

  /** Takes the item from where `labelled.labels` put it to where `labels` do; undefined: nowhere. */
  function relabel(labelled: Labelled<Item, Owner>, labels: Labels | undefined): void {
    for (const pair of pairsOf(labelled.labels)) removeFrom(itemsByPair, pair, labelled);
    const before = labelled.nodes;
    labelled.nodes = [];
    if (labels !== undefined) {
      for (const pair of pairsOf(labels)) addTo(itemsByPair, pair, labelled);
      labelled.labels = labels;
      labelled.nodes = nodesFor(labels);
    }
    for (const node of before) {
      if (labelled.nodes.includes(node)) continue;
      node.members.delete(labelled.name);
      onTouch(node, labelled.name);
    }
  }

  return {
    setItem(name, labels, item) {
      let labelled = items.get(name);
      if (labelled === undefined) {
        labelled = { name, labels: {}, item, nodes: [] };
        items.set(name, labelled);
        relabel(labelled, labels);
      } else if (!sameLabels(labelled.labels, labels)) relabel(labelled, labels);
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
    },
    getItem: (name) => items.get(name)?.item,
    attach(selector, owner) {
      const key = JSON.stringify(pairsOf(selector).sort());
      const node = nodes.get(key) ?? createNode(key, selector);
      node.owners.add(owner);
      return node;
    },
    detach(selection, owner) {
      const node = selection as Own;
      node.owners.delete(owner);
      if (node.owners.size > 0) return;
      nodes.delete(node.key);
      removeFrom(nodesByHome, node.home, node);
      for (const name of node.members.keys()) {
        const labelled = items.get(name);
        if (labelled) labelled.nodes = labelled.nodes.filter((other) => other !== node);
      }
    },
    selectionsOf: (name) => items.get(name)?.nodes ?? [],
    isEmpty: () => items.size === 0 && nodes.size === 0,
  };
}

/** Each `key=value`, as a string that no other pair has, whatever the characters in it. */
function pairsOf(labels: Labels): string[] {
  const pairs: string[] = [];
  for (const key in labels) pairs.push(`${key.length}:${key}=${labels[key]}`);
  return pairs;
}

function sameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function addTo<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
