import type { AgreementInput } from '../agreement/agreement.ts';
import type { Finding, ObjectFinding } from '../model/finding.ts';
import type { Change, MeshObject, Ref } from '../model/object.ts';

/** What the faults of a source's objects leave open. */
export type ReadGaps = Required<Pick<AgreementInput, 'incompleteKinds' | 'drafts'>>;

/** The consumer of a source. Called in order, never concurrently. */
export interface Sink {
  /** Changes that were read together, and are applied together. */
  changes(batch: readonly Change[]): void;
  /**
   * All current findings of this source, replacing what it reported before, and what they leave open for
   * those who compare its objects with others.
   */
  problems(list: readonly Finding[], doubt?: ReadGaps): void;
  /**
   * Calls back once when the connected proxies have confirmed all that this source has told of so far. One
   * that does not is waited for as long as for a deletion. Absent: nobody has proxies.
   */
  confirmed?(then: () => void): void;
  /**
   * What connected proxies have of all that this source has told of so far: to be asked again and again.
   * Undefined: not all of that was passed on yet. Absent: nobody has proxies.
   */
  progress?(): (() => ProxyProgress) | undefined;
}

/** How many of the connected proxies have ACKed something. */
export interface ProxyProgress {
  readonly acked: number;
  readonly proxies: number;
}

/**
 * Where registry objects come from: the core that every source has, and its optional `facets`. `start` reads
 * everything, emits it, then one `synced`, then continues until `signal` aborts; it resolves once the watch
 * is set up and `synced` was emitted.
 */
export interface Source {
  readonly name: string;
  start(sink: Sink, signal: AbortSignal): Promise<void>;
  /** All objects that should be in force now. Compared with the index at intervals, to find missed events. */
  objects(): Iterable<MeshObject>;
  /** Takes the differences found by a comparison, and emits them. */
  repair(batch: readonly Change[]): void;
  readonly facets: SourceFacets;
}

/** The optional abilities of a source. Each is declared: `none` is explicit. */
export interface SourceFacets {
  /** Where it takes what became of its objects. */
  readonly status: StatusSink | 'none';
  /** Keeps deleted objects until no proxy has them any more. */
  readonly finalizers: Finalizers | 'none';
  /** Its own guard against mass deletions. `none`: a wrapper guards. */
  readonly deletionGuard: DeletionGuard | 'none';
  /** Remembers which proxies had endpoints. */
  readonly proxies: ProxyMemory | 'none';
  /** Its objects survive the loss of its input. */
  readonly lastGood: { status(): LastGoodStatus } | 'none';
  /** Instances register themselves with it. */
  readonly registrations: RegistrationCounts | 'none';
  /** Other control planes whose objects it replicates. */
  readonly peers: SourcePeers | 'none';
}

/** A source without optional abilities. */
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
   * Told some seconds after changes, also when nothing follows from them: the objects about which there is
   * something to say, by `refKey`, in place of what was told before. All others are in force and without a
   * finding. What changed within these seconds is told of with the next look.
   */
  setStatuses(statuses: ReadonlyMap<string, ObjectStatus>): void;
}

/** Finalizes deleted objects. */
export interface Finalizers {
  /** No proxy has the object any more. */
  release(ref: Ref): Promise<void>;
}

/** Holds deletions that may be a loss. */
export interface DeletionGuard {
  /** Confirms the held deletions; returns how many. */
  confirm(): number;
}

/** Counts of a source of registrations. */
export interface RegistrationCounts {
  /** Instances, by state. */
  counts(): Readonly<Record<string, number>>;
  /** Counts of remembered former registrations, by kind. */
  remembered(): Readonly<Record<string, number>>;
}

/** The other control planes of a source. */
export interface SourcePeers {
  statuses(): readonly PeerStatus[];
  /**
   * Before the source has synced: what it waits for and what to do; undefined if nobody else can end that.
   */
  waitsFor(): string | undefined;
}

/** Where a source's objects come from, for status. Times in milliseconds since the epoch. */
export interface LastGoodStatus {
  /** `snapshot`: the source has not answered since the start; `both`: it has, but much is missing in it. */
  readonly from: 'source' | 'snapshot' | 'both';
  /** Why not from the source alone. */
  readonly reason?: string;
  /** Objects in force, and those that only the snapshot has. */
  readonly objects: number;
  readonly held: number;
  /** Objects that differed from the source, and were repaired: missed events. */
  readonly repaired: number;
  /** The snapshot on disk: when it was written, and until when it was known to equal the source's state. */
  readonly writtenAt?: number;
  readonly knownGoodAt?: number;
}

/** The status of another control plane of this IDC. */
export interface PeerStatus {
  readonly name: string;
  /**
   * `self`: it is this control plane itself. `stranger`: it asks here, and is not asked; `name` is its IP
   * address.
   */
  readonly state: 'in step' | 'away' | 'self' | 'stranger';
  /** Milliseconds since its last answer. Absent: none since the start. */
  readonly heardAgoMs?: number;
  /** Why it is away. */
  readonly why?: string;
  /** Instances that renew only there, as far as is known. */
  readonly keptThereAlone: number;
}

/**
 * Which proxies had endpoints, over restarts: a deletion just after a restart waits for those that have not
 * reconnected.
 */
export interface ProxyMemory {
  /** Those of an earlier process, or of a lost peer, by node id; each is returned once. */
  recall(): readonly string[];
  /** Those that have moved to a peer, which waits for them; each is returned once. */
  takenOver(): readonly string[];
  /**
   * Remembers a proxy, again as often as it reconnects, or forgets it. Not awaited: a lost note costs one
   * wait after a restart.
   */
  remember(node: string, isKnown: boolean): void;
}
