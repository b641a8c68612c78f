import { isMap } from '../../base/raw-map.ts';
import type { KubeClient } from '../kube-client.ts';
import { kubeRefusalOf } from '../kube-failure.ts';
import type { WatchTarget } from './list-watch.ts';

/** A kind, with the versions that are understood, the best first. */
export interface SoughtKind {
  readonly group: string;
  readonly versions: readonly string[];
  readonly plural: string;
}

/**
 * The best version of a kind that the API server serves; undefined: it does not have the kind, or is about to
 * delete it with all its objects. Rejects as `KubeClient.json` does.
 */
export async function findServed(
  client: KubeClient,
  { group, versions, plural }: SoughtKind,
  signal: AbortSignal,
): Promise<WatchTarget | undefined> {
  for (const version of versions) {
    const target = { group, version, plural };
    if (await isServed(client, target, signal)) return target;
  }
  return undefined;
}

/**
 * Whether an API server has a kind and will keep it: of one whose definition is being deleted, objects can no
 * longer be created, while it deletes those that there are.
 */
export async function isServed(
  client: KubeClient,
  { group, version, plural }: WatchTarget,
  signal: AbortSignal,
): Promise<boolean> {
  const resources = await resourcesOf(client, `${group}/${version}`, signal);
  const verbs = resources.find(({ name }) => name === plural)?.verbs ?? [];
  return verbs.includes('watch') && verbs.includes('create');
}

/** `meta/v1.APIResource`, as far as it is read. */
interface ServedResource {
  readonly name?: string;
  readonly verbs?: readonly string[];
}

async function resourcesOf(
  client: KubeClient,
  groupVersion: string,
  signal: AbortSignal,
): Promise<readonly ServedResource[]> {
  try {
    const list = await client.json({
      ...{ action: { verb: 'get', group: groupVersion }, path: `/apis/${groupVersion}`, signal },
    });
    return isMap(list) && Array.isArray(list.resources) ? list.resources : [];
  } catch (reason) {
    if (kubeRefusalOf(reason)?.status === 404) return [];
    throw reason;
  }
}
