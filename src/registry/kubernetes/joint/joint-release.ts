import type { Clock } from '../../../base/clock.ts';
import { MeshError } from '../../../base/error.ts';
import type { Random } from '../../../base/random.ts';
import type { KubeClient } from '../../../kube/kube-client.ts';
import { type LeaseTiming, leaseTiming } from '../../../kube/lease.ts';
import type { Severity } from '../../../model/finding.ts';
import type { ProxyProgress } from '../../source.ts';
import { type OtherReplica, ReplicaLeases, type ReplicaWord } from './replica-leases.ts';
import { Rounds } from './rounds.ts';

// All stated in docs/kubernetes.md.

/** What is confirmed within it is written once, in milliseconds. */
const gatherMs = 50;

/** Interval of looks at what others have confirmed, while something waits for it, in milliseconds. */
const lookMs = 250;

/** Nothing waits for what is counted: after this time it is looked for less often, in milliseconds. */
const countedMs = 10_000;

/** Most keys in a Lease, 74 KB or somewhat more: those that are first by order, which is the same for all. */
const confirmedMax = 2_000;

/** Times of releasing together, in milliseconds. */
export interface JointTiming extends LeaseTiming {
  /** After which time it is told for whom deletions wait. */
  readonly overdueMs: number;
}

const jointTiming: JointTiming = { ...leaseTiming, overdueMs: 60_000 };

interface JointReleaseOptions {
  readonly idc: string;
  /** No two processes may have one. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing?: Partial<JointTiming> | undefined;
  /** Whether this control plane is the one that writes for its IDC. */
  isElected(): boolean;
  /** Why none can be elected; undefined: nothing keeps this one from it. */
  electionTrouble(): MeshError | undefined;
  /** What waits: UIDs of deleted objects that finalizers keep, keys of instances that Pods wait for. */
  waiting(): Iterable<string>;
  /** Objects whose proxies are counted, and how many have them. */
  counted?(): Iterable<readonly [string, ProxyProgress]>;
  /** `findings` have changed. */
  onState(): void;
}

/** Called with what the other control planes count. */
type Release = (others: readonly ProxyProgress[]) => Promise<void>;

/** An object that no proxy of this control plane has any more, or that all of them have. */
interface ConfirmedObject {
  readonly release: Release;
  readonly progress: ProxyProgress | undefined;
  readonly sinceMs: number;
  isReleasing: boolean;
}

/** Something that keeps deleted objects, and Pods waiting. */
interface ReleaseFinding {
  readonly severity: Severity;
  readonly message: string;
}

/**
 * Releases what waits for the proxies of all control planes of the IDC: deleted objects that none of them may
 * have, and instances that all of them must have. Each control plane tells in a Lease of its own what its
 * proxies have confirmed, and the elected one releases what all of them name. That all have confirmed does
 * not change again: nobody begins to serve an object that is being deleted, or forgets one that is not.
 */
export class JointRelease {
  readonly #options: JointReleaseOptions;
  readonly #timing: JointTiming;
  readonly #confirmed = new Map<string, ConfirmedObject>();
  #leases: ReplicaLeases | undefined;
  #writing: Rounds | undefined;
  #looking: Rounds | undefined;
  /** Why the own Lease is not written, and the others are not read. */
  #unwritten: MeshError | undefined;
  #unread: MeshError | undefined;
  /** Control planes for whom deletions have waited too long. */
  #awaited: readonly string[] = [];
  #others: readonly OtherReplica[] = [];
  #told = '[]';

  constructor(options: JointReleaseOptions) {
    this.#options = options;
    this.#timing = { ...jointTiming, ...options.timing };
  }

  /**
   * Makes this control plane known to the others, and goes on until the signal is aborted. Resolves at the
   * end of the first try; never rejects. What is read after it is not released without this one.
   */
  start(client: KubeClient, namespace: string, signal: AbortSignal): Promise<void> {
    const { idc, identity, clock } = this.#options;
    const leases = new ReplicaLeases({ client, namespace, idc, identity, clock, timing: this.#timing });
    this.#leases = leases;
    this.#writing = new Rounds({ clock, round: () => this.#write(leases, signal) }, signal);
    this.#looking = new Rounds({ clock, round: () => this.#look(leases, signal) }, signal);
    this.#looking.wake();
    return this.#writing.start();
  }

  /** The proxies of this control plane have confirmed it. `release`: as soon as those of all have. */
  confirm(key: string, release: Release, progress?: ProxyProgress): void {
    // What is counted may have been refused meanwhile, and is in force again.
    if (this.#confirmed.has(key) && progress === undefined) return;
    this.#confirmed.set(key, { release, progress, sinceMs: this.#options.clock.now(), isReleasing: false });
    this.wake();
    if (progress === undefined) this.#tell();
  }

  /** There is something to release or to tell of, or the election has changed. */
  wake(): void {
    if (this.#confirmed.size === 0) return;
    // The others need the word of the elected one only when it is that no more: its next renewal has it.
    if (this.#options.isElected()) this.#looking?.wake();
    else this.#writing?.wake(gatherMs);
  }

  /** What keeps deleted objects and Pods waiting, if people have to mend it. */
  get findings(): readonly ReleaseFinding[] {
    let severity: Severity = 'warning';
    for (const { progress } of this.#confirmed.values()) {
      if (progress !== undefined) continue;
      severity = 'error';
      break;
    }
    const keeping = [this.#unwritten, this.#unread, this.#options.electionTrouble()];
    const messages = new Set(keeping.flatMap((error) => (error === undefined ? [] : [error.message])));
    const findings: ReleaseFinding[] = [...messages].map((message) => ({
      severity,
      message: `control planes of this IDC cannot tell each other what their proxies have confirmed; deleted instances are not released, and Pods wait for their readiness gate: ${message}`,
    }));
    const { unremoved } = this.#leases ?? {};
    if (unremoved !== undefined)
      findings.push({
        severity: 'warning',
        message: `Leases of ended control planes are not removed: ${unremoved.message}`,
      });
    for (const name of this.#awaited)
      findings.push({
        severity: 'error',
        message: `instances, deleted or new, have waited for more than ${this.#timing.overdueMs / 1000} s until the control plane ${name} says that its proxies have confirmed them: look at its problems, or restart it`,
      });
    return findings;
  }

  async #write(leases: ReplicaLeases, signal: AbortSignal): Promise<number> {
    this.#forgetGone();
    try {
      await leases.write(this.#words(), signal);
      this.#unwritten = undefined;
    } catch (reason) {
      this.#unwritten = toldOf(reason) ?? this.#unwritten;
    }
    this.#tell();
    return this.#timing.renewMs * (0.8 + 0.2 * this.#options.random());
  }

  /** What the others are told: what is confirmed, and, as far as there is room, what is counted. */
  #words(): readonly (readonly [string, ReplicaWord])[] {
    const words = [...this.#confirmed]
      .map(([key, { progress }]) => [key, { isConfirmed: true, progress }] as const)
      .sort(byKey)
      .slice(0, confirmedMax);
    const room = confirmedMax - words.length;
    const counted = room === 0 ? [] : [...(this.#options.counted?.() ?? [])];
    const others = counted.filter(
      ([key, { acked, proxies }]) => !this.#confirmed.has(key) && acked < proxies,
    );
    const more = others.map(([key, progress]) => [key, { isConfirmed: false, progress }] as const);
    return [...words, ...more.sort(byKey).slice(0, room)];
  }

  /** What the other control planes said last of something. */
  others(
    key: string,
  ): readonly { readonly identity: string; readonly progress: ProxyProgress | undefined }[] {
    return this.#others.map(({ identity, words }) => ({ identity, progress: words.get(key)?.progress }));
  }

  /** Also by those who are not elected: who is now may end, and then it matters who has ended before. */
  async #look(leases: ReplicaLeases, signal: AbortSignal): Promise<number> {
    const { clock, isElected } = this.#options;
    this.#forgetGone();
    // Asked before: what is confirmed meanwhile is for the next look, with the others of that time.
    const waiting = [...this.#confirmed].filter(([, { isReleasing }]) => !isReleasing);
    const awaited = new Set<string>();
    let isLeft = false;
    try {
      const others = await leases.others(isElected(), signal);
      this.#unread = undefined;
      this.#others = others;
      for (const [key, object] of isElected() ? waiting : []) {
        const missing = others.filter(({ words }) => words.get(key)?.isConfirmed !== true);
        if (missing.length === 0) {
          object.isReleasing = true;
          const counts = others.flatMap(({ words }) => words.get(key)?.progress ?? []);
          void object.release(counts).then(() => this.#forget(key, object));
          continue;
        }
        const isCounted = object.progress !== undefined;
        isLeft ||= !isCounted || clock.now() - object.sinceMs < countedMs;
        if (isCounted || clock.now() - object.sinceMs < this.#timing.overdueMs) continue;
        for (const { identity } of missing) awaited.add(identity);
      }
    } catch (reason) {
      this.#unread = toldOf(reason) ?? this.#unread;
    }
    this.#awaited = [...awaited].sort();
    this.#tell();
    return isLeft ? Math.min(lookMs, this.#timing.renewMs) : this.#timing.renewMs;
  }

  /** What is counted stays: its word is asked for until the condition is written, by whomever. */
  #forget(key: string, object: ConfirmedObject): void {
    if (object.progress === undefined && this.#confirmed.get(key) === object) this.#confirmed.delete(key);
  }

  /** What waits no more is no more to be told of. */
  #forgetGone(): void {
    if (this.#confirmed.size === 0) return;
    const waiting = new Set(this.#options.waiting());
    for (const key of this.#confirmed.keys()) if (!waiting.has(key)) this.#confirmed.delete(key);
  }

  #tell(): void {
    const told = JSON.stringify(this.findings);
    if (told === this.#told) return;
    this.#told = told;
    this.#options.onState();
  }
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** What people have to mend; undefined: the server is away or busy, which the watches tell of. */
function toldOf(reason: unknown): MeshError | undefined {
  const error = MeshError.from(reason);
  return error.code === 'unavailable' ? undefined : error;
}
