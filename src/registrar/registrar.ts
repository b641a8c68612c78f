import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { kubeRefusalOf } from '../kube/kube-failure.ts';
import { KubeLease, type LeaseTiming, leaseTiming } from '../kube/lease.ts';
import { listWatchTiming } from '../kube/watch/list-watch.ts';
import { groupLabel } from '../model/values/pod-names.ts';
import { EntryWriter, type WriterTiming, writerTiming } from './entry-writer.ts';
import { ExportRegistration } from './exports/export-registration.ts';
import { exportKeyStart } from './exports/exported-services.ts';
import {
  type DesiredInstance,
  type EntryWriterIdentity,
  entryKeys,
  entryOf,
  type KnownEntry,
  readKnownEntry,
} from './instance-entry.ts';
import { KnownEntries } from './known-entries.ts';
import { Mirror, type MirroredKind, type MirrorTiming } from './mirror.ts';
import { type GateTiming, gateTiming, PodGates } from './pod-gates.ts';
import { type NodeZone, PodInstances, readNodeZone } from './pods.ts';
import { type PodInstance, readPod } from './read-pod.ts';
import { type RegisteredBy, remoteLease, remoteNotes } from './remote-lease.ts';

/** Times of a registrar, in milliseconds. */
export interface RegistrarTiming {
  readonly mirror: MirrorTiming;
  readonly writer: WriterTiming;
  readonly lease: LeaseTiming;
  readonly gate: GateTiming;
}

/** Stated in docs/registrar.md. */
export const registrarTiming: RegistrarTiming = {
  mirror: { ...listWatchTiming, absentMs: 5_000 },
  writer: writerTiming,
  lease: leaseTiming,
  gate: gateTiming,
};

/** What a registrar is started with. */
export interface RegistrarOptions {
  /** The name of the Remote: no two have one. */
  readonly cluster: string;
  /** Where its instances are: the first part of their localities. */
  readonly idc: string;
  /** Who asks for the Lease: no two processes may have one. */
  readonly identity: string;
  /** The Primary, and the namespace of the Lease there. */
  readonly primary: KubeClient;
  readonly namespace: string;
  /** The cluster of the instances; 'none': all that was registered of it is withdrawn. */
  readonly remote: KubeClient | 'none';
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly timing?: RegistrarTiming;
  /** What tells others how the Remote is registered; absent: by a program in it. */
  readonly by?: RegisteredBy;
  /** `status` has changed, but for counts and times. */
  readonly onState?: () => void;
}

/** What a registrar does at present. */
export interface RegistrarStatus {
  readonly cluster: string;
  /** Whether this process is the one that writes. */
  readonly isActive: boolean;
  /** Whether both API servers have been read. */
  readonly isReady: boolean;
  /** Objects in the Primary, of these those that are kept until no proxy has them, and changes that wait. */
  readonly entries: number;
  readonly leaving: number;
  readonly pending: number;
  /** Pods that are ready but for their readiness gate: their proxies are not known to have them yet. */
  readonly gated: number;
  /** For so long the Remote has not been heard, in milliseconds: what is registered is as old. */
  readonly staleMs?: number;
  /** What is wrong, and what to do. */
  readonly troubles: readonly string[];
}

const workloadEntries = { group: 'networking.istio.io', versions: ['v1'], plural: 'workloadentries' };

/** Keeps the WorkloadEntries of a Remote in the Primary as its Pods are. */
export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #timing: RegistrarTiming;
  readonly #pods: PodInstances;
  readonly #known = new KnownEntries();
  #podMirror: Mirror<PodInstance> | undefined;
  #nodeMirror: Mirror<NodeZone> | undefined;
  #entryMirror: Mirror<KnownEntry> | undefined;
  #writer: EntryWriter<DesiredInstance> | undefined;
  #gates: PodGates | undefined;
  #exports: ExportRegistration | undefined;
  #lease: KubeLease | undefined;
  /** The wall time at which the Remote was last heard of. */
  #heardMs: number | undefined;
  #logged = new Set<string>();
  #isHandedOver = false;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#timing = options.timing ?? registrarTiming;
    this.#pods = new PodInstances({
      zoneOf: (node) => this.#nodeMirror?.get('', node)?.zone,
      areZonesKnown: () => this.#nodeMirror?.isListed === true,
      onChange: (key) => {
        this.#writer?.wake(key);
        this.#gates?.wake(key);
      },
    });
  }

  /** Runs until the signal is aborted, then gives the Lease back; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { primary, namespace, identity, clock, random, cluster, remote } = this.#options;
    const { by = remote === 'none' ? 'nobody' : 'registrar' } = this.#options;
    const lease = new KubeLease({
      ...{ client: primary, namespace, identity, clock, random, timing: this.#timing.lease },
      ...{ name: remoteLease(cluster), onState: this.#onLease },
      notes: () => remoteNotes(cluster, by, this.#noteHeard()),
    });
    this.#lease = lease;
    this.#writer = this.#createWriter(signal);
    this.#gates = this.#createGates(signal);
    this.#exports = this.#createExports(signal);
    const mirrors = [...this.#createMirrors(), this.#exports];
    await Promise.all([lease.run(signal), ...mirrors.map((mirror) => mirror.run(signal))]);
    if (!this.#isHandedOver) await lease.release();
  }

  /** Another one of this process goes on with the same identity: the Lease is not given back at the end. */
  handOver(): void {
    this.#isHandedOver = true;
  }

  get status(): RegistrarStatus {
    const { cluster, clock } = this.#options;
    const { size, leaving } = this.#known;
    const trouble = this.#podMirror?.trouble;
    return {
      cluster,
      isActive: this.#lease?.isHeld === true,
      isReady: this.#isRemoteKnown && this.#entryMirror?.isListed === true,
      ...{ entries: size + (this.#exports?.size ?? 0), leaving, pending: this.#writer?.pending ?? 0 },
      gated: this.#gates?.waiting ?? 0,
      ...(trouble && { staleMs: clock.now() - trouble.sinceMs }),
      troubles: this.#troubles(),
    };
  }

  #createExports(signal: AbortSignal): ExportRegistration {
    const { primary, remote, clock, random, cluster } = this.#options;
    return new ExportRegistration(
      {
        ...{ primary, remote, clock, random, cluster, timing: this.#timing },
        identity: () => this.#identity(),
        onInstance: (key) => this.#writer?.wake(key),
        onState: this.#onState,
        onTrouble: () => this.#tell(),
      },
      signal,
    );
  }

  /** Under which term this process may write; undefined: it may not. */
  #identity(): EntryWriterIdentity | undefined {
    const { cluster, idc } = this.#options;
    return this.#lease?.isHeld === true ? { cluster, idc, term: this.#lease.term } : undefined;
  }

  #createWriter(signal: AbortSignal): EntryWriter<DesiredInstance> {
    const { primary, clock, random } = this.#options;
    return new EntryWriter<DesiredInstance>(
      {
        ...{ plural: 'workloadentries', client: primary, clock, random, timing: this.#timing.writer },
        render: entryOf,
        desired: (key) => this.#desired(key),
        known: (key) => this.#known.of(key),
        isTaken: (namespace, name) => this.#entryMirror?.get(namespace, name) !== undefined,
        // What is there has to be known before anything is added to it.
        identity: () => (this.#entryMirror?.isListed === true ? this.#identity() : undefined),
        onWritten: (object, isGone) =>
          isGone ? this.#entryMirror?.remove(object) : this.#entryMirror?.put(object),
        onState: () => this.#tell(),
      },
      signal,
    );
  }

  #createGates(signal: AbortSignal): PodGates | undefined {
    const { remote, clock, random } = this.#options;
    if (remote === 'none') return undefined;
    return new PodGates(
      {
        ...{ client: remote, clock, random, timing: this.#timing.gate, writing: this.#timing.writer },
        pod: (key) => this.#pods.get(key),
        isAwaited: (key) => this.#pods.desired(key) !== undefined,
        isPropagated: (key) => this.#known.of(key).some((one) => one.isPropagated && !one.isLeaving),
        isActive: () => this.#entryMirror?.isListed === true && this.#identity() !== undefined,
        onWritten: (object) => this.#podMirror?.put(object),
        onState: () => this.#tell(),
      },
      signal,
    );
  }

  #createMirrors(): readonly { run(signal: AbortSignal): Promise<void> }[] {
    const { primary, remote, cluster } = this.#options;
    const entries = this.#mirror<KnownEntry>(
      primary,
      {
        ...workloadEntries,
        labelSelector: `${entryKeys.cluster}=${cluster}`,
        project: readKnownEntry,
      },
      (before, now) => {
        this.#known.change(before, now);
        for (const key of new Set([before?.key, now?.key])) {
          if (key === undefined) continue;
          this.#writer?.wake(key);
          this.#gates?.wake(key);
        }
      },
    );
    this.#entryMirror = entries;
    if (remote === 'none') return [entries];
    const pods = this.#mirror<PodInstance>(
      remote,
      { group: '', versions: ['v1'], plural: 'pods', labelSelector: groupLabel, project: readPod },
      (before, now) => this.#pods.change(before, now),
    );
    const nodes = this.#mirror<NodeZone>(
      remote,
      { group: '', versions: ['v1'], plural: 'nodes', project: readNodeZone },
      (before, now) => {
        const name = now?.name ?? before?.name;
        if (before?.zone !== now?.zone && name !== undefined) this.#pods.changeNode(name);
      },
    );
    this.#podMirror = pods;
    this.#nodeMirror = nodes;
    return [entries, pods, nodes];
  }

  #mirror<T>(
    client: KubeClient,
    kind: MirroredKind<T>,
    onChange: (before: T | undefined, now: T | undefined) => void,
  ): Mirror<T> {
    const { clock, random } = this.#options;
    const timing = this.#timing.mirror;
    return new Mirror({ ...{ client, kind, clock, random, timing, onChange }, onState: this.#onState });
  }

  /** What there should be; 'unknown': the Remote was not read yet, or not all that it depends on. */
  #desired(key: string): DesiredInstance | 'unknown' | undefined {
    if (this.#options.remote === 'none') return undefined;
    if (key.startsWith(exportKeyStart) && this.#exports !== undefined) return this.#exports.instance(key);
    if (!key.startsWith(this.#pods.keyStart)) return 'unknown';
    if (!this.#isRemoteKnown) return 'unknown';
    return this.#pods.desired(key);
  }

  /** Whether Pods were read once, and Nodes, unless these may not be read. */
  get #isRemoteKnown(): boolean {
    if (this.#options.remote === 'none') return this.#exports?.isListed === true;
    if (this.#podMirror?.isListed !== true) return false;
    const { isListed, trouble } = this.#nodeMirror ?? {};
    return isListed === true || kubeRefusalOf(trouble?.error)?.status === 403;
  }

  readonly #onState = (): void => {
    this.#wakeAll();
    this.#tell();
  };

  readonly #onLease = (): void => {
    const { cluster } = this.#options;
    if (this.#lease?.isHeld) this.#options.logger.info('registers the instances of a cluster', { cluster });
    this.#onState();
  };

  #wakeAll(): void {
    const exported = this.#exports?.instanceKeys() ?? [];
    this.#writer?.wakeAll([...this.#pods.keys(), ...exported, ...this.#known.keys()]);
    this.#exports?.wakeAll();
    this.#gates?.wakeAll(this.#pods.keys());
  }

  #noteHeard(): number | undefined {
    const { remote, clock } = this.#options;
    if (remote === 'none') return undefined;
    if (this.#podMirror?.isListed === true && this.#podMirror.trouble === undefined)
      this.#heardMs = clock.wall();
    return this.#heardMs;
  }

  #troubles(): readonly string[] {
    const { cluster, primary } = this.#options;
    const remote = [this.#podMirror, this.#nodeMirror].map((one) => one?.trouble?.error.message);
    const absent = this.#entryMirror?.isAbsent === true;
    return [
      ...remote.map((text) => text && `${text}. What is registered of ${cluster} stays as it is.`),
      this.#entryMirror?.trouble?.error.message,
      absent &&
        `${primary.server} has no workloadentries.networking.istio.io/v1: apply its definition (deploy/crds/istio).`,
      this.#lease?.trouble?.message,
      this.#writer?.trouble,
      ...(this.#gates?.troubles ?? []),
      ...(this.#exports?.troubles ?? []),
      ...[...this.#pods.pods()].flatMap(({ namespace, name, faults }) =>
        faults.map((fault) => `Pod ${namespace}/${name}: ${fault}`),
      ),
    ].filter((text): text is string => typeof text === 'string' && text !== '');
  }

  /** Logs what has become wrong, and what is well again, once. */
  #tell(): void {
    const { logger, cluster } = this.#options;
    const now = new Set(this.#troubles());
    for (const reason of now) if (!this.#logged.has(reason)) logger.warn(reason, { cluster });
    for (const reason of this.#logged) if (!now.has(reason)) logger.info(`over: ${reason}`, { cluster });
    this.#logged = now;
    this.#options.onState?.();
  }
}
