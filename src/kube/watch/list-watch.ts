import { type Clock, sleep, type Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import type { KubeAction, KubeClient } from '../kube-client.ts';
import { type KubeRefusal, kubeError, kubeRefusalOf } from '../kube-failure.ts';
import { type BackOffRule, createBackOff } from './back-off.ts';
import { collectionPath, type ObjectCollection } from './collection-path.ts';
import { readPages } from './pages.ts';
import { type KubeObject, readEvents, type WatchEvent } from './watch-events.ts';

/** Which objects. */
export type WatchTarget = ObjectCollection;

/** Who is told of the objects of a kind. */
export interface WatchHandler {
  /** All objects follow, by `object`, up to `listed`. May begin anew before `listed`. */
  listing(): void;
  /** It is there, as it is now. */
  object(object: KubeObject): void;
  /** It is gone. `object`: its last version. */
  deleted(object: KubeObject): void;
  /** Objects that were not told of since `listing` are gone. */
  listed(): void;
  /** What was told so far belongs together; nothing more is at hand. */
  pause(): void;
  /** Why the kind is not followed at present; undefined: it is. */
  trouble(error: MeshError | undefined): void;
}

/** Times, in milliseconds. */
export interface ListWatchTiming {
  readonly backOff: BackOffRule;
  /** Length of a watch that the server ends; each has up to half more, at random. */
  readonly watchMs: number;
  /**
   * The longest silence of a watch: bookmarks come each minute. A watch from a version that the server does
   * not know yet, as one restored from a backup, is silent for ever.
   */
  readonly silenceMs: number;
}

/** Stated in docs/kubernetes.md. */
export const listWatchTiming: ListWatchTiming = {
  backOff: { firstMs: 200, maxMs: 10_000 },
  watchMs: 300_000,
  silenceMs: 150_000,
};

interface ListWatchOptions {
  readonly client: KubeClient;
  readonly target: WatchTarget;
  readonly handler: WatchHandler;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing?: ListWatchTiming | undefined;
}

/**
 * Follows the objects of a kind: all there are, then each change, over failures of the server and the
 * network. Resolves when the kind does not exist, or not any more, or when `signal` is aborted; never
 * rejects.
 */
export function followKind(options: ListWatchOptions, signal: AbortSignal): Promise<void> {
  return new ListWatch(options, signal).run();
}

/** How a list is asked for: as the beginning of a watch, or page by page where the server has no such. */
type Listing = 'stream' | 'pages';

class ListWatch {
  readonly #options: ListWatchOptions;
  readonly #timing: ListWatchTiming;
  readonly #signal: AbortSignal;
  readonly #backOff: ReturnType<typeof createBackOff>;
  /** The version up to which everything was told; undefined: nothing was, or it is of no use any more. */
  #version: string | undefined;
  /** Whether the next watch goes on from there without a list. */
  #resumes = false;
  #listing: Listing = 'stream';
  #tooLarge = 0;

  constructor(options: ListWatchOptions, signal: AbortSignal) {
    this.#options = options;
    this.#timing = options.timing ?? listWatchTiming;
    this.#signal = signal;
    this.#backOff = createBackOff(this.#timing.backOff, options.random);
  }

  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      const pauseMs = await this.#attempt();
      if (pauseMs === undefined) return;
      if (pauseMs > 0) await sleep(this.#options.clock, pauseMs, this.#signal).catch(() => {});
    }
  }

  /** One list or watch to its end. Resolves to the pause before the next; undefined: the kind is gone. */
  async #attempt(): Promise<number | undefined> {
    const { handler } = this.#options;
    try {
      if (!this.#resumes && this.#listing === 'pages') await this.#listPages();
      else await this.#watch();
      return 0;
    } catch (reason) {
      if (this.#signal.aborted) return undefined;
      const error = MeshError.from(reason);
      const refusal = kubeRefusalOf(error);
      if (refusal?.status === 404) return undefined;
      const pauseMs = this.#answerTo(refusal);
      if (pauseMs !== 0) handler.trouble(error);
      return pauseMs;
    }
  }

  /** What follows from a failure: how to go on, and after which pause. */
  #answerTo(refusal: KubeRefusal | undefined): number {
    const wasResumed = this.#resumes;
    // With anything but a clean end, what was told last may be ahead of what the server has now.
    this.#resumes = false;
    if (refusal === undefined) return this.#backOff.next();
    if (isTooLarge(refusal)) return this.#afterTooLarge();
    // Too old a version is normal, after each restart of a server: the list follows at once.
    if (refusal.status === 410) {
      if (!wasResumed) this.#version = undefined;
      return wasResumed ? 0 : this.#backOff.next();
    }
    if (this.#listing === 'stream' && !wasResumed && lacksStreaming(refusal)) {
      this.#listing = 'pages';
      return 0;
    }
    return Math.max(this.#backOff.next(), refusal.retryAfterMs ?? 0);
  }

  /** The server is behind us for a moment, or was restored from a backup: then only what it has counts. */
  #afterTooLarge(): number {
    this.#tooLarge += 1;
    if (this.#tooLarge >= 3) this.#version = undefined;
    return this.#backOff.next();
  }

  async #listPages(): Promise<void> {
    const { client, target, handler, clock } = this.#options;
    handler.listing();
    this.#version = await readPages({ client, target, handler, clock, signal: this.#signal });
    this.#complete();
  }

  #complete(): void {
    const { handler } = this.#options;
    this.#tooLarge = 0;
    this.#resumes = true;
    handler.listed();
    this.#works();
  }

  #works(): void {
    this.#backOff.reset();
    this.#options.handler.trouble(undefined);
  }

  /** A watch, to its clean end. A list is its beginning, unless it resumes. */
  async #watch(): Promise<void> {
    const { client, target, handler, clock } = this.#options;
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#signal, stop.signal]);
    const isList = !this.#resumes;
    const action = actionOf(target, 'watch');
    const body = await client.stream({ action, path: collectionPath(target, this.#query(isList)), signal });
    if (isList) handler.listing();
    else this.#works();
    let isSilent = false;
    let timer: Timer | undefined;
    const heard = () => {
      timer?.cancel();
      timer = clock.after(this.#timing.silenceMs, () => {
        isSilent = true;
        stop.abort();
      });
    };
    heard();
    const reader = {
      event: (event: WatchEvent) => this.#event(event, action),
      pause() {
        heard();
        handler.pause();
      },
    };
    try {
      await readEvents(body, reader, clock);
    } finally {
      timer?.cancel();
      handler.pause();
      if (isSilent) this.#resumes = false;
    }
    if (isSilent || this.#resumes) return;
    throw new MeshError(
      'unavailable',
      `${client.server}: the list of ${target.plural} ended before it was whole`,
    );
  }

  #query(isList: boolean): Record<string, string> {
    const { watchMs } = this.#timing;
    const seconds = Math.ceil((watchMs * (1 + this.#options.random() / 2)) / 1000);
    return {
      ...{ watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: String(seconds) },
      ...(isList && { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }),
      ...(this.#version !== undefined && { resourceVersion: this.#version }),
    };
  }

  #event({ type, object }: WatchEvent, action: KubeAction): void {
    const { handler, client } = this.#options;
    if (type === 'ERROR') throw errorOf(object, client.server, action);
    if (type === 'DELETED') handler.deleted(object);
    else if (type === 'ADDED' || type === 'MODIFIED') handler.object(object);
    // Until a list is whole, the versions of its objects are in no order.
    const isWhole = object.metadata?.annotations?.['k8s.io/initial-events-end'] === 'true';
    if (!this.#resumes && !isWhole) return;
    this.#version = object.metadata?.resourceVersion ?? this.#version;
    if (!this.#resumes) this.#complete();
  }
}

/** The action on a kind, for messages and roles. */
function actionOf({ group, plural }: WatchTarget, verb: KubeAction['verb']): KubeAction {
  return { verb, group, resource: plural };
}

/** The error in an event of type ERROR, which is a Status. */
function errorOf(object: KubeObject, server: string, action: KubeAction): MeshError {
  const { code, reason, message, details } = object as {
    readonly code?: number;
    readonly reason?: string;
    readonly message?: string;
    readonly details?: { readonly retryAfterSeconds?: number };
  };
  const { retryAfterSeconds } = details ?? {};
  const refusal: KubeRefusal = {
    ...{ status: code ?? 500, reason: reason ?? '', message: message ?? 'without a word' },
    ...(retryAfterSeconds !== undefined && { retryAfterMs: retryAfterSeconds * 1000 }),
  };
  return kubeError(refusal, `${server}: ${action.verb} ${action.resource}.${action.group}`);
}

function isTooLarge({ status, message }: KubeRefusal): boolean {
  return status === 504 && /too large resource version/i.test(message);
}

/**
 * Whether a server does not support lists as the beginning of a watch: its version is too old (400, 422), or
 * its etcd is (an event of code 500). Never when it is busy (429).
 */
function lacksStreaming({ status, message }: KubeRefusal): boolean {
  return status === 400 || status === 422 || (status === 500 && message.includes('RequestWatchProgress'));
}
