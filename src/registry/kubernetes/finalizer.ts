import type { KubeClient } from '../../kube/kube-client.ts';
import { kubeRefusalOf } from '../../kube/kube-failure.ts';
import type { WatchTarget } from '../../kube/watch/list-watch.ts';
import type { KubeObject } from '../../kube/watch/watch-events.ts';
import type { Ref } from '../../model/object.ts';
import { propagated } from '../../model/values/pod-names.ts';

/** An object that has the finalizer. */
export interface FinalizedObject {
  readonly ref: Ref;
  readonly uid: string;
  readonly finalizers: readonly string[];
}

/** The object with its finalizers; undefined: ours is not one of them. */
export function finalizedObject(ref: Ref, { metadata = {} }: KubeObject): FinalizedObject | undefined {
  const { uid, finalizers = [] } = metadata;
  if (uid === undefined || !finalizers.includes(propagated)) return undefined;
  return { ref, uid, finalizers };
}

/** The object as one that is being deleted; undefined: it is not, or nothing of ours holds it. */
export function leavingObject(ref: Ref, object: KubeObject): FinalizedObject | undefined {
  return object.metadata?.deletionTimestamp === undefined ? undefined : finalizedObject(ref, object);
}

/** Most tries against others who change the same object. */
const triesMax = 10;

/**
 * Takes the finalizer off an object, and only off that one: it may have been deleted by force and created
 * again, or its finalizer removed by hand. `read`: what it is, if it has changed since; undefined: nothing is
 * to be done. Rejects as `KubeClient.json` does.
 */
export async function releaseFinalizer(
  client: KubeClient,
  target: WatchTarget,
  finalized: FinalizedObject,
  signal: AbortSignal,
  read: typeof finalizedObject = leavingObject,
): Promise<void> {
  const { group, version, plural } = target;
  const { namespace, name } = finalized.ref;
  const within = namespace === '' ? '' : `/namespaces/${namespace}`;
  const path = `/apis/${group}/${version}${within}/${plural}/${name}`;
  let current: FinalizedObject | undefined = finalized;
  for (let tries = 0; current !== undefined; tries += 1) {
    const at = `/metadata/finalizers/${current.finalizers.indexOf(propagated)}`;
    const body = [
      { op: 'test', path: '/metadata/uid', value: current.uid },
      { op: 'test', path: at, value: propagated },
      { op: 'remove', path: at },
    ];
    try {
      await client.json({
        ...{ method: 'PATCH', action: { verb: 'patch', group, resource: plural }, path, body, signal },
        contentType: 'application/json-patch+json',
      });
      return;
    } catch (reason) {
      const status = kubeRefusalOf(reason)?.status;
      if (status === 404) return;
      if ((status !== 422 && status !== 409) || tries >= triesMax) throw reason;
    }
    const now = await readAgain(client, target, path, signal);
    const found = now && read(finalized.ref, now);
    current = found?.uid === finalized.uid ? found : undefined;
  }
}

/** The object as it is now; undefined: it is gone. */
async function readAgain(
  client: KubeClient,
  { group, plural }: WatchTarget,
  path: string,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  try {
    const object = await client.json({ action: { verb: 'get', group, resource: plural }, path, signal });
    return object as KubeObject;
  } catch (reason) {
    if (kubeRefusalOf(reason)?.status === 404) return undefined;
    throw reason;
  }
}
