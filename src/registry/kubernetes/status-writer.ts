import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { kubeRefusalOf } from '../../kube/kube-failure.ts';
import { type BackOffRule, createBackOff } from '../../kube/watch/back-off.ts';
import { type Ref, refKey } from '../../model/object.ts';
import type { DueCondition, ObjectConditions } from './object-conditions.ts';

/** Times of writing conditions, in milliseconds. */
export interface StatusTiming {
  /** What changes within it is written once. */
  readonly gatherMs: number;
  /** After which time a refusal that only people can mend is tried again. */
  readonly refusedMs: number;
  /** After which time a condition is written again that another one has overwritten. */
  readonly contestedMs: number;
}

/** Stated in docs/kubernetes.md. */
export const statusTiming: StatusTiming = { gatherMs: 250, refusedMs: 30_000, contestedMs: 60_000 };

/** Most conditions that are being written at once. */
const writersMax = 8;

/** Longest time without a break, in milliseconds. */
const sliceMs = 4;

/** The name by which the API server knows whose fields they are. */
const fieldManager = 'isthmus';

interface StatusWriterOptions {
  readonly client: KubeClient;
  readonly conditions: Pick<ObjectConditions, 'refs' | 'due'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly backOff: BackOffRule;
  readonly timing: StatusTiming;
  /** Whether this process is the one that writes: asked before each write. */
  mayWrite(): boolean;
  /** Why conditions are not written has changed. */
  onState(): void;
}

/** What was written last into an object. */
interface Written {
  readonly text: string;
  readonly atMs: number;
}

/** Writes the conditions that objects lack, each as it should be at the moment of writing. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #signal: AbortSignal;
  readonly #backOff;
  readonly #written = new Map<string, Written>();
  /** What is not tried before a time: objects by UID, kinds by plural. */
  readonly #refusedUntil = new Map<string, number>();
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isWriting = false;
  /** Whether something may have become due during a pass. */
  #isWoken = false;
  /** When something may be written that has to wait. */
  #nextAtMs = Number.POSITIVE_INFINITY;
  /** Until when the server wants to be left alone. */
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #failure: MeshError | undefined;
  /** A refusal that only people can mend. */
  trouble: MeshError | undefined;

  constructor(options: StatusWriterOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#backOff = createBackOff(options.backOff, options.random);
    signal.addEventListener('abort', () => this.#timer?.cancel());
  }

  /** Something may be due: it is looked for a little later. */
  wake(afterMs = this.#options.timing.gatherMs): void {
    const { clock } = this.#options;
    this.#isWoken ||= this.#isWriting;
    const atMs = Math.max(clock.now() + afterMs, this.#pausedUntilMs);
    if (this.#signal.aborted || this.#isWriting || atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = clock.after(Math.max(0, atMs - clock.now()), () => void this.#write());
  }

  /** One pass over all objects. */
  async #write(): Promise<void> {
    const { conditions, clock, timing } = this.#options;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    // Timers may be early by a part of a millisecond.
    if (clock.now() < this.#pausedUntilMs) return this.wake(0);
    if (!this.#mayGoOn()) return this.#setTrouble(undefined);
    this.#isWriting = true;
    this.#isWoken = false;
    this.#failure = undefined;
    this.#nextAtMs = Number.POSITIVE_INFINITY;
    const refs = [...conditions.refs()];
    this.#forgetOthers(refs);
    const queue = refs.values();
    await Promise.all(Array.from({ length: writersMax }, () => this.#drain(queue)));
    this.#isWriting = false;
    if (this.#signal.aborted) return;
    this.#setTrouble(this.#failure);
    const isLeft = clock.now() < this.#pausedUntilMs;
    const afterMs = this.#isWoken || isLeft ? timing.gatherMs : this.#nextAtMs - clock.now();
    if (Number.isFinite(afterMs)) this.wake(Math.max(0, afterMs));
  }

  #forgetOthers(refs: readonly Ref[]): void {
    const keys = new Set(refs.map(refKey));
    for (const key of this.#written.keys()) if (!keys.has(key)) this.#written.delete(key);
    const { clock } = this.#options;
    for (const [what, atMs] of this.#refusedUntil) if (atMs <= clock.now()) this.#refusedUntil.delete(what);
  }

  async #drain(queue: Iterator<Ref> & Iterable<Ref>): Promise<void> {
    const { conditions, clock } = this.#options;
    let since = clock.now();
    for (const ref of queue) {
      if (!this.#mayGoOn()) return;
      const due = conditions.due(ref);
      if (due !== undefined && !this.#hasToWait(due)) await this.#writeOne(due);
      else if (clock.now() - since >= sliceMs) await yieldToEventLoop();
      else continue;
      since = clock.now();
    }
  }

  async #writeOne(due: DueCondition): Promise<void> {
    const { client, clock } = this.#options;
    const { group, version, plural } = due.target;
    const { kind, namespace, name } = due.ref;
    const place = namespace === '' ? '' : `namespaces/${namespace}/`;
    const query = new URLSearchParams({ fieldManager, force: 'true' });
    try {
      await client.json({
        ...{ method: 'PATCH', contentType: 'application/apply-patch+yaml', signal: this.#signal },
        action: { verb: 'patch', group, resource: `${plural}/status` },
        path: `/apis/${group}/${version}/${place}${plural}/${name}/status?${query}`,
        body: {
          ...{ apiVersion: `${group}/${version}`, kind, metadata: { name, uid: due.uid } },
          status: { conditions: due.conditions },
        },
      });
      this.#written.set(due.key, { text: textOf(due), atMs: clock.now() });
      this.#backOff.reset();
    } catch (reason) {
      if (!this.#signal.aborted) this.#noteFailure(due, reason);
    }
  }

  #noteFailure({ uid, target }: DueCondition, reason: unknown): void {
    const { clock, timing } = this.#options;
    const error = MeshError.from(reason);
    const { status = 0, retryAfterMs = 0 } = kubeRefusalOf(error) ?? {};
    // A server that does not let us in is told of by the watches.
    if (status === 0 || status === 401 || status === 429 || status >= 500) {
      const pauseMs = Math.max(this.#backOff.next(), retryAfterMs);
      this.#pausedUntilMs = Math.max(this.#pausedUntilMs, clock.now() + pauseMs);
      return;
    }
    // It is gone, or another one has its name: the watch tells.
    const isAnother = status === 404 || status === 409;
    if (!isAnother) this.#failure = error;
    const atMs = clock.now() + timing.refusedMs;
    this.#refusedUntil.set(status === 403 ? target.plural : uid, atMs);
    this.#nextAtMs = Math.min(this.#nextAtMs, atMs);
  }

  /**
   * Whether it is too early: what was written and is not there is on its way here, or was overwritten by
   * another one, with whom there must be no quarrel; or it was refused.
   */
  #hasToWait(due: DueCondition): boolean {
    const { key, uid, target } = due;
    const now = this.#options.clock.now();
    const written = this.#written.get(key);
    const contestedMs = written?.text === textOf(due) ? written.atMs + this.#options.timing.contestedMs : 0;
    const refusedMs = Math.max(this.#refusedUntil.get(uid) ?? 0, this.#refusedUntil.get(target.plural) ?? 0);
    const atMs = Math.max(contestedMs, refusedMs);
    if (atMs <= now) return false;
    if (refusedMs > now) this.#failure ??= this.trouble;
    this.#nextAtMs = Math.min(this.#nextAtMs, atMs);
    return true;
  }

  #mayGoOn(): boolean {
    const { clock, mayWrite } = this.#options;
    return !this.#signal.aborted && clock.now() >= this.#pausedUntilMs && mayWrite();
  }

  #setTrouble(error: MeshError | undefined): void {
    if (error?.message === this.trouble?.message) return;
    this.trouble = error;
    this.#options.onState();
  }
}

/** What conditions say, and of what. */
function textOf({ uid, conditions }: DueCondition): string {
  const said = conditions.map(({ lastTransitionTime: _, ...one }) => one);
  return JSON.stringify([uid, said]);
}
