import type { Looked } from '../agreement/agreement.ts';
import type { Finding, ObjectFinding } from '../model/finding.ts';
import type { Change, MeshObject, Ref } from '../model/object.ts';

/** What the faults of a source's objects leave open. */
export type Doubt = Required<Pick<Looked, 'doubtful' | 'drafts'>>;

/** Where a source puts what it reads. Called in order, never concurrently. */
export interface Sink {
  /** Changes that were read together; applied together. */
  changes(batch: readonly Change[]): void;
  /**
   * All current findings of this source, replacing what it reported before, and what they leave open for
   * those who compare its objects with others.
   */
  problems(list: readonly Finding[], doubt?: Doubt): void;
}

/**
 * Where registry objects come from: what every source does, and in `facets` what it has besides. `start`
 * reads everything, emits it, then one `synced`, then goes on until `signal` aborts; it resolves once the
 * watch is set up and `synced` was emitted.
 */
export interface Source {
  readonly name: string;
  start(sink: Sink, signal: AbortSignal): Promise<void>;
  /**
   * All objects that are to be in force now, as it would emit them, from what it knows. Compared from time to
   * time with what the index has: an event that was missed is found so.
   */
  objects(): Iterable<MeshObject>;
  /** Takes what a comparison found to differ, and emits it. */
  repair(batch: readonly Change[]): void;
  readonly facets: SourceFacets;
}

/**
 * What a source has besides its objects. It says so of each: `none` is a statement, and not something
 * forgotten.
 */
export interface SourceFacets {
  /** Where it takes what became of its objects. */
  readonly status: StatusSink | 'none';
  /** It keeps deleted objects until no proxy has them any more. */
  readonly finalizers: Finalizers | 'none';
  /** Its own guard of deletions of very many objects at once. `none`: who wraps it guards. */
  readonly deletionGuard: DeletionGuard | 'none';
  /** It remembers which proxies had endpoints. */
  readonly proxies: ProxyMemory | 'none';
  /** Its objects survive the loss of what it reads. */
  readonly lastGood: { status(): LastGoodStatus } | 'none';
  /** Instances register themselves with it. */
  readonly registrations: RegistrationCounts | 'none';
  /** Other control planes, of which it takes over what it has not itself. */
  readonly peers: SourcePeers | 'none';
}

/** A source with nothing besides its objects. */
export const noFacets: SourceFacets = {
  ...{ status: 'none', finalizers: 'none', deletionGuard: 'none', proxies: 'none' },
  ...{ lastGood: 'none', registrations: 'none', peers: 'none' },
};

/** What became of an object that a source told of. */
export interface ObjectStatus {
  readonly ref: Ref;
  /** False: it is faulty, or another source has an object of its name, which counts. */
  readonly inForce: boolean;
  /** What is wrong, or probably not meant, between it and others. */
  readonly findings: readonly ObjectFinding[];
}

/** Takes what became of a source's objects: what a Kubernetes source writes as their conditions. */
export interface StatusSink {
  /**
   * Told some seconds after a change: the objects about which there is something to say, by `refKey`, in
   * place of what was told before. All others are in force and without a finding.
   */
  told(statuses: ReadonlyMap<string, ObjectStatus>): void;
}

/** Lets go of objects that were deleted. */
export interface Finalizers {
  /** No proxy has the object any more. */
  release(ref: Ref): Promise<void>;
}

/** Holds deletions that look like a loss. */
export interface DeletionGuard {
  /** Lets go the deletions that are held; how many. */
  confirm(): number;
}

/** How much a source of registrations has. */
export interface RegistrationCounts {
  /** Instances, by state. */
  counts(): Readonly<Record<string, number>>;
  /** What it remembers of those that are no more: how much, by what it is. */
  remembered(): Readonly<Record<string, number>>;
}

/** The other control planes beside a source. */
export interface SourcePeers {
  statuses(): readonly PeerStatus[];
  /**
   * While the source has not synced: what it waits for and what to do, in words; undefined where that is not
   * for others to end.
   */
  waitsFor(): string | undefined;
}

/** Where a source's objects come from now, for status. Times in milliseconds since the epoch. */
export interface LastGoodStatus {
  /** `snapshot`: the source has not answered since the start; `both`: it has, but much is missing in it. */
  readonly from: 'source' | 'snapshot' | 'both';
  /** Why not from the source alone. */
  readonly reason?: string;
  /** Objects in force, and those of them that only the snapshot has. */
  readonly objects: number;
  readonly held: number;
  /** Objects that were found to differ from what the source holds, and were put right: missed events. */
  readonly repaired: number;
  /** The snapshot on disk: when it was written, and until when it was known to be what the source holds. */
  readonly writtenAt?: number;
  readonly knownGoodAt?: number;
}

/** What is known of another control plane of this IDC. */
export interface PeerStatus {
  readonly name: string;
  /**
   * `self`: it is this control plane itself. `stranger`: it asks here, and is not asked; `name` is its IP
   * address.
   */
  readonly state: 'in step' | 'away' | 'self' | 'stranger';
  /** Since when, in milliseconds ago: its last answer. Absent: it has not answered since the start. */
  readonly heardAgoMs?: number;
  /** Why it is away. */
  readonly why?: string;
  /** Instances that give signs of life to it alone, as far as is known. */
  readonly keptThereAlone: number;
}

/**
 * Which proxies had endpoints, over restarts: a deletion just after one waits for those that are not back
 * yet.
 */
export interface ProxyMemory {
  /** Those of an earlier life, or of a peer that is lost, by node id; each is told once. */
  recall(): readonly string[];
  /** Those that have come to a peer, which waits for them; each is told once. */
  passedOn(): readonly string[];
  /**
   * Remembers a proxy, or forgets it. Not waited for: it is one of those things that are better late than
   * slow.
   */
  note(node: string, isKnown: boolean): void;
}
