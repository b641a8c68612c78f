import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { kubeRefusalOf } from '../kube/kube-failure.ts';
import { createBackOff } from '../kube/watch/back-off.ts';
import { findServed, isServed, type SoughtKind } from '../kube/watch/discovery.ts';
import { followKind, type ListWatchTiming, type WatchTarget } from '../kube/watch/list-watch.ts';
import type { KubeObject } from '../kube/watch/watch-events.ts';

/** Which objects are kept, and what of each. */
export interface MirroredKind<T> extends SoughtKind {
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** Whether objects that go with their kind stay, as nobody meant each of them. */
  readonly outlivesKind?: boolean;
  /** What is kept of an object; undefined: nothing. */
  project(object: KubeObject): T | undefined;
}

/** Times of a mirror, in milliseconds. */
export interface MirrorTiming extends ListWatchTiming {
  /** Interval of looks for a kind that is not there. */
  readonly absentMs: number;
}

/** Why objects are not followed at present. */
interface MirrorTrouble {
  readonly error: MeshError;
  /** The monotonic time of the first failure. */
  readonly sinceMs: number;
}

interface MirrorOptions<T> {
  readonly client: KubeClient;
  readonly kind: MirroredKind<T>;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: MirrorTiming;
  /** An object has come (no `before`), changed, or gone (no `now`). */
  onChange(before: T | undefined, now: T | undefined): void;
  /** Whether all is known, or why not, has changed. */
  onState(): void;
}

interface Item<T> {
  readonly uid: string | undefined;
  readonly version: string | undefined;
  readonly value: T;
  list: number;
}

/**
 * What an API server has of a kind, as it was last heard. What was heard stays while the server is away, and
 * when the kind itself goes: only what a server says of an object by itself is believed.
 */
export class Mirror<T> {
  readonly #options: MirrorOptions<T>;
  readonly #items = new Map<string, Item<T>>();
  #list = 0;
  #isListing = false;
  /** Objects that are gone, unless their kind is. */
  readonly #doubtful = new Map<string, KubeObject>();
  #isChecking = false;
  #wasAbsent = false;
  /** Whether everything was read once: before that, what is lacking is not known to be gone. */
  isListed = false;
  /** Whether the API server does not have the kind. */
  isAbsent = false;
  trouble: MirrorTrouble | undefined;

  constructor(options: MirrorOptions<T>) {
    this.#options = options;
  }

  get(namespace: string, name: string): T | undefined {
    return this.#items.get(`${namespace}/${name}`)?.value;
  }

  /** An object as it is now, from a watch or from an answer to a write. */
  put(object: KubeObject): void {
    const { kind, onChange } = this.#options;
    const { uid, resourceVersion: version } = object.metadata ?? {};
    const key = keyOf(object);
    this.#doubtful.delete(key);
    const known = this.#items.get(key);
    // An answer to a write may have been faster than the watch.
    if (known !== undefined && known.uid === uid && !this.#isListing && isOlder(version, known.version))
      return;
    const value = kind.project(object);
    if (value === undefined) this.#items.delete(key);
    else this.#items.set(key, { uid, version, value, list: this.#list });
    if (known === undefined || known.uid !== uid || known.version !== version) onChange(known?.value, value);
  }

  /** An object that is gone. */
  remove(object: KubeObject): void {
    const key = keyOf(object);
    const known = this.#items.get(key);
    // Another one may have its name already.
    if (known === undefined || known.uid !== object.metadata?.uid) return;
    this.#items.delete(key);
    this.#options.onChange(known.value, undefined);
  }

  /** Follows until the signal is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, kind, clock, random, timing } = this.#options;
    const backOff = createBackOff(timing.backOff, random);
    while (!signal.aborted) {
      let pauseMs = timing.absentMs;
      try {
        const target = await this.#target(client, kind, signal);
        this.#setAbsent(target === undefined);
        if (target !== undefined) {
          await this.#follow(target, signal);
          pauseMs = timing.backOff.firstMs;
        }
        backOff.reset();
      } catch (reason) {
        if (signal.aborted) return;
        this.#setTrouble(MeshError.from(reason));
        pauseMs = Math.max(backOff.next(), kubeRefusalOf(reason)?.retryAfterMs ?? 0);
      }
      await sleep(clock, pauseMs, signal).catch(() => {});
    }
  }

  async #target(
    client: KubeClient,
    { group, versions, plural, namespace, labelSelector }: MirroredKind<T>,
    signal: AbortSignal,
  ): Promise<WatchTarget | undefined> {
    const [version = 'v1'] = versions;
    // The kinds of the core group are always there.
    const served =
      group === ''
        ? { group, version, plural }
        : await findServed(client, { group, versions, plural }, signal);
    if (served === undefined) return undefined;
    return {
      ...served,
      ...(namespace !== undefined && { namespace }),
      ...(labelSelector !== undefined && { labelSelector }),
    };
  }

  #follow(target: WatchTarget, signal: AbortSignal): Promise<void> {
    const { client, kind, clock, random, timing } = this.#options;
    const handler = {
      listing: () => {
        this.#list += 1;
        this.#isListing = true;
      },
      object: (object: KubeObject) => {
        // A kind that is back at once never looked absent to the watch.
        this.#setAbsent(false);
        this.put(object);
      },
      deleted: (object: KubeObject) => {
        if (kind.outlivesKind === true) this.#doubtful.set(keyOf(object), object);
        else this.remove(object);
      },
      listed: () => this.#endList(),
      pause: () => void this.#checkDeletions(target, signal),
      trouble: (error: MeshError | undefined) => this.#setTrouble(error),
    };
    return followKind({ client, target, handler, clock, random, timing }, signal);
  }

  /** The deletion of a CustomResourceDefinition begins with that of all its objects. */
  async #checkDeletions(target: WatchTarget, signal: AbortSignal): Promise<void> {
    const { client, clock, random, timing } = this.#options;
    if (this.#isChecking) return;
    this.#isChecking = true;
    const backOff = createBackOff(timing.backOff, random);
    while (this.#doubtful.size > 0 && !signal.aborted) {
      const waiting = [...this.#doubtful];
      try {
        const stays = await isServed(client, target, signal);
        if (!stays) this.#setAbsent(true);
        for (const [key, object] of waiting) {
          this.#doubtful.delete(key);
          if (stays) this.remove(object);
        }
      } catch {
        // Unknown is not gone: they wait. The watch tells of the trouble.
        await sleep(clock, backOff.next(), signal).catch(() => {});
      }
    }
    this.#isChecking = false;
  }

  /** What the list lacks is gone, unless it went with its kind. */
  #endList(): void {
    this.#isListing = false;
    this.#setAbsent(false);
    const isKept = this.#wasAbsent && this.#options.kind.outlivesKind === true;
    this.#wasAbsent = false;
    for (const [key, { list, value }] of [...this.#items]) {
      if (list === this.#list || isKept) continue;
      this.#items.delete(key);
      this.#options.onChange(value, undefined);
    }
    if (this.isListed) return;
    this.isListed = true;
    this.#options.onState();
  }

  #setAbsent(isAbsent: boolean): void {
    if (isAbsent) this.#setTrouble(undefined);
    this.#wasAbsent ||= isAbsent;
    if (isAbsent === this.isAbsent) return;
    this.isAbsent = isAbsent;
    this.#options.onState();
  }

  #setTrouble(error: MeshError | undefined): void {
    const before = this.trouble;
    if (error?.message === before?.error.message) return;
    this.trouble = error && { error, sinceMs: before?.sinceMs ?? this.#options.clock.now() };
    this.#options.onState();
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
}

/** Whether a version is older than another one: both are numbers, as all API servers write them. */
function isOlder(version = '', than = ''): boolean {
  return version.length === than.length ? version < than : version.length < than.length;
}
