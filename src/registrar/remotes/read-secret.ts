import { MeshError } from '../../base/error.ts';
import { isMap } from '../../base/raw-map.ts';
import type { KubeObject } from '../../kube/watch/watch-events.ts';
import { readClusterName } from '../cluster-name.ts';

/** The label of Secrets that hold kubeconfigs of Remotes, as `istioctl create-remote-secret` writes them. */
export const remoteSecretSelector = 'istio/multiCluster=true';

/** The Remotes of a Secret. */
export interface RemoteSecret {
  /** `NAMESPACE/NAME`. */
  readonly name: string;
  /** Kubeconfigs, by clusters. */
  readonly clusters: ReadonlyMap<string, string>;
  /** What is wrong with it: field, fault, and what to do. */
  readonly faults: readonly string[];
}

/** Reads a Secret. */
export function readRemoteSecret(object: KubeObject): RemoteSecret {
  const { metadata, data } = object as KubeObject & { readonly data?: unknown };
  const name = `${metadata?.namespace}/${metadata?.name}`;
  const clusters = new Map<string, string>();
  const faults: string[] = [];
  for (const [cluster, content] of Object.entries(isMap(data) ? data : {})) {
    try {
      clusters.set(readClusterName(cluster), Buffer.from(String(content), 'base64').toString('utf8'));
    } catch (reason) {
      faults.push(`Secret ${name}: data: ${MeshError.from(reason).message}`);
    }
  }
  if (clusters.size === 0 && faults.length === 0)
    faults.push(`Secret ${name}: data: is empty: give a kubeconfig, its key the name of the cluster.`);
  return { name, clusters, faults };
}
