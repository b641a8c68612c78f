import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { inClusterAccess } from '../../kube/config/in-cluster.ts';
import type { KubeAccess } from '../../kube/config/kube-access.ts';
import { readKubeconfig } from '../../kube/config/kubeconfig.ts';

/** Flags that say which cluster. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly kubeContext?: string;
  readonly inCluster?: boolean;
}

/** How to get to the API server that they name. Throws MeshError if they do not, or it cannot be read. */
export function clusterAccess(
  { kubeconfig, kubeContext: context, inCluster }: ClusterFlags,
  clock: Clock,
): KubeAccess {
  if ((kubeconfig === undefined) === (inCluster !== true))
    throw new MeshError('invalid', 'give --kubeconfig or --in-cluster: one of them, for this cluster');
  return kubeconfig === undefined
    ? inClusterAccess(clock)
    : readKubeconfig({ file: kubeconfig, context }, clock);
}
