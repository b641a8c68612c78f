import type { KubeObject } from '../../kube/watch/watch-events.ts';
import { type Ref, refKey } from '../../model/object.ts';
import type { ObjectEntry } from '../files/documents.ts';
import type { ObjectsInForce } from '../files/objects-in-force.ts';
import type { Fault } from '../parse/fault.ts';
import { parseObject } from '../parse/object.ts';
import { type ReadStatus, readStatus } from './accepted-condition.ts';
import { type FinalizedObject, leavingObject } from './finalizer.ts';
import type { FollowedKind } from './followed-kinds.ts';
import { type GatedEntry, gatedEntry } from './gated-entries.ts';

/** An object with something to report. */
interface FaultyObject {
  readonly entry: ObjectEntry;
  readonly faults: readonly Fault[];
}

/** The version of an object that was read last. */
interface ReadVersion {
  readonly uid: string | undefined;
  readonly version: string | undefined;
  readonly ref: Ref;
  /** Of kinds with conditions. */
  readonly status: ReadStatus | undefined;
  /** The list that it was last seen in, or after. */
  list: number;
}

/** Kubectl keeps the whole object in it. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The objects of a kind: what the API server has, and what stays although it has it no more, as the kind
 * itself has gone. Each object is a file of its own to `inForce`.
 */
export class KindStore {
  readonly kind: FollowedKind;
  readonly #inForce: ObjectsInForce;
  readonly #read = new Map<string, ReadVersion>();
  readonly #faulty = new Map<string, FaultyObject>();
  /** Deletions that the server told of, not applied yet. */
  #deleted = new Set<string>();
  /** Deleted objects that the finalizer keeps in the API. */
  readonly #leaving = new Map<string, FinalizedObject>();
  /** Those of them that were never in force here, as they were deleted before this process read them. */
  readonly #strangers = new Set<string>();
  /** Instances in force that Pods wait for. */
  readonly #gated = new Map<string, GatedEntry>();
  /** Objects that went with their kind: they stay. */
  readonly #orphans = new Set<string>();
  readonly #isSelected: (namespace: string) => boolean;
  /** Namespaces of which objects were passed over since the last list has begun. */
  readonly #passedOver = new Set<string>();
  #list = 0;
  /** Whether the kind was gone, so that what a list lacks did not go by itself. */
  #wasGone = false;
  /** Whether an object's status was changed, by whomever. */
  hasNewStatus = false;
  /** Whether what is to be reported has changed. */
  isReportDue = false;

  /** `isSelected`: whether objects of a namespace count; of others nothing is kept. */
  constructor(
    kind: FollowedKind,
    inForce: ObjectsInForce,
    isSelected: (namespace: string) => boolean = () => true,
  ) {
    this.kind = kind;
    this.#inForce = inForce;
    this.#isSelected = isSelected;
  }

  get faulty(): Iterable<FaultyObject> {
    return this.#faulty.values();
  }

  /** The number of objects that stay although their kind has gone. */
  get orphans(): number {
    return this.#orphans.size;
  }

  /** Whether deletions wait for `applyDeletions` or `keepDeleted`. */
  get hasDeletions(): boolean {
    return this.#deleted.size > 0;
  }

  /** A list of all objects begins. */
  beginList(): void {
    this.#list += 1;
    this.#passedOver.clear();
  }

  /** Whether objects were passed over of namespaces that are selected now: only a list has them. */
  get lacksSelected(): boolean {
    return [...this.#passedOver].some(this.#isSelected);
  }

  /** Objects of these namespaces do not count any more: they go as deleted ones do, but are not released. */
  deselect(namespaces: ReadonlySet<string>): void {
    if (namespaces.size === 0 || !this.kind.isNamespaced) return;
    for (const [key, { ref }] of [...this.#read]) {
      if (!namespaces.has(ref.namespace)) continue;
      this.#passedOver.add(ref.namespace);
      this.#deleted.delete(key);
      this.#drop(key);
    }
  }

  /** An object as it is now. One that is being deleted counts as gone, whatever finalizers it has. */
  put(object: KubeObject): void {
    const { uid, resourceVersion: version, deletionTimestamp } = object.metadata ?? {};
    const ref = this.#refOf(object);
    const key = refKey(ref);
    if (this.kind.isNamespaced && !this.#isSelected(ref.namespace)) {
      this.#passedOver.add(ref.namespace);
      // What was being deleted while it counted is still released.
      if (this.#leaving.has(key)) this.#noteLeaving(key, leavingObject(ref, object), false);
      return;
    }
    const known = this.#read.get(key);
    if (deletionTimestamp !== undefined) {
      this.#noteLeaving(key, leavingObject(ref, object), known === undefined);
      this.#gated.delete(key);
      if (known !== undefined) this.#deleted.add(key);
      return;
    }
    this.#noteLeaving(key, undefined, false);
    this.#deleted.delete(key);
    if (this.#orphans.delete(key)) this.isReportDue = true;
    if (known !== undefined && known.uid === uid && known.version === version) {
      known.list = this.#list;
      return;
    }
    const status = this.kind.hasConditions ? readStatus(object) : undefined;
    this.#read.set(key, { uid, version, ref, status, list: this.#list });
    // A condition that was written changes nothing else.
    if (status === undefined || status.content !== known?.status?.content) this.#parse(object, ref, key);
    else this.hasNewStatus = true;
  }

  /** The objects that the API server has. */
  *present(): Iterable<Ref> {
    for (const [key, { ref }] of this.#read)
      if (!this.#orphans.has(key) && !this.#deleted.has(key)) yield ref;
  }

  /** What an object's condition is about; undefined: it is not there, or its kind has none. */
  statusOf(key: string): ReadStatus | undefined {
    return this.#read.get(key)?.status;
  }

  /** An object that is gone. */
  delete(object: KubeObject): void {
    const key = refKey(this.#refOf(object));
    this.#noteLeaving(key, undefined, false);
    if (this.#read.has(key)) this.#deleted.add(key);
  }

  /** The deleted object of a key that waits for its release. */
  leaving(key: string): FinalizedObject | undefined {
    return this.#leaving.get(key);
  }

  /** UIDs of all of them. */
  *leavingUids(): Iterable<string> {
    for (const { uid } of this.#leaving.values()) yield uid;
  }

  /** Instances that Pods wait for; those that are refused are not in force, and not among them. */
  gated(): Iterable<GatedEntry> {
    return this.#gated.values();
  }

  /** One of them, as it is waited for now. */
  gatedOf(key: string): GatedEntry | undefined {
    return this.#gated.get(key);
  }

  /** Deleted objects that no proxy of this process ever had; each is returned once. */
  takeStrangers(): readonly FinalizedObject[] {
    const found = [...this.#strangers].map((key) => this.#leaving.get(key));
    this.#strangers.clear();
    return found.filter((one) => one !== undefined);
  }

  #noteLeaving(key: string, leaving: FinalizedObject | undefined, isStranger: boolean): void {
    if (leaving === undefined) {
      this.#leaving.delete(key);
      this.#strangers.delete(key);
      return;
    }
    if (isStranger && !this.#leaving.has(key)) this.#strangers.add(key);
    this.#leaving.set(key, leaving);
  }

  /** The list is whole: what it lacks is gone. */
  endList(): void {
    const missing: string[] = [];
    for (const [key, { list }] of this.#read)
      if (list !== this.#list && !this.#orphans.has(key)) missing.push(key);
    for (const key of missing) {
      if (this.#wasGone) this.#keep(key);
      else this.#deleted.add(key);
    }
    this.#wasGone = false;
  }

  /** The objects that the server told of as deleted are not there any more. */
  applyDeletions(keys: Iterable<string>): void {
    for (const key of keys) if (this.#deleted.delete(key)) this.#drop(key);
  }

  /** The deletions that wait. */
  waiting(): readonly string[] {
    return [...this.#deleted];
  }

  /** The kind is gone: its objects stay, deleted ones too, as they went with it. */
  keepAll(): void {
    this.#wasGone = true;
    this.#deleted = new Set();
    for (const key of [...this.#read.keys()]) this.#keep(key);
  }

  /** The operator confirms the end of objects that went with their kind; returns how many. */
  confirm(): number {
    const count = this.#orphans.size;
    for (const key of this.#orphans) this.#drop(key);
    return count;
  }

  #keep(key: string): void {
    this.#orphans.add(key);
    this.isReportDue = true;
  }

  #drop(key: string): void {
    this.#read.delete(key);
    this.#gated.delete(key);
    if (this.#orphans.delete(key)) this.isReportDue = true;
    if (this.#faulty.delete(key) || this.kind.group === 'isthmus.dev') this.isReportDue = true;
    this.#inForce.setFile(key, []);
  }

  #refOf({ metadata }: KubeObject): Ref {
    return { kind: this.kind.kind, namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' };
  }

  #parse(object: KubeObject, ref: Ref, key: string): void {
    const origin = `${this.kind.plural} ${ref.namespace === '' ? '' : `${ref.namespace}/`}${ref.name}`;
    const parsed = parseObject(withoutBallast(object, this.kind), origin);
    const { object: read, idcs = [], draft, faults } = parsed;
    const remains = { ...(idcs.length > 0 && { idcs }), ...(draft && { draft }) };
    const entry = { key, ref, origin, ...(read === undefined ? remains : { object: read }) };
    const gated = this.kind.kind === 'WorkloadEntry' && read !== undefined && gatedEntry(ref, object);
    if (gated) this.#gated.set(key, gated);
    else this.#gated.delete(key);
    const hadFaults = this.#faulty.delete(key);
    if (faults.length > 0) this.#faulty.set(key, { entry, faults });
    // Those of our own kinds decide about each other.
    if (hadFaults || faults.length > 0 || this.kind.group === 'isthmus.dev') this.isReportDue = true;
    this.#inForce.setFile(key, [entry]);
  }
}

/** An object without what only the API server and its tools need, and with what lists leave out. */
function withoutBallast(object: KubeObject, { kind, group, versions }: FollowedKind): unknown {
  const { metadata, ...rest } = object;
  const { managedFields: _, annotations, ...meta } = metadata as Record<string, unknown>;
  const { [lastApplied]: __, ...others } = (annotations ?? {}) as Record<string, unknown>;
  return {
    apiVersion: `${group}/${versions[0]}`,
    kind,
    ...rest,
    metadata: { ...meta, ...(annotations !== undefined && { annotations: others }) },
  };
}
