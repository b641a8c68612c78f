import type { DrGroup } from '../model/idc.ts';
import type { Labels } from '../model/meta.ts';
import { type Ref, refKey, refOf } from '../model/object.ts';
import { isWildcard, patternsOf } from '../model/values/hostname.ts';
import { compareObjects, createPrecedenceIndex } from './precedence-index.ts';
import { sameContent } from './same-content.ts';
import { createLabelMatcher, type Selection } from './selector.ts';
import type { IndexWork } from './view.ts';

/** The effect of a changed DrGroup: hosts that it names, ServiceEntries that it selects. */
interface AffectedByDrGroups {
  readonly hosts: ReadonlySet<string>;
  readonly entries: ReadonlySet<string>;
}

/** DrGroups, and the Groups that they claim. */
interface DrGroups {
  set(group: DrGroup): void;
  delete(ref: Ref): void;
  get(ref: Ref): DrGroup | undefined;
  /** Sets the labels of the ServiceEntry `key`, by which DrGroups may select it. */
  setEntry(key: string, labels: Labels): void;
  deleteEntry(key: string): void;
  /**
   * The DrGroups that claim `host` of the ServiceEntry `key`, the winner first, by name. Those that name the
   * host precede those with a pattern for it, the longest first, and both precede all that select the entry,
   * whose exception they are: these are not claims then.
   */
  claims(host: string, key: string): readonly DrGroup[];
  /** The DrGroups that name `host`. */
  naming(host: string): readonly DrGroup[];
  /** What was affected since the last call. */
  takeAffected(): AffectedByDrGroups;
  all(): Iterable<DrGroup>;
}

/** Creates an empty set of DrGroups. */
export function createDrGroups(work: IndexWork): DrGroups {
  const byRef = new Map<string, { group: DrGroup; selection?: Selection<string, DrGroup> }>();
  const byHost = createPrecedenceIndex<DrGroup>(compareObjects);
  let patterns = 0;
  let touchedHosts = new Set<string>();
  let touchedEntries = new Set<string>();
  const matcher = createLabelMatcher<string, DrGroup>(work, (_, key) => touchedEntries.add(key));

  function touchAll(group: DrGroup, selection: Selection<string, DrGroup> | undefined): void {
    for (const host of group.spec.hosts) touchedHosts.add(host);
    for (const key of selection?.members.keys() ?? []) touchedEntries.add(key);
  }

  function remove(ref: Ref): void {
    const old = byRef.get(refKey(ref));
    if (old === undefined) return;
    touchAll(old.group, old.selection);
    byRef.delete(refKey(ref));
    for (const host of new Set(old.group.spec.hosts)) byHost.remove(host, old.group);
    patterns -= old.group.spec.hosts.filter(isWildcard).length;
    if (old.selection) matcher.detach(old.selection, old.group);
  }

  return {
    set(group) {
      if (sameContent(byRef.get(refKey(refOf(group)))?.group, group)) return;
      remove(refOf(group));
      for (const host of new Set(group.spec.hosts)) byHost.add(host, group);
      patterns += group.spec.hosts.filter(isWildcard).length;
      const selection = group.spec.selector && matcher.attach(group.spec.selector, group);
      byRef.set(refKey(refOf(group)), selection ? { group, selection } : { group });
      touchAll(group, selection);
    },
    delete: remove,
    get: (ref) => byRef.get(refKey(ref))?.group,
    setEntry: (key, labels) => matcher.setItem(key, labels, key),
    deleteEntry: (key) => matcher.deleteItem(key),
    claims(host, key) {
      for (const pattern of patterns > 0 ? patternsOf(host) : [host]) {
        const named = byHost.ranked(pattern);
        if (named.length > 0) return named;
      }
      return matcher
        .selectionsOf(key)
        .flatMap((selection) => [...selection.owners])
        .sort(compareObjects);
    },
    naming: (host) => byHost.ranked(host),
    takeAffected() {
      const touched = { hosts: touchedHosts, entries: touchedEntries };
      touchedHosts = new Set();
      touchedEntries = new Set();
      return touched;
    },
    *all() {
      for (const { group } of byRef.values()) yield group;
    },
  };
}
