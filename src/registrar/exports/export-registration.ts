import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/watch/watch-events.ts';
import { EntryWriter, type WriterTiming } from '../entry-writer.ts';
import {
  type DesiredInstance,
  type EntryWriterIdentity,
  entryKeys,
  type KnownEntry,
  readKnownEntry,
} from '../instance-entry.ts';
import { KnownEntries } from '../known-entries.ts';
import { Mirror, type MirroredKind, type MirrorTiming } from '../mirror.ts';
import { type DesiredService, ExportedServices, serviceEntryOf } from './exported-services.ts';
import { type KubeService, type KubeSlice, readService, readSlice } from './read-service.ts';

interface ExportOptions {
  readonly cluster: string;
  readonly primary: KubeClient;
  /** 'none': all ServiceEntries of the cluster are withdrawn. */
  readonly remote: KubeClient | 'none';
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: { readonly mirror: MirrorTiming; readonly writer: WriterTiming };
  /** Under which term this process may write; undefined: it may not. */
  identity(): EntryWriterIdentity | undefined;
  /** What should be there of an instance may have changed. */
  onInstance(key: string): void;
  /** What is known has changed: all is to be looked at, this too. */
  onState(): void;
  /** `troubles` have changed. */
  onTrouble(): void;
}

/** Keeps the ServiceEntries of exported Services, and says which instances these have. */
export class ExportRegistration {
  readonly #options: ExportOptions;
  readonly #exported: ExportedServices;
  readonly #known = new KnownEntries();
  readonly #entries: Mirror<KnownEntry>;
  readonly #exports: Mirror<string> | undefined;
  readonly #services: Mirror<KubeService> | undefined;
  readonly #slices: Mirror<KubeSlice> | undefined;
  readonly #writer: EntryWriter<DesiredService>;
  readonly #signal: AbortSignal;
  #others: Promise<unknown> | undefined;

  constructor(options: ExportOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const { primary, remote, cluster, onInstance } = options;
    this.#exported = new ExportedServices({
      ...{ cluster, onInstance },
      onService: (key) => this.#writer.wake(key),
    });
    const entries = { group: 'networking.istio.io', versions: ['v1'], plural: 'serviceentries' };
    this.#entries = this.#mirror<KnownEntry>(
      primary,
      { ...entries, labelSelector: `${entryKeys.cluster}=${cluster}`, project: readKnownEntry },
      (before, now) => {
        this.#known.change(before, now);
        for (const key of new Set([before?.key, now?.key])) if (key !== undefined) this.#writer.wake(key);
      },
    );
    this.#writer = this.#createWriter(signal);
    if (remote === 'none') return;
    this.#exports = this.#mirror<string>(
      remote,
      {
        ...{ group: 'multicluster.x-k8s.io', versions: ['v1beta1', 'v1alpha1'], plural: 'serviceexports' },
        ...{ project: serviceOf, outlivesKind: true },
      },
      (before, now) => this.#exported.changeExport(now ?? before ?? '', now !== undefined),
    );
    this.#services = this.#mirror<KubeService>(
      remote,
      { group: '', versions: ['v1'], plural: 'services', project: readService },
      (before, now) => this.#exported.changeService(before, now),
    );
    this.#slices = this.#mirror<KubeSlice>(
      remote,
      { group: 'discovery.k8s.io', versions: ['v1'], plural: 'endpointslices', project: readSlice },
      (before, now) => this.#exported.changeSlice(before, now),
    );
  }

  /** Runs until the signal is aborted; never rejects. Of clusters without the kind nothing else is read. */
  async run(): Promise<void> {
    if (this.#exports === undefined) this.#start();
    await this.#exports?.run(this.#signal);
    await this.#others;
  }

  /** What there should be of an instance; 'unknown': not all has been read. */
  instance(key: string): DesiredInstance | 'unknown' | undefined {
    return this.#isKnown ? this.#exported.instance(key) : 'unknown';
  }

  instanceKeys(): Iterable<string> {
    return this.#exported.instanceKeys();
  }

  /** ServiceEntries in the Primary. */
  get size(): number {
    return this.#known.size;
  }

  get isListed(): boolean {
    return this.#entries.isListed;
  }

  /** Something has changed that all depends on, such as the Lease. */
  wakeAll(): void {
    this.#writer.wakeAll([...this.#exported.serviceKeys(), ...this.#known.keys()]);
  }

  get troubles(): readonly string[] {
    const mirrors = [this.#entries, this.#exports, this.#services, this.#slices];
    const found = [...mirrors.map((one) => one?.trouble?.error.message), this.#writer.trouble];
    return found.filter((text) => text !== undefined);
  }

  get #isKnown(): boolean {
    if (this.#options.remote === 'none') return true;
    const isListed = [this.#exports, this.#services, this.#slices].every((one) => one?.isListed === true);
    return isListed && this.#exports?.isAbsent === false;
  }

  #start(): void {
    this.#others ??= Promise.all(
      [this.#entries, this.#services, this.#slices].map((one) => one?.run(this.#signal)),
    );
  }

  readonly #onState = (): void => {
    if (this.#exports?.isListed === true) this.#start();
    this.#options.onState();
  };

  #createWriter(signal: AbortSignal): EntryWriter<DesiredService> {
    const { primary, clock, random, timing, identity, onTrouble } = this.#options;
    return new EntryWriter<DesiredService>(
      {
        ...{ plural: 'serviceentries', client: primary, clock, random, timing: timing.writer },
        render: serviceEntryOf,
        onState: onTrouble,
        desired: (key) => (this.#isKnown ? this.#exported.service(key) : 'unknown'),
        known: (key) => this.#known.of(key),
        isTaken: (namespace, name) => this.#entries.get(namespace, name) !== undefined,
        identity: () => (this.#entries.isListed ? identity() : undefined),
        onWritten: (object, isGone) => (isGone ? this.#entries.remove(object) : this.#entries.put(object)),
      },
      signal,
    );
  }

  #mirror<T>(
    client: KubeClient,
    kind: MirroredKind<T>,
    onChange: (before: T | undefined, now: T | undefined) => void,
  ): Mirror<T> {
    const { clock, random, timing } = this.#options;
    const more = { clock, random, timing: timing.mirror, onState: this.#onState };
    return new Mirror({ ...more, client, kind, onChange });
  }
}

/** The Service that a ServiceExport is of: it has its name. */
function serviceOf({ metadata }: KubeObject): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}
