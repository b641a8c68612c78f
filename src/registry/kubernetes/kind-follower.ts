import { type Clock, sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { kubeRefusalOf } from '../../kube/kube-failure.ts';
import { createBackOff } from '../../kube/watch/back-off.ts';
import { findServed, isServed } from '../../kube/watch/discovery.ts';
import {
  followKind,
  type ListWatchTiming,
  listWatchTiming,
  type WatchHandler,
  type WatchTarget,
} from '../../kube/watch/list-watch.ts';
import { refKey } from '../../model/object.ts';
import { releaseFinalizer } from './finalizer.ts';
import { type GatedEntry, notePropagated } from './gated-entries.ts';
import type { KindStore } from './kind-store.ts';

/** Times of a Kubernetes source, in milliseconds. */
export interface KubernetesTiming extends ListWatchTiming {
  /** Interval of looks for a kind that is not there. */
  readonly absentMs: number;
  /**
   * After which time an object is released that was deleted before this process read it: proxies have
   * reconnected by then, and have endpoints without it.
   */
  readonly strangerMs: number;
}

/** Stated in docs/kubernetes.md. */
export const kubernetesTiming: KubernetesTiming = { ...listWatchTiming, absentMs: 5_000, strangerMs: 30_000 };

/** Why a kind is not followed at present. */
export interface KindTrouble {
  readonly error: MeshError;
  /** The wall time of the first failure. */
  readonly sinceMs: number;
}

interface FollowerOptions {
  readonly client: KubeClient;
  readonly store: KindStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: KubernetesTiming;
  /** What was read so far belongs together. */
  onRead(): void;
  /** Something to report has changed. */
  onState(): void;
}

/** Keeps up with a kind, also while it is not there. */
export class KindFollower {
  readonly store: KindStore;
  readonly #options: FollowerOptions;
  readonly #signal: AbortSignal;
  #target: WatchTarget | undefined;
  #isChecking = false;
  #isListing = false;
  #relisting: AbortController | undefined;
  /** Whether everything was read once, or the kind is not there. */
  isSettled = false;
  /** Whether the API server has the kind, as far as is known. */
  isAbsent = false;
  trouble: KindTrouble | undefined;
  /** Why deleted objects are not released, and new ones not told of: a right that is missing. */
  unreleased: MeshError | undefined;

  constructor(options: FollowerOptions, signal: AbortSignal) {
    this.#options = options;
    this.store = options.store;
    this.#signal = signal;
  }

  get kind(): string {
    return this.store.kind.kind;
  }

  /** The version that is followed; undefined: none yet. */
  get target(): WatchTarget | undefined {
    return this.#target;
  }

  /**
   * No proxy has the deleted object of this UID any more: its finalizer goes. Tried until it works, or the
   * source ends.
   */
  release(key: string, uid: string): Promise<void> {
    return this.#tryUntil((target) => {
      const leaving = this.store.leaving(key);
      if (leaving?.uid !== uid) return undefined;
      return releaseFinalizer(this.#options.client, target, leaving, this.#signal);
    });
  }

  /** All proxies have the instance: it says so from now on. Tried in the same way. */
  notePropagated({ ref, key }: GatedEntry): Promise<void> {
    return this.#tryUntil((target) => {
      const gated = this.store.gatedOf(refKey(ref));
      if (gated?.key !== key) return undefined;
      return notePropagated(this.#options.client, target, gated, this.#signal);
    });
  }

  /** `write`: undefined if nothing is to be done any more. */
  async #tryUntil(write: (target: WatchTarget) => Promise<void> | undefined): Promise<void> {
    const { clock, random, timing } = this.#options;
    const backOff = createBackOff(timing.backOff, random);
    for (;;) {
      const writing = this.#target && !this.#signal.aborted ? write(this.#target) : undefined;
      if (writing === undefined) return;
      try {
        await writing;
        this.#setUnreleased(undefined);
        return;
      } catch (reason) {
        const { status = 0 } = kubeRefusalOf(reason) ?? {};
        this.#setUnreleased(status === 403 ? MeshError.from(reason) : undefined);
        await sleep(clock, backOff.next(), this.#signal).catch(() => {});
      }
    }
  }

  #setUnreleased(error: MeshError | undefined): void {
    if (error?.message === this.unreleased?.message) return;
    this.unreleased = error;
    this.#options.onState();
  }

  /** Follows until the signal is aborted. */
  async run(): Promise<void> {
    const { client, clock, random, timing, store } = this.#options;
    const backOff = createBackOff(timing.backOff, random);
    while (!this.#signal.aborted) {
      let pauseMs = timing.absentMs;
      try {
        this.#target = await findServed(client, store.kind, this.#signal);
        if (this.#target === undefined) this.#isGone();
        else {
          pauseMs = 0;
          await this.#follow(this.#target);
        }
        backOff.reset();
      } catch (reason) {
        if (this.#signal.aborted) return;
        this.#setTrouble(MeshError.from(reason));
        pauseMs = backOff.next();
      }
      if (pauseMs > 0) await sleep(clock, pauseMs, this.#signal).catch(() => {});
    }
  }

  /** Reads everything anew if objects of namespaces that are selected now were passed over. */
  completeSelection(): void {
    // A list that is under way is not cut off: many selections, one after another, would never end it.
    if (!this.#isListing && this.store.lacksSelected) this.#relisting?.abort();
  }

  async #follow(target: WatchTarget): Promise<void> {
    const { client, clock, random, timing, store, onRead } = this.#options;
    const handler: WatchHandler = {
      listing: () => {
        this.#isListing = true;
        store.beginList();
      },
      object: (object) => store.put(object),
      deleted: (object) => store.delete(object),
      listed: () => {
        this.#isListing = false;
        store.endList();
        this.isSettled = true;
        this.#isThere();
        this.completeSelection();
      },
      pause: () => {
        void this.#checkDeletions();
        onRead();
      },
      trouble: (error) => this.#setTrouble(error),
    };
    do {
      this.#relisting = new AbortController();
      const signal = AbortSignal.any([this.#signal, this.#relisting.signal]);
      await followKind({ client, target, handler, clock, random, timing }, signal);
    } while (this.#relisting.signal.aborted && !this.#signal.aborted);
    // Its watch has ended for good: the kind is gone, or was replaced.
    if (!this.#signal.aborted) await sleep(clock, timing.backOff.firstMs, this.#signal).catch(() => {});
  }

  /**
   * Deletions are applied once the kind is known to stay: the deletion of a CustomResourceDefinition begins
   * with the deletion of all its objects, which nobody meant to leave the mesh.
   */
  async #checkDeletions(): Promise<void> {
    const { client, store, clock, timing, random, onRead } = this.#options;
    if (this.#isChecking) return;
    this.#isChecking = true;
    const backOff = createBackOff(timing.backOff, random);
    while (store.hasDeletions && this.#target !== undefined && !this.#signal.aborted) {
      const waiting = store.waiting();
      try {
        const stays = await isServed(client, this.#target, this.#signal);
        if (stays) store.applyDeletions(waiting);
        else this.#isGone();
        if (!this.#signal.aborted) onRead();
      } catch {
        // Unknown is not gone: they wait. The watch tells of the trouble.
        await sleep(clock, backOff.next(), this.#signal).catch(() => {});
      }
    }
    this.#isChecking = false;
  }

  #isThere(): void {
    if (!this.isAbsent) return;
    this.isAbsent = false;
    this.#options.onState();
  }

  #isGone(): void {
    this.isSettled = true;
    this.trouble = undefined;
    if (this.isAbsent) return;
    this.isAbsent = true;
    this.store.keepAll();
    this.#options.onState();
  }

  #setTrouble(error: MeshError | undefined): void {
    const before = this.trouble;
    if (error === undefined && before === undefined) return;
    const sinceMs = before?.sinceMs ?? this.#options.clock.wall();
    this.trouble = error && { error, sinceMs };
    if (error?.message !== before?.error.message) this.#options.onState();
  }
}
