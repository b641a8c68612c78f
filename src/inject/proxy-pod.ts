import type { RawMap } from '../base/raw-map.ts';
import { type PodWishes, resourceDefaults } from './pod-wishes.ts';
import { proxyBootstrap } from './proxy-bootstrap.ts';
import { type InjectSettings, injected } from './settings.ts';

/** What is added to a Pod. */
export interface Additions {
  /** Before those of the Pod, in this order: captured connections of theirs find the sidecar running. */
  readonly initContainers: readonly RawMap[];
  readonly readinessGates: readonly RawMap[];
  /** Seconds that containers of the Pod without a preStop hook wait in one; 0: none is added. */
  readonly drainSeconds: number;
}

/** Containers, gates and hooks of a Pod's sidecar. Throws MeshError `invalid` where wishes do not fit. */
export function buildAdditions(
  settings: InjectSettings,
  wishes: PodWishes,
  { namespace, group }: { readonly namespace: string; readonly group: boolean },
): Additions {
  const isCalled = group || wishes.appPort !== undefined;
  return {
    initContainers: [
      ...(wishes.capture ? [captureContainer(settings, wishes)] : []),
      proxyContainer(settings, wishes, proxyBootstrap(settings, wishes, namespace)),
    ],
    readinessGates: group && settings.readinessGate === 'group' ? [{ conditionType: injected.gate }] : [],
    drainSeconds: isCalled ? (wishes.drainSeconds ?? settings.drainSeconds) : 0,
  };
}

/** Kubernetes replaces `$(NAME)` in arguments: nothing in a bootstrap is meant so. */
const literal = (text: string) => text.replaceAll('$(', '$$$$(');

const probe = { httpGet: { path: '/ready', port: injected.readyPort } };

/**
 * A sidecar in the words of Kubernetes: an init container that goes on. It runs before the containers of the
 * Pod begin, and ends after them.
 */
function proxyContainer(settings: InjectSettings, wishes: PodWishes, bootstrap: string): RawMap {
  const fieldRef = (fieldPath: string) => ({ fieldRef: { fieldPath } });
  return {
    name: injected.proxy,
    image: wishes.image ?? settings.image,
    restartPolicy: 'Always',
    command: ['/usr/local/bin/envoy'],
    args: [
      ...['--config-yaml', literal(bootstrap), '--service-node', '$(POD_NAME).$(POD_NAMESPACE)'],
      ...['--disable-hot-restart', '--log-level', 'warning'],
    ],
    env: [
      { name: 'POD_NAME', valueFrom: fieldRef('metadata.name') },
      { name: 'POD_NAMESPACE', valueFrom: fieldRef('metadata.namespace') },
    ],
    ports: [
      ...(wishes.appPort === undefined
        ? []
        : [{ name: 'isthmus-in', containerPort: wishes.inboundPort, protocol: 'TCP' }]),
      { name: 'isthmus-ready', containerPort: injected.readyPort, protocol: 'TCP' },
    ],
    // The Pod waits for its configuration for ten minutes; then Envoy is started again.
    startupProbe: { ...probe, periodSeconds: 1, failureThreshold: 600 },
    readinessProbe: { ...probe, periodSeconds: 5, failureThreshold: 3 },
    resources: {
      requests: { cpu: wishes.cpu, memory: wishes.memory },
      limits: {
        ...(wishes.cpuLimit === undefined ? {} : { cpu: wishes.cpuLimit }),
        memory: wishes.memoryLimit,
      },
    },
    securityContext: {
      ...{ runAsUser: injected.uid, runAsGroup: injected.uid, runAsNonRoot: true, privileged: false },
      ...{ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

function captureContainer(settings: InjectSettings, { excludePorts, excludePrefixes }: PodWishes): RawMap {
  return {
    name: injected.capture,
    image: settings.isthmusImage,
    args: [
      ...['capture', '--apply', '--port', String(injected.capturePort), '--uid', String(injected.uid)],
      ...(excludePorts.length === 0 ? [] : ['--exclude-ports', excludePorts.join(',')]),
      ...(excludePrefixes.length === 0 ? [] : ['--exclude-cidrs', excludePrefixes.join(',')]),
    ],
    resources: {
      requests: { cpu: '10m', memory: resourceDefaults.memory },
      limits: { memory: resourceDefaults.memory },
    },
    securityContext: {
      ...{ runAsUser: 0, runAsGroup: 0, runAsNonRoot: false, privileged: false },
      ...{ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}
