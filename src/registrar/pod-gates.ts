import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { kubeRefusalOf } from '../kube/kube-failure.ts';
import { createBackOff } from '../kube/watch/back-off.ts';
import type { KubeObject } from '../kube/watch/watch-events.ts';
import { propagated } from '../model/values/pod-names.ts';
import type { WriterTiming } from './entry-writer.ts';
import type { PodInstance } from './read-pod.ts';

/** Times of readiness gates, in milliseconds. */
export interface GateTiming {
  /** A Pod waits no longer until its proxies are known to have it. */
  readonly limitMs: number;
  /** So much later it is let in by a process that may not write to the Primary: nobody else has. */
  readonly spareMs: number;
}

/** Stated in docs/registrar.md. */
export const gateTiming: GateTiming = { limitMs: 600_000, spareMs: 30_000 };

/** Interval of looks at all Pods that wait, in milliseconds: what a watch did not tell is made up for. */
const lookMs = 10_000;

/** Most conditions that are being written at once. */
const writersMax = 8;

/** What a condition says, by its reason. */
const messages = {
  Propagated: 'all proxies have the instance',
  Overdue: 'it is not known whether all proxies have the instance; the limit of the wait has passed',
  NotServing: 'the Pod is not ready itself, and no instance of the mesh meanwhile',
} as const;

type GateReason = keyof typeof messages;

interface PodGatesOptions {
  /** The cluster of the Pods. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: GateTiming;
  readonly writing: WriterTiming;
  pod(key: string): PodInstance | undefined;
  /** Whether the Pod is to have an instance in the Primary. */
  isAwaited(key: string): boolean;
  /** Whether it has one that all proxies have, as the control planes say. */
  isPropagated(key: string): boolean;
  /** Whether this process is the one that writes. */
  isActive(): boolean;
  /** A Pod as it is after a write. */
  onWritten(object: KubeObject): void;
  /** `trouble` has changed. */
  onState(): void;
}

/**
 * Keeps the condition of Pods' readiness gates: true once all proxies have the instance, false again when the
 * Pod is not ready itself, and so has no instance. What is written follows from what is known at that moment.
 */
export class PodGates {
  readonly #options: PodGatesOptions;
  readonly #signal: AbortSignal;
  readonly #backOff;
  readonly #dirty = new Set<string>();
  readonly #inFlight = new Set<string>();
  /** Since when Pods wait, as this process has seen it. */
  readonly #waiting = new Map<string, number>();
  /** Pods that were let in at the limit. */
  readonly #overdue = new Set<string>();
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #refusal: MeshError | undefined;

  constructor(options: PodGatesOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#backOff = createBackOff(options.writing.backOff, options.random);
    signal.addEventListener('abort', () => this.#timer?.cancel(), { once: true });
  }

  /** Pods that wait for their proxies. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** What people have to mend. */
  get troubles(): readonly string[] {
    const [overdue] = this.#overdue;
    const { namespace, name } = (overdue !== undefined && this.#options.pod(overdue)) || {};
    const limit = this.#options.timing.limitMs / 1000;
    return [
      ...(this.#refusal && this.#waiting.size > 0
        ? [`readiness gates of ${this.#waiting.size} Pods are not opened: ${this.#refusal.message}`]
        : []),
      ...(overdue === undefined
        ? []
        : [
            `${this.#overdue.size} Pods, such as ${namespace}/${name}, were let in by their readiness gate after ${limit} s, without a word that all proxies have them: look whether a control plane of the IDC is at work, and at its problems.`,
          ]),
    ];
  }

  /** Something has changed that the gate of a Pod depends on. */
  wake(key: string): void {
    const { pod, onState } = this.#options;
    const before = this.#overdue.size;
    if (pod(key)?.gate?.reason === 'Overdue') this.#overdue.add(key);
    else this.#overdue.delete(key);
    if (this.#overdue.size !== before) onState();
    if (pod(key)?.gate === undefined) this.#waiting.delete(key);
    else this.#dirty.add(key);
    this.#start();
  }

  /** Something has changed that all depend on, such as the Lease. */
  wakeAll(keys: Iterable<string>): void {
    for (const key of keys) this.wake(key);
  }

  #start(): void {
    const { clock } = this.#options;
    for (const key of this.#dirty) {
      const isStopped = this.#signal.aborted || clock.now() < this.#pausedUntilMs;
      if (isStopped || this.#inFlight.size >= writersMax) break;
      if (this.#inFlight.has(key)) continue;
      this.#dirty.delete(key);
      const reason = this.#due(key);
      if (reason !== undefined) void this.#write(key, reason);
    }
    this.#arm();
  }

  /** What the condition should say, and does not. */
  #due(key: string): GateReason | undefined {
    const { pod, isAwaited, isPropagated, isActive } = this.#options;
    const { gate, isServing = false } = pod(key) ?? {};
    const isWaiting = gate?.isTrue === false && isServing && isAwaited(key);
    if (!isWaiting) this.#waiting.delete(key);
    if (gate === undefined) return undefined;
    if (gate.isTrue && !isServing) return isActive() ? 'NotServing' : undefined;
    const isKnown = isServing && isPropagated(key);
    if (isKnown && (!gate.isTrue || gate.reason === 'Overdue')) return isActive() ? 'Propagated' : undefined;
    if (!isWaiting) return undefined;
    if (!this.#waiting.has(key)) this.#waiting.set(key, this.#options.clock.now());
    return this.#limitOf(key) <= this.#options.clock.now() ? 'Overdue' : undefined;
  }

  /** When a Pod that waits is let in at the latest. */
  #limitOf(key: string): number {
    const { timing, isActive } = this.#options;
    const sinceMs = this.#waiting.get(key) ?? Number.POSITIVE_INFINITY;
    return sinceMs + timing.limitMs + (isActive() ? 0 : timing.spareMs);
  }

  async #write(key: string, reason: GateReason): Promise<void> {
    const { client, clock, pod, onWritten } = this.#options;
    const { namespace, name, uid } = pod(key) as PodInstance;
    const lastTransitionTime = new Date(clock.wall()).toISOString().replace(/\.\d+Z$/, 'Z');
    const status = reason === 'NotServing' ? 'False' : 'True';
    this.#inFlight.add(key);
    try {
      const object = await client.json({
        ...{ method: 'PATCH', action: { verb: 'patch', group: '', resource: 'pods/status' } },
        signal: this.#signal,
        path: `/api/v1/namespaces/${namespace}/pods/${name}/status?fieldManager=isthmus-registrar`,
        // Conditions are told apart by type: those of others stay. Another Pod of the name: 409.
        contentType: 'application/strategic-merge-patch+json',
        body: {
          metadata: { uid },
          status: {
            conditions: [{ type: propagated, status, reason, message: messages[reason], lastTransitionTime }],
          },
        },
      });
      this.#backOff.reset();
      this.#setRefusal(undefined);
      onWritten(object as KubeObject);
    } catch (cause) {
      if (!this.#signal.aborted) this.#noteFailure(key, MeshError.from(cause));
    }
    this.#inFlight.delete(key);
    this.#start();
  }

  #noteFailure(key: string, error: MeshError): void {
    const { clock, writing } = this.#options;
    const { status = 0, retryAfterMs = 0 } = kubeRefusalOf(error) ?? {};
    // It is gone, or another one has its name: the watch tells.
    if (status === 404 || status === 409) return void this.#waiting.delete(key);
    this.#dirty.add(key);
    const isAway = status === 0 || status === 401 || status === 429 || status >= 500;
    const pauseMs = isAway ? Math.max(this.#backOff.next(), retryAfterMs) : writing.refusedMs;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, clock.now() + pauseMs);
    if (!isAway) this.#setRefusal(error);
  }

  #setRefusal(error: MeshError | undefined): void {
    if (error?.message === this.#refusal?.message) return;
    this.#refusal = error;
    this.#options.onState();
  }

  /** Goes on at the end of a pause, when the first Pod has waited long enough, and from time to time. */
  #arm(): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    if (this.#signal.aborted) return;
    const now = clock.now();
    const isPaused = this.#dirty.size > 0 && this.#pausedUntilMs > now;
    // The first one has waited longest.
    const [first] = this.#waiting.keys();
    if (first === undefined && !isPaused) return;
    const isOut = first === undefined || this.#inFlight.has(first);
    const atMs = isPaused ? this.#pausedUntilMs : isOut ? now + lookMs : this.#limitOf(first);
    this.#timer = clock.after(Math.max(1, Math.min(atMs - now, lookMs)), () => {
      for (const key of this.#waiting.keys()) this.#dirty.add(key);
      this.#start();
    });
  }
}
