import { createHash } from 'node:crypto';
import type { Clock } from '../../../base/clock.ts';
import { MeshError } from '../../../base/error.ts';
import type { KubeAction, KubeClient } from '../../../kube/kube-client.ts';
import { kubeRefusalOf } from '../../../kube/kube-failure.ts';
import type { LeaseTiming } from '../../../kube/lease.ts';
import type { KubeObject } from '../../../kube/watch/watch-events.ts';
import type { ProxyProgress } from '../../source.ts';

/** The IDC that a control plane's Lease is of. */
const idcLabel = 'isthmus.dev/replica-of';

/**
 * What its proxies have confirmed, separated by commas: UIDs of deleted objects that none has any more, and
 * UIDs with generations of instances that all have. Where proxies are counted their number is behind it, and
 * only if both are equal all have confirmed: `UID/GENERATION:ACKED/PROXIES`.
 */
const confirmedKey = 'isthmus.dev/confirmed';

interface ReplicaLeasesOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly idc: string;
  /** No two processes may have one. */
  readonly identity: string;
  readonly clock: Clock;
  readonly timing: LeaseTiming;
}

/** What a control plane says of something that waits. */
export interface ReplicaWord {
  /** Whether all its proxies have confirmed it. */
  readonly isConfirmed: boolean;
  /** How many have, where that is counted. */
  readonly progress: ProxyProgress | undefined;
}

/** Another control plane of the IDC, as its Lease says. */
export interface OtherReplica {
  readonly identity: string;
  /** By UID, with generation where an object is not deleted. */
  readonly words: ReadonlyMap<string, ReplicaWord>;
}

/** `coordination.k8s.io/v1`, as far as it is read. */
interface Lease {
  readonly metadata?: KubeObject['metadata'];
  readonly spec?: { readonly holderIdentity?: string; readonly leaseDurationSeconds?: number };
}

/** What was seen of a Lease. */
interface SeenLease {
  readonly version: string;
  /** When it was first seen in this version. */
  readonly sinceMs: number;
}

/** The Leases by which the control planes of an IDC know of each other: each has one of its own. */
export class ReplicaLeases {
  readonly #options: ReplicaLeasesOptions;
  readonly #name: string;
  #seen = new Map<string, SeenLease>();
  /** Why Leases of ended control planes stay; undefined: they do not. */
  unremoved: MeshError | undefined;

  constructor(options: ReplicaLeasesOptions) {
    this.#options = options;
    const { idc, identity } = options;
    this.#name = `isthmus-replica-${idc}-${createHash('sha256').update(identity).digest('hex').slice(0, 16)}`;
  }

  /** Renews the own Lease, with what is confirmed. Rejects as `KubeClient.json` does. */
  async write(words: readonly (readonly [string, ReplicaWord])[], signal: AbortSignal): Promise<void> {
    const { client, idc, identity, clock, timing } = this.#options;
    const query = new URLSearchParams({ fieldManager: 'isthmus', force: 'true' });
    await client.json({
      ...{ method: 'PATCH', contentType: 'application/apply-patch+yaml', action: action('patch'), signal },
      path: `${this.#collection}/${this.#name}?${query}`,
      body: {
        ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
        metadata: {
          ...{ name: this.#name, labels: { [idcLabel]: idc } },
          annotations: { [confirmedKey]: words.map(showWord).join(',') },
        },
        spec: {
          ...{ holderIdentity: identity, leaseDurationSeconds: Math.ceil(timing.durationMs / 1000) },
          // MicroTime has six digits.
          renewTime: new Date(clock.wall()).toISOString().replace('Z', '000Z'),
        },
      },
    });
  }

  /**
   * The others whose Lease has not ended, as the API server has them now: one that began before this was
   * asked is among them. Whether one has ended is told by how long it was seen unchanged, never by the clocks
   * of others. `removes`: Leases that have ended are deleted. Rejects as `KubeClient.json` does.
   */
  async others(removes: boolean, signal: AbortSignal): Promise<readonly OtherReplica[]> {
    const { client, idc, clock } = this.#options;
    const query = new URLSearchParams({ labelSelector: `${idcLabel}=${idc}` });
    const path = `${this.#collection}?${query}`;
    const { items = [] } = (await client.json({ action: action('list'), path, signal })) as {
      readonly items?: readonly Lease[];
    };
    const now = clock.now();
    this.unremoved = undefined;
    const seen = new Map<string, SeenLease>();
    const others: OtherReplica[] = [];
    for (const { metadata = {}, spec = {} } of items) {
      const { name = '', resourceVersion: version = '', annotations = {} } = metadata;
      if (name === this.#name) continue;
      const known = this.#seen.get(name);
      const { sinceMs } = known?.version === version ? known : { sinceMs: now };
      seen.set(name, { version, sinceMs });
      const { holderIdentity = name, leaseDurationSeconds } = spec;
      const durationMs = (leaseDurationSeconds ?? this.#options.timing.durationMs / 1000) * 1000;
      if (now - sinceMs < durationMs) {
        const words = (annotations[confirmedKey] ?? '').split(',').filter((text) => text !== '');
        others.push({ identity: holderIdentity, words: new Map(words.map(readWord)) });
      } else if (removes) await this.#remove(name, version, signal);
    }
    this.#seen = seen;
    return others;
  }

  /** Only this version of it: one that was renewed meanwhile has not ended. */
  async #remove(name: string, resourceVersion: string, signal: AbortSignal): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { resourceVersion } };
    const path = `${this.#collection}/${name}`;
    try {
      await this.#options.client.json({ method: 'DELETE', action: action('delete'), path, body, signal });
    } catch (reason) {
      // It was renewed, or is gone; or the server is away.
      if (kubeRefusalOf(reason)?.status === 403) this.unremoved = MeshError.from(reason);
    }
  }

  get #collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }
}

function action(verb: KubeAction['verb']): KubeAction {
  return { verb, group: 'coordination.k8s.io', resource: 'leases' };
}

function showWord([key, { progress }]: readonly [string, ReplicaWord]): string {
  return progress === undefined ? key : `${key}:${progress.acked}/${progress.proxies}`;
}

function readWord(text: string): [string, ReplicaWord] {
  const [, key = text, acked, proxies] = /^([^:]*):([0-9]+)\/([0-9]+)$/.exec(text) ?? [];
  if (acked === undefined) return [key, { isConfirmed: true, progress: undefined }];
  const progress = { acked: Number(acked), proxies: Number(proxies) };
  return [key, { isConfirmed: progress.acked === progress.proxies, progress }];
}
