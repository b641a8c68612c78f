import type { Cause } from '../cause.ts';
import type { EncodedResource } from '../codec/codec.ts';
import type { VersionSum } from '../codec/version-sum.ts';
import { each, finish, type Slices } from '../slices.ts';
import { type Mark, Marks } from './marks.ts';
import { changeBetween } from './name-layers.ts';
import type { NameSet } from './name-sets.ts';
import { type AnswerBytes, type Answered, ResponseCache } from './response-cache.ts';

/** A change in the log. */
interface LogEntry {
  readonly revision: number;
  readonly name: string;
  readonly cause: Cause;
  /** The version that it replaced; undefined if there was none. */
  readonly previousVersion: string | undefined;
}

/** All streams of a class and type with the same subscription. `M`: what the owner keeps for each stream. */
export interface Group<M> {
  readonly wildcard: boolean;
  readonly set: NameSet;
  readonly members: Set<M>;
  /** The last revision that changed a resource of this group. */
  changedAt: number;
  /** Exclusive or of the versions of all its resources. */
  version: VersionSum;
  /** Responses shared by members in the same state; emptied when the group changes. */
  readonly responses: ResponseCache<Answered>;
}

/** A group's changes after a revision; each name once. */
export interface Difference {
  readonly upserts: readonly (Mark & { readonly resource: EncodedResource })[];
  readonly removed: readonly Mark[];
  /** Causes of changes that a later change of the same name replaced. */
  readonly superseded: readonly Cause[];
}

/** Removed names that a snapshot keeps beyond the number of its resources. */
export const removedMax = 256;
// Long enough to contain the revision of any stream that is not stuck; for others all marks are scanned.
const logLengthMax = 1024;

/** The resources of one class and type, their changes, and the groups that subscribe to them. */
export class Snapshot<M> {
  readonly marks = new Marks();
  readonly groups = new Map<string, Group<M>>();
  #log: LogEntry[] = [];
  #sum: VersionSum = [0, 0];
  #live = 0;
  // The log has no changes up to this revision.
  #trimmedTo = 0;
  // Before this revision there was nothing.
  #openedAt = 0;
  readonly #answerBytes: AnswerBytes;

  /** `answerBytes` counts cached answers over all snapshots of a server. */
  constructor(answerBytes: AnswerBytes = { bytes: 0 }) {
    this.#answerBytes = answerBytes;
  }

  /** Number of resources. */
  get size(): number {
    return this.#live;
  }

  /**
   * Puts `resource` under `name`, or removes it. Returns false if that changes nothing. Groups that see the
   * name are updated, and passed to `touched`.
   */
  put(
    name: string,
    resource: EncodedResource | undefined,
    revision: number,
    cause: Cause,
    touched: (group: Group<M>) => void,
  ): boolean {
    const before = this.marks.get(name);
    if (isSame(before?.resource, resource)) return false;
    const last = resource ?? before?.last;
    if (last === undefined) return false;
    const written = resource ? revision : (before?.changedRevision ?? revision);
    this.marks.set(name, {
      revision,
      cause,
      addedRevision: before?.addedRevision ?? revision,
      changedRevision: written,
      resource,
      last,
    });
    this.#live += (resource ? 1 : 0) - (before?.resource ? 1 : 0);
    this.#log.push({ revision, name, cause, previousVersion: before?.resource?.version });
    this.#trimLog();
    this.#sum = mix(this.#sum, before?.resource, resource);
    for (const group of this.groups.values()) {
      if (!isSubscribedTo(group, name)) continue;
      group.version = mix(group.version, before?.resource, resource);
      group.changedAt = revision;
      group.responses.clear();
      touched(group);
    }
    return true;
  }

  /** The group of a subscription, created if new. `before`: the stream's previous group. */
  group(wildcard: boolean, set: NameSet, revision: number, before?: Group<M>): Group<M> {
    // A wildcard sees all resources, but a name that does not exist is reported only to streams that named
    // it.
    const key = `${wildcard ? '*' : ''}${set.key}`;
    const known = this.groups.get(key);
    if (known !== undefined) return known;
    const version = wildcard ? this.#sum : this.#versionOf(set, before);
    const made: Group<M> = {
      wildcard,
      set,
      members: new Set(),
      changedAt: revision,
      version,
      responses: new ResponseCache(this.#answerBytes),
    };
    this.groups.set(key, made);
    return made;
  }

  /**
   * The combined version of a set's resources: derived from the previous group if their difference is small.
   */
  #versionOf(set: NameSet, before: Group<M> | undefined): VersionSum {
    const change =
      before === undefined || before.wildcard ? undefined : changeBetween(before.set.names, set.names);
    let version: VersionSum = change === undefined || before === undefined ? [0, 0] : before.version;
    for (const name of change?.removed ?? []) version = mix(version, this.marks.resource(name), undefined);
    const added = change?.added ?? set.names;
    // Most names of a bulk subscription may not exist.
    const isMany = change === undefined && set.names.size > this.marks.size;
    for (const name of isMany ? this.marks.keys() : added) {
      const resource = !isMany || set.names.has(name) ? this.marks.resource(name) : undefined;
      if (resource !== undefined) version = mix(version, undefined, resource);
    }
    return version;
  }

  /** Removes a member from its group, and the group with its last member. */
  leave(group: Group<M>, member: M): void {
    group.members.delete(member);
    if (group.members.size > 0) return;
    group.responses.clear();
    this.groups.delete(`${group.wildcard ? '*' : ''}${group.set.key}`);
  }

  /** All resources of a group, in order of first appearance. */
  visible(group: Group<M>): EncodedResource[] {
    return finish(this.visibleInSlices(group));
  }

  /** As `visible`. A resource that changes meanwhile is in either state. */
  *visibleInSlices(group: Group<M>): Slices<EncodedResource[]> {
    if (group.wildcard) return [...this.marks.resources()];
    const out: EncodedResource[] = [];
    yield* each(group.set.names, (name) => {
      const resource = this.marks.resource(name);
      if (resource) out.push(resource);
    });
    return out;
  }

  /** A group's changes after `revision`, and their causes. */
  since(group: Group<M>, revision: number): Difference {
    const names = new Map<string, Mark>();
    const superseded: Cause[] = [];
    const take = (name: string) => {
      const mark = isSubscribedTo(group, name) ? this.marks.get(name) : undefined;
      if (mark === undefined || mark.revision <= revision || names.has(name)) return;
      // Added and removed after `revision`: a stream at that revision never knew it.
      if (mark.resource === undefined && mark.addedRevision > revision) superseded.push(mark.cause);
      else names.set(name, mark);
    };
    if (this.#trimmedTo <= revision) {
      let i = this.#log.length;
      while (i > 0 && (this.#log[i - 1] as LogEntry).revision > revision) i -= 1;
      for (const entry of this.#log.slice(i)) {
        take(entry.name);
        const mark = names.get(entry.name);
        if (mark !== undefined && mark.revision !== entry.revision) superseded.push(entry.cause);
      }
    } else for (const name of this.marks.keys()) take(name);
    const marks = [...names.values()];
    const isLive = (mark: Mark) => mark.resource !== undefined;
    const upserts = marks.filter(isLive) as (Mark & { resource: EncodedResource })[];
    return { upserts, removed: marks.filter((mark) => !isLive(mark)), superseded };
  }

  /**
   * The version of a name at `revision`; undefined for none, 'unknown' if the log does not go back that far.
   */
  versionAt(name: string, revision: number): string | undefined {
    if (revision < this.#openedAt) return undefined;
    if (revision < this.#trimmedTo) return 'unknown';
    const later = this.#log.find((entry) => entry.name === name && entry.revision > revision);
    return later === undefined ? this.marks.resource(name)?.version : later.previousVersion;
  }

  /** All that was put is what streams begin with: none has seen a change, and each is sent everything. */
  open(revision: number): void {
    this.#log = [];
    this.#trimmedTo = revision;
    this.#openedAt = revision;
  }

  #trimLog(): void {
    if (this.#log.length <= 2 * logLengthMax) return;
    const cut = this.#log.length - logLengthMax;
    this.#trimmedTo = this.#log[cut - 1]?.revision ?? this.#trimmedTo;
    this.#log = this.#log.slice(cut);
  }

  /** Forgets removed names that no stream can still have: those removed up to `revision`. */
  forget(revision: number): void {
    for (const [name, mark] of this.marks)
      if (mark.resource === undefined && mark.revision <= revision) this.marks.delete(name);
  }

  /** Changes in the log. */
  get logged(): number {
    return this.#log.length;
  }

  /** Removed names that are still remembered. */
  get removedCount(): number {
    return this.marks.size - this.#live;
  }
}

/** Totals of removed names and logged changes over some snapshots. */
export function levelsOf(snapshots: readonly Pick<Snapshot<unknown>, 'removedCount' | 'logged'>[]) {
  let [removedResources, changes] = [0, 0];
  for (const { removedCount, logged } of snapshots) {
    removedResources += removedCount;
    changes += logged;
  }
  return { removedResources, changes };
}

/** Whether a group sees a name. */
export function isSubscribedTo(group: Pick<Group<unknown>, 'wildcard' | 'set'>, name: string): boolean {
  return group.wildcard || group.set.names.has(name);
}

/** Whether both are of one version, or neither is there. */
function isSame(a: EncodedResource | undefined, b: EncodedResource | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.hasVersionOf(b);
}

/** Exclusive or is its own inverse: the same call adds and removes a version. */
function mix(
  sum: VersionSum,
  out: EncodedResource | undefined,
  into: EncodedResource | undefined,
): VersionSum {
  let [high, low] = sum;
  for (const resource of [out, into]) {
    if (resource === undefined) continue;
    high ^= resource.sum[0];
    low ^= resource.sum[1];
  }
  return [high, low];
}

/** Number of streams in some groups, each counted once. */
export function streamsOf(groups: readonly Group<{ readonly session: object }>[]): number {
  const [first] = groups;
  // A stream is at most once in a group.
  if (first === undefined || groups.length === 1) return first?.members.size ?? 0;
  return new Set(groups.flatMap((group) => Array.from(group.members, (member) => member.session))).size;
}
