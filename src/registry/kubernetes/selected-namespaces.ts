import { type Clock, sleep } from '../../base/clock.ts';
import type { MeshError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { followKind, type ListWatchTiming, type WatchHandler } from '../../kube/watch/list-watch.ts';
import type { KubeObject } from '../../kube/watch/watch-events.ts';
import type { KindTrouble } from './kind-follower.ts';

interface SelectedNamespacesOptions {
  readonly client: KubeClient;
  /** As `kubectl -l` has it: the API server applies it. */
  readonly labelSelector: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: ListWatchTiming;
  /** These were selected, or are not any more: `has` says which. */
  onChange(names: ReadonlySet<string>): void;
  /** Why they are not followed at present has changed. */
  onState(): void;
}

/**
 * The namespaces whose labels match a selector, by name; of others nothing is known. What was last heard of
 * stays while the API server is away.
 */
export class SelectedNamespaces {
  readonly #options: SelectedNamespacesOptions;
  readonly #names = new Set<string>();
  /** Those that were told of since a list has begun; undefined: none is under way. */
  #told: Set<string> | undefined;
  #changed = new Set<string>();
  readonly #listed = Promise.withResolvers<void>();
  trouble: KindTrouble | undefined;

  constructor(options: SelectedNamespacesOptions) {
    this.#options = options;
  }

  /** Resolves once all were read: nothing in them may be judged before. */
  get listed(): Promise<void> {
    return this.#listed.promise;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Follows until the signal is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, random, timing, labelSelector } = this.#options;
    const target = { group: '', version: 'v1', plural: 'namespaces', labelSelector };
    const handler: WatchHandler = {
      listing: () => {
        this.#told = new Set();
      },
      object: (object) => this.#add(nameOf(object)),
      deleted: (object) => this.#remove(nameOf(object)),
      listed: () => this.#endList(),
      pause: () => this.#tell(),
      trouble: (error) => this.#setTrouble(error),
    };
    while (!signal.aborted) {
      await followKind({ client, target, handler, clock, random, timing }, signal);
      await sleep(clock, timing.backOff.firstMs, signal).catch(() => {});
    }
  }

  #add(name: string): void {
    this.#told?.add(name);
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#changed.add(name);
  }

  /** It is gone, or its labels do not match any more: a watch with a selector tells of both alike. */
  #remove(name: string): void {
    this.#told?.delete(name);
    if (this.#names.delete(name)) this.#changed.add(name);
  }

  #endList(): void {
    const told = this.#told ?? new Set();
    this.#told = undefined;
    for (const name of [...this.#names]) if (!told.has(name)) this.#remove(name);
    this.#tell();
    this.#listed.resolve();
  }

  /** Together, so that what goes with several of them is judged at once. */
  #tell(): void {
    if (this.#changed.size === 0) return;
    const changed = this.#changed;
    this.#changed = new Set();
    this.#options.onChange(changed);
  }

  #setTrouble(error: MeshError | undefined): void {
    const before = this.trouble;
    if (error === undefined && before === undefined) return;
    this.trouble = error && { error, sinceMs: before?.sinceMs ?? this.#options.clock.wall() };
    if (error?.message !== before?.error.message) this.#options.onState();
  }
}

function nameOf({ metadata }: KubeObject): string {
  return metadata?.name ?? '';
}
