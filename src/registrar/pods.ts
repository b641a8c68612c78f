import type { KubeObject } from '../kube/watch/watch-events.ts';
import type { DesiredInstance } from './instance-entry.ts';
import { type PodInstance, zoneLabel } from './read-pod.ts';

const keyStart = 'pod/';

/** Which instances there should be, by their keys. */
interface InstanceSource {
  /** How its keys begin. */
  readonly keyStart: string;
  /** The instance of a key; undefined: there is none, or it is not ready. */
  desired(key: string): DesiredInstance | undefined;
  keys(): Iterable<string>;
}

/** A Node, as far as it matters here. */
export interface NodeZone {
  readonly name: string;
  readonly zone: string | undefined;
}

/** Reads a Node. */
export function readNodeZone({ metadata }: KubeObject): NodeZone {
  return { name: metadata?.name ?? '', zone: metadata?.labels?.[zoneLabel] };
}

interface PodSourceOptions {
  /** The zone of a Node. */
  zoneOf(node: string): string | undefined;
  /** Whether Nodes are known. */
  areZonesKnown(): boolean;
  /** What should be there of a key may have changed. */
  onChange(key: string): void;
}

/** The Pods of Groups, each as an instance. */
export class PodInstances implements InstanceSource {
  readonly keyStart = keyStart;
  readonly #options: PodSourceOptions;
  readonly #byKey = new Map<string, PodInstance>();
  /** Pods with an address of their own; more than one while an address goes from one to the next. */
  readonly #byAddress = new Map<string, Set<PodInstance>>();

  constructor(options: PodSourceOptions) {
    this.#options = options;
  }

  /** A Pod has come, changed, or gone. */
  change(before: PodInstance | undefined, now: PodInstance | undefined): void {
    const changed = new Set<string>();
    if (before !== undefined) {
      this.#byKey.delete(keyOf(before));
      this.#forgetAddress(before, changed);
    }
    if (now !== undefined) {
      this.#byKey.set(keyOf(now), now);
      this.#noteAddress(now, changed);
    }
    for (const pod of [before, now]) if (pod !== undefined) changed.add(keyOf(pod));
    for (const key of changed) this.#options.onChange(key);
  }

  /** The zone of a Node has changed. */
  changeNode(node: string): void {
    for (const [key, pod] of this.#byKey) if (pod.node === node) this.#options.onChange(key);
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  *pods(): Iterable<PodInstance> {
    yield* this.#byKey.values();
  }

  get(key: string): PodInstance | undefined {
    return this.#byKey.get(key);
  }

  desired(key: string): DesiredInstance | undefined {
    const pod = this.#byKey.get(key);
    if (pod === undefined || !pod.isServing || this.#isSucceeded(pod)) return undefined;
    const { uid, namespace, name, generation, healthySince, address, labels, ports, weight, gate } = pod;
    const { zoneOf, areZonesKnown } = this.#options;
    return {
      ...{ key, uid, namespace, name, generation, healthySince, address, labels, ports },
      ...(weight !== undefined && { weight }),
      isGated: gate !== undefined,
      zone: pod.zone ?? zoneOf(pod.node),
      isZoneKnown: pod.zone !== undefined || areZonesKnown(),
    };
  }

  /** Whether a later Pod has its address: requests for it would reach that one. */
  #isSucceeded(pod: PodInstance): boolean {
    for (const other of this.#byAddress.get(pod.address) ?? []) if (isLater(other, pod)) return true;
    return false;
  }

  #noteAddress(pod: PodInstance, changed: Set<string>): void {
    if (pod.address === '' || pod.onHostNetwork) return;
    const pods = this.#byAddress.get(pod.address) ?? new Set();
    this.#byAddress.set(pod.address, pods.add(pod));
    for (const one of pods) changed.add(keyOf(one));
  }

  #forgetAddress(pod: PodInstance, changed: Set<string>): void {
    const pods = this.#byAddress.get(pod.address);
    if (pods?.delete(pod) !== true) return;
    if (pods.size === 0) this.#byAddress.delete(pod.address);
    for (const one of pods) changed.add(keyOf(one));
  }
}

function keyOf({ uid }: PodInstance): string {
  return `${keyStart}${uid}`;
}

function isLater(a: PodInstance, b: PodInstance): boolean {
  return a.startedMs === b.startedMs ? a.uid > b.uid : a.startedMs > b.startedMs;
}
