import type { KubeClient } from '../../kube/kube-client.ts';
import { kubeRefusalOf } from '../../kube/kube-failure.ts';
import type { WatchTarget } from '../../kube/watch/list-watch.ts';
import type { KubeObject } from '../../kube/watch/watch-events.ts';
import type { Ref } from '../../model/object.ts';

/** Keeps a deleted instance in the API until no proxy has it any more. */
const propagatedFinalizer = 'isthmus.dev/propagated';

/** An object that is being deleted, and has the finalizer. */
export interface LeavingObject {
  readonly ref: Ref;
  readonly uid: string;
  readonly finalizers: readonly string[];
}

/** The object as one that is being deleted; undefined: it is not, or nothing of ours holds it. */
export function leavingObject(ref: Ref, { metadata = {} }: KubeObject): LeavingObject | undefined {
  const { uid, finalizers = [], deletionTimestamp } = metadata;
  if (deletionTimestamp === undefined || uid === undefined) return undefined;
  return finalizers.includes(propagatedFinalizer) ? { ref, uid, finalizers } : undefined;
}

/** Most tries against others who change the same object. */
const triesMax = 10;

/**
 * Takes the finalizer off a deleted object, and only off that one: it may have been deleted by force and
 * created again, or its finalizer removed by hand. Rejects as `KubeClient.json` does.
 */
export async function releaseFinalizer(
  client: KubeClient,
  target: WatchTarget,
  leaving: LeavingObject,
  signal: AbortSignal,
): Promise<void> {
  const { group, version, plural } = target;
  const { namespace, name } = leaving.ref;
  const path = `/apis/${group}/${version}/namespaces/${namespace}/${plural}/${name}`;
  let current: LeavingObject | undefined = leaving;
  for (let tries = 0; current !== undefined; tries += 1) {
    const at = `/metadata/finalizers/${current.finalizers.indexOf(propagatedFinalizer)}`;
    const body = [
      { op: 'test', path: '/metadata/uid', value: current.uid },
      { op: 'test', path: at, value: propagatedFinalizer },
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
    current = await readAgain(client, target, path, leaving, signal);
  }
}

/** The object as it is now; undefined: it is gone, or another one has its name, or it is released already. */
async function readAgain(
  client: KubeClient,
  { group, plural }: WatchTarget,
  path: string,
  leaving: LeavingObject,
  signal: AbortSignal,
): Promise<LeavingObject | undefined> {
  try {
    const object = await client.json({ action: { verb: 'get', group, resource: plural }, path, signal });
    const found = leavingObject(leaving.ref, object as KubeObject);
    return found?.uid === leaving.uid ? found : undefined;
  } catch (reason) {
    if (kubeRefusalOf(reason)?.status === 404) return undefined;
    throw reason;
  }
}
