import { type Clock, sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { kubeRefusalOf } from '../../kube/kube-failure.ts';
import { type BackOffRule, createBackOff } from '../../kube/watch/back-off.ts';
import type { WatchTarget } from '../../kube/watch/list-watch.ts';
import { readPages } from '../../kube/watch/pages.ts';
import type { KubeObject } from '../../kube/watch/watch-events.ts';
import type { Kind, Ref } from '../../model/object.ts';
import { type FinalizedObject, finalizedObject, releaseFinalizer } from './finalizer.ts';
import { type FollowedKind, followedKinds } from './followed-kinds.ts';

/** What a search for finalizers, and their removal, need. */
export interface ReleaseContext {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  /** Absent: all namespaces, and what has none. */
  readonly namespace?: string | undefined;
  readonly signal: AbortSignal;
  /** Something failed, and is tried again. */
  onTrouble(error: MeshError): void;
}

/** Times in milliseconds; what tests replace. */
interface ReleaseTiming {
  readonly backOff: BackOffRule;
  /** How long one thing is tried. */
  readonly tryMs: number;
}

/** Stated in docs/defaults.md. */
const releaseTiming: ReleaseTiming = { backOff: { firstMs: 200, maxMs: 5_000 }, tryMs: 60_000 };

/** Most removals at once. */
const releasesMax = 8;

/** The objects of a kind that have the finalizer. */
export interface FinalizedKind {
  readonly kind: Kind;
  readonly target: WatchTarget;
  readonly objects: readonly FinalizedObject[];
  /** How many of them are being deleted: those end without it. */
  readonly leaving: number;
}

/**
 * Finds all objects with the finalizer, of all kinds that the API server has. Rejects with MeshError if it
 * refuses, or does not answer for a minute.
 */
export async function findFinalized(context: ReleaseContext): Promise<readonly FinalizedKind[]> {
  const found: FinalizedKind[] = [];
  for (const kind of followedKinds) {
    if (context.namespace !== undefined && !kind.isNamespaced) continue;
    const one = await findOfKind(kind, context);
    if (one !== undefined && one.objects.length > 0) found.push(one);
  }
  return found;
}

/** Not by discovery: it hides a kind whose definition is being deleted, which waits for these objects. */
async function findOfKind(
  { kind, group, versions, plural }: FollowedKind,
  context: ReleaseContext,
): Promise<FinalizedKind | undefined> {
  const { client, clock, namespace, signal } = context;
  for (const version of versions) {
    const target = { group, version, plural, ...(namespace !== undefined && { namespace }) };
    try {
      return await persistently(context, async () => {
        const objects: FinalizedObject[] = [];
        let leaving = 0;
        const object = (one: KubeObject) => {
          const held = finalizedObject(refOf(kind, one), one);
          if (held === undefined) return;
          objects.push(held);
          if (one.metadata?.deletionTimestamp !== undefined) leaving += 1;
        };
        await readPages({ client, target, handler: { object, pause() {} }, clock, signal });
        return { kind, target, objects, leaving };
      });
    } catch (reason) {
      if (kubeRefusalOf(reason)?.status !== 404) throw reason;
    }
  }
  return undefined;
}

function refOf(kind: Kind, { metadata }: KubeObject): Ref {
  return { kind, namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' };
}

/**
 * Takes the finalizer off all of them; other finalizers stay. `onRelease`: one is done. Rejects with
 * MeshError if the API server refuses, or does not answer for a minute: the rest keeps it.
 */
export async function releaseAll(
  found: readonly FinalizedKind[],
  context: ReleaseContext,
  onRelease: () => void,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const todo = found.flatMap(({ target, objects }) => objects.map((object) => ({ target, object })));
  const next = todo.values();
  const work = async () => {
    for (const { target, object } of next) {
      await persistently({ ...context, signal }, () =>
        releaseFinalizer(context.client, target, object, signal, finalizedObject),
      );
      onRelease();
    }
  };
  const workers = Array.from({ length: releasesMax }, () => work());
  try {
    await Promise.all(workers);
  } finally {
    stop.abort();
    await Promise.allSettled(workers);
  }
}

/** Does what may fail for a while. Rejects with what it failed of if that lasts, or is not of that kind. */
async function persistently<T>(context: ReleaseContext, run: () => Promise<T>): Promise<T> {
  const { clock, random, signal, onTrouble } = context;
  const { backOff: rule, tryMs } = releaseTiming;
  const backOff = createBackOff(rule, random);
  const since = clock.now();
  for (;;) {
    signal.throwIfAborted();
    try {
      return await run();
    } catch (reason) {
      signal.throwIfAborted();
      const error = MeshError.from(reason);
      if (!mayPass(error) || clock.now() - since >= tryMs) throw error;
      onTrouble(error);
      const { retryAfterMs = 0 } = kubeRefusalOf(error) ?? {};
      await sleep(clock, Math.max(backOff.next(), retryAfterMs), signal);
    }
  }
}

/** Busy, away, changed by others all the time, or a list whose pages have become too old. */
function mayPass(error: MeshError): boolean {
  const { status } = kubeRefusalOf(error) ?? {};
  if (status === undefined) return error.code === 'unavailable';
  return (
    status === 0 || status === 409 || status === 410 || status === 422 || status === 429 || status >= 500
  );
}
