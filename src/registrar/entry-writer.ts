import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import type { KubeAction, KubeClient } from '../kube/kube-client.ts';
import { kubeRefusalOf } from '../kube/kube-failure.ts';
import { isLaterTerm } from '../kube/lease.ts';
import { type BackOffRule, createBackOff } from '../kube/watch/back-off.ts';
import type { KubeObject } from '../kube/watch/watch-events.ts';
import {
  type EntryWriterIdentity,
  entryName,
  entryPatch,
  type KnownEntry,
  type WrittenObject,
} from './instance-entry.ts';

/** Times of writing entries, in milliseconds. */
export interface WriterTiming {
  readonly backOff: BackOffRule;
  /** After which time a refusal that only people can mend is tried again. */
  readonly refusedMs: number;
}

/** Stated in docs/registrar.md. */
export const writerTiming: WriterTiming = { backOff: { firstMs: 200, maxMs: 10_000 }, refusedMs: 30_000 };

/** Most entries that are being written at once. */
const writersMax = 8;

/** Most writes in a row for one key: somebody else may change the same entries all the time. */
const stepsMax = 10;

const group = 'networking.istio.io';

/** The name by which the API server knows whose fields they are. */
const fieldManager = 'isthmus-registrar';

/** What there should be. */
interface Desired {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
}

interface EntryWriterOptions<T extends Desired> {
  /** The resource that is written. */
  readonly plural: 'workloadentries' | 'serviceentries';
  /** What an object should say; `known`: its present version. */
  render(desired: T, identity: EntryWriterIdentity, known: KnownEntry | undefined): WrittenObject;
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: WriterTiming;
  /** What there should be of a key; undefined: nothing. 'unknown': not to be touched. */
  desired(key: string): T | 'unknown' | undefined;
  /** The entries that the Primary has of a key. */
  known(key: string): readonly KnownEntry[];
  /** Whether a name is taken. */
  isTaken(namespace: string, name: string): boolean;
  /** Under which term this process may write; undefined: it may not. Asked before each write. */
  identity(): EntryWriterIdentity | undefined;
  /** An entry as it is after a write, or gone. */
  onWritten(object: KubeObject, isGone: boolean): void;
  /** `trouble` has changed. */
  onState(): void;
}

/**
 * Makes the Primary's entries what they should be, key by key. What has to be written follows from what is
 * known at that moment, not from events: whatever was missed or has failed is made up for.
 */
export class EntryWriter<T extends Desired> {
  readonly #options: EntryWriterOptions<T>;
  readonly #signal: AbortSignal;
  readonly #backOff;
  readonly #dirty = new Set<string>();
  readonly #inFlight = new Set<string>();
  /** Keys that were refused, and when they are tried again. */
  readonly #refusedUntil = new Map<string, number>();
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #refusal: { readonly error: MeshError; readonly key: string } | undefined;
  /** Entries of a later term that this process leaves alone. */
  readonly #fenced = new Set<string>();

  constructor(options: EntryWriterOptions<T>, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#backOff = createBackOff(options.timing.backOff, options.random);
    signal.addEventListener('abort', () => this.#timer?.cancel(), { once: true });
  }

  /** Keys that are not as they should be, as far as is known. */
  get pending(): number {
    return this.#dirty.size + this.#inFlight.size + this.#refusedUntil.size;
  }

  /** Why something is not written, if people have to mend it. */
  get trouble(): string | undefined {
    if (this.#refusal !== undefined)
      return `${this.#refusedUntil.size} ${this.#options.plural} are not as they should be: ${this.#refusal.error.message}`;
    const [fenced] = this.#fenced;
    if (fenced === undefined) return undefined;
    return `${this.#fenced.size} entries, such as ${fenced}, were written under a later term of the Lease: another registrar is at work, and they are left to it.`;
  }

  /** What should be there of a key may have changed. */
  wake(key: string): void {
    this.#refusedUntil.delete(key);
    this.#dirty.add(key);
    this.#start();
  }

  /** Something has changed that all depends on, such as the Lease. */
  wakeAll(keys: Iterable<string>): void {
    for (const key of keys) this.#dirty.add(key);
    this.#start();
  }

  #start(): void {
    while (this.#inFlight.size < writersMax && this.#mayWrite()) {
      const key = this.#next();
      if (key === undefined) return;
      this.#dirty.delete(key);
      this.#inFlight.add(key);
      void this.#settle(key);
    }
  }

  /** A key that nobody is writing. */
  #next(): string | undefined {
    for (const key of this.#dirty) if (!this.#inFlight.has(key)) return key;
    return undefined;
  }

  #mayWrite(): boolean {
    if (this.#signal.aborted || this.#options.identity() === undefined) return false;
    return this.#options.clock.now() >= this.#pausedUntilMs;
  }

  async #settle(key: string): Promise<void> {
    try {
      // One step at a time, each from what is known then.
      for (let steps = 0; this.#mayWrite() && (await this.#step(key)); steps += 1) {
        this.#backOff.reset();
        if (steps === stepsMax) throw unsettled(key);
      }
      if (!this.#mayWrite()) this.#dirty.add(key);
      this.#clearRefusal(key);
    } catch (reason) {
      if (!this.#signal.aborted) this.#noteFailure(key, MeshError.from(reason));
    }
    this.#inFlight.delete(key);
    this.#start();
  }

  /** One write; false: all is as it should be. */
  async #step(key: string): Promise<boolean> {
    const identity = this.#options.identity();
    const desired = this.#options.desired(key);
    if (identity === undefined || desired === 'unknown') return false;
    const live = this.#options.known(key).filter(({ isLeaving }) => !isLeaving);
    const [first, ...others] = live;
    const surplus = desired === undefined ? live : others;
    for (const entry of surplus) {
      if (this.#isFenced(entry, identity)) continue;
      await this.#delete(entry);
      return true;
    }
    if (desired === undefined) return false;
    if (first === undefined) {
      await this.#create(desired, identity);
      return true;
    }
    const patch = entryPatch(first, this.#options.render(desired, identity, first));
    // What was read of the Pod is older than what the entry says of it: the watch is behind.
    if (patch === undefined || first.generation > desired.generation) return false;
    if (this.#isFenced(first, identity)) return false;
    await this.#patch(first, patch);
    return true;
  }

  /** Whether a later holder of the Lease wrote an entry: this process has lost it, and does not know yet. */
  #isFenced({ namespace, name, term }: KnownEntry, identity: EntryWriterIdentity): boolean {
    const isFenced = isLaterTerm(term, identity.term);
    const before = this.#fenced.size;
    if (isFenced) this.#fenced.add(`${namespace}/${name}`);
    else this.#fenced.delete(`${namespace}/${name}`);
    if (before !== this.#fenced.size) this.#options.onState();
    return isFenced;
  }

  async #create(desired: T, identity: EntryWriterIdentity): Promise<void> {
    const { client, isTaken, onWritten, plural, render } = this.#options;
    const { namespace } = desired;
    let attempt = 0;
    while (isTaken(namespace, entryName(identity.cluster, desired, attempt))) attempt += 1;
    const entry = render(desired, identity, undefined);
    const name = entryName(identity.cluster, desired, attempt);
    const object = await client.json({
      ...{ method: 'POST', action: this.#action('create'), signal: this.#signal },
      path: `/apis/${group}/v1/namespaces/${namespace}/${plural}?fieldManager=${fieldManager}`,
      body: { ...entry, metadata: { name, ...entry.metadata } },
    });
    onWritten(object as KubeObject, false);
  }

  /** Only the version that was read: 409 otherwise. */
  async #patch(entry: KnownEntry, body: unknown): Promise<void> {
    const object = await this.#options.client.json({
      ...{ method: 'PATCH', action: this.#action('patch'), signal: this.#signal, body },
      contentType: 'application/merge-patch+json',
      path: `${this.#pathOf(entry)}?fieldManager=${fieldManager}`,
    });
    this.#options.onWritten(object as KubeObject, false);
  }

  async #delete(entry: KnownEntry): Promise<void> {
    const { namespace, name, uid, version } = entry;
    const gone = { metadata: { namespace, name, uid } };
    try {
      const answer = (await this.#options.client.json({
        ...{
          method: 'DELETE',
          action: this.#action('delete'),
          signal: this.#signal,
          path: this.#pathOf(entry),
        },
        body: {
          ...{ apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' },
          preconditions: { uid, resourceVersion: version },
        },
      })) as KubeObject;
      // A Status: it had no finalizer, and is gone.
      const isLeft = answer.kind !== 'Status';
      this.#options.onWritten(isLeft ? answer : gone, !isLeft);
    } catch (reason) {
      if (kubeRefusalOf(reason)?.status !== 404) throw reason;
      this.#options.onWritten(gone, true);
    }
  }

  #pathOf({ namespace, name }: KnownEntry): string {
    return `/apis/${group}/v1/namespaces/${namespace}/${this.#options.plural}/${name}`;
  }

  #action(verb: KubeAction['verb']): KubeAction {
    return { verb, group, resource: this.#options.plural };
  }

  #noteFailure(key: string, error: MeshError): void {
    const { clock, timing } = this.#options;
    const { status = error.code === 'conflict' ? 422 : 0, retryAfterMs = 0 } = kubeRefusalOf(error) ?? {};
    if (status === 0 || status === 401 || status === 429 || status >= 500) {
      this.#dirty.add(key);
      const pauseMs = Math.max(this.#backOff.next(), retryAfterMs);
      this.#pausedUntilMs = Math.max(this.#pausedUntilMs, clock.now() + pauseMs);
      this.#arm();
      return;
    }
    // Another one has changed it: the watch tells, and wakes. In case that it has told already: soon.
    const afterMs = status === 409 ? timing.backOff.firstMs * (1 + this.#options.random()) : timing.refusedMs;
    this.#refusedUntil.set(key, clock.now() + afterMs);
    if (status !== 409) {
      this.#refusal = { error, key };
      this.#options.onState();
    }
    this.#arm();
  }

  #clearRefusal(key: string): void {
    this.#refusedUntil.delete(key);
    if (this.#refusal?.key !== key) return;
    this.#refusal = undefined;
    this.#options.onState();
  }

  /** Wakes what waits, at the end of the pause or of the first refusal. */
  #arm(): void {
    const { clock } = this.#options;
    const times = [...this.#refusedUntil.values()];
    if (this.#pausedUntilMs > clock.now()) times.push(this.#pausedUntilMs);
    if (times.length === 0) return;
    this.#timer?.cancel();
    const atMs = times.reduce((least, time) => Math.min(least, time));
    this.#timer = clock.after(Math.max(1, atMs - clock.now()), () => {
      const now = clock.now();
      for (const [key, untilMs] of this.#refusedUntil) {
        if (untilMs > now) continue;
        this.#refusedUntil.delete(key);
        this.#dirty.add(key);
      }
      this.#start();
      this.#arm();
    });
  }
}

function unsettled(key: string): MeshError {
  const message = `the entries of ${key} are not what was written, ${stepsMax} times in a row: somebody else changes them, such as a webhook of the Primary. Leave metadata.annotations registrar.isthmus.dev/… and spec as they are.`;
  return new MeshError('conflict', message);
}
