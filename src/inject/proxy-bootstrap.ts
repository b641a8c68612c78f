import type { NodeScope } from '../model/node.ts';
import { parseSizeBytes } from '../model/values/size.ts';
import { buildBootstrap } from '../translate/bootstrap.ts';
import type { PodWishes } from './pod-wishes.ts';
import { type InjectSettings, injected } from './settings.ts';

/** Part of a memory limit for the heap: the rest is code, stacks, and the allocator's. */
const heapPart = 0.8;

const loopback = (port: number) => ({ address: '127.0.0.1', port });

/**
 * The bootstrap of a Pod's sidecar, as JSON for `envoy --config-yaml`: that of `isthmus bootstrap --role
 * sidecar`, and what a kubelet asks. Its node id comes by `--service-node`, as the name of a Pod is not known
 * when it is admitted. Throws MeshError `invalid`.
 */
export function proxyBootstrap(settings: InjectSettings, wishes: PodWishes, namespace: string): string {
  const { appPort, outboundPort, unknownHosts, zone, dependsOn } = wishes;
  const scope: NodeScope = {
    ...{ role: 'sidecar', idc: settings.idc, namespace },
    ...(zone === undefined ? {} : { zone }),
    ...(dependsOn === undefined ? {} : { dependsOn }),
    ...(outboundPort === undefined ? {} : { outbound: loopback(outboundPort) }),
    ...(unknownHosts === 'pass' && outboundPort !== undefined ? { unknownHosts } : {}),
  };
  const bootstrap = buildBootstrap({
    ...{ id: injected.proxy, scope, xds: settings.xds, admin: loopback(injected.adminPort) },
    maxHeapBytes: Math.floor(heapPart * (parseSizeBytes(wishes.memoryLimit) ?? 0)),
    ...(appPort === undefined
      ? {}
      : { inbound: { listen: { address: '0.0.0.0', port: wishes.inboundPort }, app: loopback(appPort) } }),
    pod: {
      ...{ readyPort: injected.readyPort, ipv6: settings.ipv6 },
      ...(wishes.capture ? { capturePort: injected.capturePort } : {}),
    },
  });
  return JSON.stringify(bootstrap);
}
