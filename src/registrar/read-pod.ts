import type { KubeObject } from '../kube/watch/watch-events.ts';
import { propagated, sidecarInboundPort } from '../model/values/pod-names.ts';

/** Annotations of a Pod that say what is registered. */
const podWishes = {
  weight: 'isthmus.dev/weight',
  zone: 'isthmus.dev/zone',
  appPort: 'isthmus.dev/app-port',
  inboundPort: 'isthmus.dev/inbound-port',
} as const;

/** The label of the zone: of Nodes, and of Pods from Kubernetes 1.35 on. */
export const zoneLabel = 'topology.kubernetes.io/zone';

/** Largest weight: beyond it the sum of a locality may not fit Envoy. */
const weightMax = 1_000_000;

/** A Pod, as far as it matters here. */
export interface PodInstance {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly node: string;
  /** '' before it has one, and after its end. */
  readonly address: string;
  /** Shares its address with its Node. */
  readonly onHostNetwork: boolean;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  /** Ready, but for what waits for its registration, and not being deleted. */
  readonly isServing: boolean;
  /** Its readiness gate that waits for the proxies; absent: it has none, or is being deleted. */
  readonly gate?: GateCondition;
  readonly healthySince: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: Readonly<Record<string, number>>;
  readonly zone?: string;
  readonly weight?: number;
  /** What is wrong with it: field, fault, and what to do. */
  readonly faults: readonly string[];
}

/** The condition of a readiness gate. */
interface GateCondition {
  readonly isTrue: boolean;
  /** '': nobody has written it. */
  readonly reason: string;
}

/** `v1.Pod`, as far as it is read. */
interface Pod extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string;
    readonly hostNetwork?: boolean;
    readonly readinessGates?: readonly { readonly conditionType?: string }[];
    readonly containers?: readonly PodContainer[];
    readonly initContainers?: readonly PodContainer[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly startTime?: string;
    readonly conditions?: readonly PodCondition[];
  };
}

interface PodContainer {
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort?: number;
    readonly protocol?: string;
  }[];
}

interface PodCondition {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly lastTransitionTime?: string;
}

/** Reads a Pod. */
export function readPod(object: KubeObject): PodInstance {
  const { metadata = {}, spec = {}, status = {} } = object as Pod;
  const { labels = {}, annotations = {} } = metadata;
  const faults: string[] = [];
  const hasEnded = status.phase === 'Succeeded' || status.phase === 'Failed';
  const weight = weightOf(annotations[podWishes.weight], faults);
  const zone = annotations[podWishes.zone] ?? labels[zoneLabel];
  const ready = readyCondition(spec, status);
  const isLeaving = hasEnded || metadata.deletionTimestamp !== undefined;
  const gate = isLeaving ? undefined : gateOf(spec, status);
  const address = hasEnded ? '' : (status.podIP ?? '');
  return {
    uid: metadata.uid ?? '',
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    generation: metadata.generation ?? 0,
    node: spec.nodeName ?? '',
    address,
    onHostNetwork: spec.hostNetwork === true,
    startedMs: Date.parse(status.startTime ?? metadata.creationTimestamp ?? '') || 0,
    isServing: ready !== undefined && address !== '' && metadata.deletionTimestamp === undefined,
    ...(gate !== undefined && { gate }),
    healthySince: ready?.lastTransitionTime ?? '',
    labels,
    ports: portsOf(spec, annotations),
    ...(zone !== undefined && { zone }),
    ...(weight !== undefined && { weight }),
    faults,
  };
}

/** The condition by which a Pod is ready; undefined: it is not. */
function readyCondition(
  { readinessGates = [] }: NonNullable<Pod['spec']>,
  { conditions = [], phase }: NonNullable<Pod['status']>,
): PodCondition | undefined {
  if (phase !== undefined && phase !== 'Running') return undefined;
  const isTrue = (type: string) => conditions.find((one) => one.type === type && one.status === 'True');
  const gates = readinessGates.map(({ conditionType = '' }) => conditionType);
  // Ready waits for the gate, the gate for the proxies, and these for the registration.
  if (!gates.includes(propagated)) return isTrue('Ready');
  return gates.every((type) => type === propagated || isTrue(type)) ? isTrue('ContainersReady') : undefined;
}

function gateOf(
  { readinessGates = [] }: NonNullable<Pod['spec']>,
  { conditions = [] }: NonNullable<Pod['status']>,
): GateCondition | undefined {
  if (!readinessGates.some(({ conditionType }) => conditionType === propagated)) return undefined;
  const found = conditions.find(({ type }) => type === propagated);
  return { isTrue: found?.status === 'True', reason: found?.reason ?? '' };
}

/** Ports by name, as ServiceEntries name them; that of a workload behind a sidecar is the sidecar's. */
function portsOf(
  { containers = [], initContainers = [] }: NonNullable<Pod['spec']>,
  annotations: Readonly<Record<string, string>>,
): Readonly<Record<string, number>> {
  const appPort = Number(annotations[podWishes.appPort]);
  const inboundPort = Number(annotations[podWishes.inboundPort] ?? sidecarInboundPort);
  const ports: Record<string, number> = {};
  for (const { name, containerPort, protocol = 'TCP' } of [...initContainers, ...containers].flatMap(
    (one) => one.ports ?? [],
  )) {
    if (name === undefined || containerPort === undefined || protocol !== 'TCP') continue;
    ports[name] = containerPort === appPort ? inboundPort : containerPort;
  }
  return ports;
}

function weightOf(text: string | undefined, faults: string[]): number | undefined {
  if (text === undefined) return undefined;
  const weight = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
  if (weight >= 1 && weight <= weightMax) return weight;
  faults.push(
    `metadata.annotations["${podWishes.weight}"]: must be a whole number from 1 to ${weightMax}, not '${text}': correct it; until then it is not read.`,
  );
  return undefined;
}
