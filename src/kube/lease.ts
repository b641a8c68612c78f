import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import type { KubeAction, KubeClient } from './kube-client.ts';
import { kubeRefusalOf } from './kube-failure.ts';
import type { KubeObject } from './watch/watch-events.ts';

/** Times of a Lease, in milliseconds. */
export interface LeaseTiming {
  /** Interval of renewals, and of looks at a Lease that another one holds. */
  readonly renewMs: number;
  /** So long after the last renewal that they have seen, others may take it. */
  readonly durationMs: number;
}

/** Stated in docs/kubernetes.md. */
export const leaseTiming: LeaseTiming = { renewMs: 5_000, durationMs: 15_000 };

/** How long `release` tries, in milliseconds. */
const releaseMs = 2_000;

interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Who asks for it: no two processes may have one. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing?: LeaseTiming | undefined;
  /** What is written into it with each renewal; absent: nothing. */
  readonly notes?: () => LeaseNotes;
  /** It has become ours, or what keeps us from it has changed. */
  onState(): void;
}

/** What a holder tells those who read its Lease. */
export interface LeaseNotes {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** `coordination.k8s.io/v1`, as far as it is read. */
interface Lease {
  readonly metadata?: KubeObject['metadata'];
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly leaseTransitions?: number;
  };
}

/**
 * Asks for a Lease, so that one of several processes does what only one should. Whether it has ended is told
 * by how long it was seen unchanged, never by the clocks of others.
 */
export class KubeLease {
  readonly #options: LeaseOptions;
  readonly #timing: LeaseTiming;
  #heldUntil = Number.NEGATIVE_INFINITY;
  /** The version that was seen last, and since when. */
  #seen = { version: '', since: 0 };
  /** Of the Lease that was written last. */
  #term = '';
  /** Why it cannot be asked for: a right that is missing, or the namespace; undefined: nothing. */
  trouble: MeshError | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#timing = options.timing ?? leaseTiming;
  }

  /**
   * Whether this process holds it now. It ends a renewal's interval before others may take it, counted from
   * before the last renewal was asked for: what was begun has an end by then.
   */
  get isHeld(): boolean {
    return this.#options.clock.now() < this.#heldUntil;
  }

  /**
   * The time during which it is held without a break: the same for no two holders of a Lease. '': it was not
   * held yet. `isLaterTerm` compares.
   */
  get term(): string {
    return this.#term;
  }

  /** Gives it back, so that others need not wait for its end. After `run`; never rejects. */
  async release(): Promise<void> {
    const stop = new AbortController();
    const { clock, identity } = this.#options;
    const timer = clock.after(releaseMs, () => stop.abort());
    try {
      const lease = await this.#read(stop.signal);
      if (lease?.spec?.holderIdentity === identity) await this.#write(lease, true, stop.signal, '');
    } catch {
      // It ends by itself.
    } finally {
      timer.cancel();
    }
  }

  /** Asks until the signal is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#ask(signal);
        this.#setTrouble(undefined);
      } catch (reason) {
        if (signal.aborted) break;
        const error = MeshError.from(reason);
        const { status } = kubeRefusalOf(error) ?? {};
        // Another one was faster; or the server is away, which the watches tell of.
        if (status === 409) this.#heldUntil = Number.NEGATIVE_INFINITY;
        else if (error.code !== 'unavailable') this.#setTrouble(error);
      }
      const pauseMs = this.#timing.renewMs * (0.8 + 0.2 * random());
      await sleep(clock, pauseMs, signal).catch(() => {});
    }
    this.#heldUntil = Number.NEGATIVE_INFINITY;
  }

  /** Renews it, or takes it where it is free. */
  async #ask(signal: AbortSignal): Promise<void> {
    const { clock, identity } = this.#options;
    const lease = await this.#read(signal);
    const { holderIdentity = '', leaseDurationSeconds } = lease?.spec ?? {};
    const version = lease?.metadata?.resourceVersion ?? '';
    if (version !== this.#seen.version) this.#seen = { version, since: clock.now() };
    const durationMs =
      leaseDurationSeconds === undefined ? this.#timing.durationMs : leaseDurationSeconds * 1000;
    const isOurs = holderIdentity === identity;
    const isFree = holderIdentity === '' || clock.now() - this.#seen.since >= durationMs;
    if (!isOurs && !isFree) {
      this.#heldUntil = Number.NEGATIVE_INFINITY;
      return;
    }
    const askedAt = clock.now();
    await this.#write(lease, isOurs, signal);
    const wasHeld = this.isHeld;
    this.#heldUntil = askedAt + this.#timing.durationMs - this.#timing.renewMs;
    if (!wasHeld) this.#options.onState();
  }

  /** Undefined: there is none yet. */
  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    try {
      const path = `${this.#collection}/${this.#options.name}`;
      return (await this.#options.client.json({ action: action('get'), path, signal })) as Lease;
    } catch (reason) {
      if (kubeRefusalOf(reason)?.status === 404) return undefined;
      throw reason;
    }
  }

  async #write(
    lease: Lease | undefined,
    isOurs: boolean,
    signal: AbortSignal,
    holder = this.#options.identity,
  ): Promise<void> {
    const { client, name, namespace, clock, notes } = this.#options;
    // MicroTime has six digits.
    const now = new Date(clock.wall()).toISOString().replace('Z', '000Z');
    const { acquireTime = now, leaseTransitions = 0 } = lease?.spec ?? {};
    const taken = lease !== undefined && !isOurs;
    const spec = {
      ...{ holderIdentity: holder, leaseDurationSeconds: Math.ceil(this.#timing.durationMs / 1000) },
      ...{ acquireTime: taken ? now : acquireTime, renewTime: now },
      leaseTransitions: leaseTransitions + (taken ? 1 : 0),
    };
    const { labels, annotations } = notes?.() ?? {};
    const metadata = {
      ...{ ...lease?.metadata, name, namespace },
      ...(labels && { labels: { ...lease?.metadata?.labels, ...labels } }),
      ...(annotations && { annotations: { ...lease?.metadata?.annotations, ...annotations } }),
    };
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
    const written = (await client.json(
      lease === undefined
        ? { method: 'POST', action: action('create'), path: this.#collection, body, signal }
        : { method: 'PUT', action: action('update'), path: `${this.#collection}/${name}`, body, signal },
    )) as Lease;
    this.#term = `${written.metadata?.uid}/${written.spec?.leaseTransitions}`;
  }

  get #collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }

  #setTrouble(error: MeshError | undefined): void {
    if (error?.message === this.trouble?.message) return;
    this.trouble = error;
    this.#options.onState();
  }
}

/**
 * Whether a term is later than another one of the same Lease. A Lease that was deleted and made anew has
 * other terms, of which neither is later.
 */
export function isLaterTerm(term: string, other: string): boolean {
  const [uid, transitions] = term.split('/');
  const [otherUid, otherTransitions] = other.split('/');
  return uid === otherUid && Number(transitions) > Number(otherTransitions);
}

function action(verb: KubeAction['verb']): KubeAction {
  return { verb, group: 'coordination.k8s.io', resource: 'leases' };
}
