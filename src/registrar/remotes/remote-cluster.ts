import type { Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { Registrar, type RegistrarOptions } from '../registrar.ts';

/** What a Remote is registered with. */
interface RemoteClusterOptions extends Omit<RegistrarOptions, 'cluster' | 'remote' | 'by' | 'onState'> {
  /**
   * How long a Remote is without a Secret before it counts as removed, in milliseconds: rotation may delete
   * and create.
   */
  readonly removalMs: number;
  /** Whether a registrar of its own is at work: then nothing is withdrawn. */
  isRegisteredElsewhere(): boolean;
  /** Makes a client of a kubeconfig. Throws MeshError. */
  open(kubeconfig: string, place: string): KubeClient;
  /** Something to report has changed. */
  onState(): void;
}

/** A registrar that runs. */
interface Running {
  readonly registrar: Registrar;
  readonly kubeconfig: string | undefined;
  end(isHandedOver: boolean): Promise<void>;
}

/**
 * A Remote that this process registers: a task of its own, which waits for no other. A new kubeconfig is used
 * beside the old one until it has read everything; what is registered does not change by that.
 */
export class RemoteCluster {
  readonly #cluster: string;
  readonly #options: RemoteClusterOptions;
  #current: Running | undefined;
  #next: Running | undefined;
  #removal: Timer | undefined;
  #isClosed = false;
  /** Whether it is done with: it has no Secret, and nothing is left of it here. */
  isOver = false;
  /** Why its kubeconfig cannot be used; the one before stays in use. */
  #fault: string | undefined;

  constructor(cluster: string, options: RemoteClusterOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** What is wrong with it, and what to do. */
  get troubles(): readonly string[] {
    const next = this.#next?.registrar.status.troubles ?? [];
    return [
      ...(this.#fault === undefined ? [] : [this.#fault]),
      ...(this.#current?.registrar.status.troubles ?? []),
      ...next.map((text) => `${text}. Until this new kubeconfig works, the one before is in use.`),
    ];
  }

  /** Whether it is being withdrawn, or about to be. */
  get isLeaving(): boolean {
    return this.#removal !== undefined || this.#isWithdrawing;
  }

  /** There is a Secret that says how to get there. */
  use(kubeconfig: string, place: string): void {
    this.#removal?.cancel();
    this.#removal = undefined;
    this.#fault = undefined;
    if ((this.#next ?? this.#current)?.kubeconfig === kubeconfig) return;
    let client: KubeClient;
    try {
      client = this.#options.open(kubeconfig, place);
    } catch (reason) {
      this.#fault = MeshError.from(reason).message;
      return;
    }
    const running = this.#start(client, kubeconfig);
    void this.#next?.end(true);
    this.#next = running;
    if (this.#current === undefined || this.#isWithdrawing) this.#swap();
  }

  /** No Secret says how to get there any more. */
  remove(): void {
    const { clock, removalMs } = this.#options;
    if (this.#isClosed || this.isLeaving || this.isOver) return;
    this.#removal = clock.after(removalMs, () => {
      this.#removal = undefined;
      if (this.#options.isRegisteredElsewhere()) return void this.#drop();
      void this.#next?.end(true);
      this.#next = this.#start('none', undefined);
      this.#fault = undefined;
      this.#swap();
    });
  }

  /** Ends what has nothing left to withdraw, and gives the Lease back. */
  look(): void {
    const { isReady, isActive, entries } = this.#current?.registrar.status ?? {};
    if (this.#isWithdrawing && isReady && isActive && entries === 0) this.#drop();
  }

  #drop(): void {
    void this.#current?.end(false);
    void this.#next?.end(true);
    this.#current = undefined;
    this.#next = undefined;
    this.isOver = true;
    this.#options.onState();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#removal?.cancel();
    await Promise.all([this.#next?.end(true), this.#current?.end(false)]);
  }

  get #isWithdrawing(): boolean {
    return this.#current !== undefined && this.#current.kubeconfig === undefined;
  }

  #start(remote: KubeClient | 'none', kubeconfig: string | undefined): Running {
    const stop = new AbortController();
    const registrar = new Registrar({
      ...{ ...this.#options, cluster: this.#cluster, remote },
      by: remote === 'none' ? 'nobody' : 'secret',
      onState: this.#onState,
    });
    const ended = registrar.run(stop.signal);
    return {
      ...{ registrar, kubeconfig },
      async end(isHandedOver) {
        if (isHandedOver) registrar.handOver();
        stop.abort();
        await ended;
        if (remote !== 'none') remote.close();
      },
    };
  }

  readonly #onState = (): void => {
    if (this.#isClosed) return;
    // Not before the new one knows all that the old one does.
    if (this.#next?.registrar.status.isReady === true) this.#swap();
    this.#options.onState();
  };

  #swap(): void {
    void this.#current?.end(true);
    this.#current = this.#next;
    this.#next = undefined;
  }
}
