import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { compareText } from '../../base/text/compare-text.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { Finding } from '../../model/finding.ts';
import { Mirror } from '../mirror.ts';
import { type RegistrarTiming, registrarTiming } from '../registrar.ts';
import { type RemoteNews, readRemoteNews } from '../remote-lease.ts';
import { type RemoteSecret, readRemoteSecret, remoteSecretSelector } from './read-secret.ts';
import { RemoteAges } from './remote-ages.ts';
import { RemoteCluster } from './remote-cluster.ts';

/** Times of Remotes, in milliseconds. */
export interface RemotesTiming {
  readonly registrar: RegistrarTiming;
  /** A Remote of which nothing was heard for so long is stale. */
  readonly staleMs: number;
  /** Interval of looks at ages, and for what is left of Remotes that are withdrawn. */
  readonly lookMs: number;
  /** How long a Remote is without a Secret before what is registered of it is withdrawn. */
  readonly removalMs: number;
}

/** Stated in docs/registrar.md. */
const remotesTiming: RemotesTiming = {
  ...{ registrar: registrarTiming, staleMs: 60_000, lookMs: 5_000, removalMs: 30_000 },
};

/** What Remotes need. */
interface RemotesOptions {
  readonly idc: string;
  /** No two processes may have one. */
  readonly identity: string;
  readonly primary: KubeClient;
  /** Where the Leases are. */
  readonly namespace: string;
  /** Where the Secrets are; undefined: Remotes are registered by themselves alone. */
  readonly secrets: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly timing?: RemotesTiming | undefined;
  /** Makes a client of a kubeconfig. Throws MeshError. */
  open(kubeconfig: string, place: string): KubeClient;
  /** `findings` have changed. */
  onState(): void;
}

/**
 * The Remotes of a Primary: registers those of which there are Secrets, and says of all of them which have
 * not been heard of.
 */
export class Remotes {
  readonly #options: RemotesOptions;
  readonly #timing: RemotesTiming;
  readonly #clusters = new Map<string, RemoteCluster>();
  readonly #secrets: Mirror<RemoteSecret> | undefined;
  readonly #leases: Mirror<RemoteNews>;
  readonly #ages: RemoteAges;
  #bySecret = new Map<string, RemoteSecret>();
  #timer: Timer | undefined;

  constructor(options: RemotesOptions) {
    this.#options = options;
    this.#timing = options.timing ?? remotesTiming;
    const { primary: client, clock, random, namespace, secrets } = options;
    const more = { client, clock, random, timing: this.#timing.registrar.mirror, onState: this.#onState };
    this.#ages = new RemoteAges(clock, this.#timing.staleMs);
    this.#leases = new Mirror<RemoteNews>({
      ...more,
      kind: {
        ...{ group: 'coordination.k8s.io', versions: ['v1'], plural: 'leases', namespace },
        labelSelector: 'registrar.isthmus.dev/cluster',
        project: readRemoteNews,
      },
      onChange: (before, now) => {
        this.#ages.change(before, now);
        this.#onState();
      },
    });
    if (secrets !== undefined)
      this.#secrets = new Mirror<RemoteSecret>({
        ...more,
        kind: {
          ...{ group: '', versions: ['v1'], plural: 'secrets', namespace: secrets },
          ...{ labelSelector: remoteSecretSelector, project: readRemoteSecret },
        },
        onChange: (before, now) => {
          if (before !== undefined) this.#bySecret.delete(before.name);
          if (now !== undefined) this.#bySecret.set(now.name, now);
          this.#onState();
        },
      });
  }

  /** Runs until the signal is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    this.#look();
    await Promise.all([this.#leases.run(signal), this.#secrets?.run(signal)]);
    this.#timer?.cancel();
    await Promise.all([...this.#clusters.values()].map((cluster) => cluster.close()));
  }

  /** What is wrong, and which Remotes have not been heard of. */
  findings(): readonly Finding[] {
    const faults = [...this.#bySecret.values()].flatMap(({ faults }) => faults);
    const mirrors = [this.#leases, this.#secrets].map((one) => one?.trouble?.error.message);
    const found: Finding[] = [...faults, ...mirrors, ...this.#doubles()]
      .filter((text) => text !== undefined)
      .map((message) => finding('RemoteNotRead', 'error', 'remotes', message));
    for (const [name, { troubles, isLeaving }] of this.#clusters) {
      const where = `cluster ${name}`;
      for (const text of troubles) found.push(finding('RemoteNotRead', 'error', where, text));
      if (isLeaving) found.push(finding('RemoteRemoved', 'warning', where, leavingMessage(name)));
    }
    for (const { cluster, heard } of this.#ages.stale()) {
      const since = heard === '' ? 'was not heard of yet' : `was last heard of at ${heard}`;
      const message = `cluster ${cluster} ${since}: its instances are those that were known then, and stay. Look at its API server, and at its registrar.`;
      found.push(finding('RemoteStale', 'warning', `cluster ${cluster}`, message));
    }
    return found;
  }

  readonly #onState = (): void => {
    if (this.#secrets?.isListed === true) this.#assign();
    this.#options.onState();
  };

  /** Gives each Remote its kubeconfig: that of the first Secret by name. */
  #assign(): void {
    const wanted = new Map<string, { kubeconfig: string; place: string }>();
    for (const { name, clusters } of this.#inOrder())
      for (const [cluster, kubeconfig] of clusters)
        if (!wanted.has(cluster))
          wanted.set(cluster, { kubeconfig, place: `of Secret ${name}, data["${cluster}"]` });
    for (const [cluster, { kubeconfig, place }] of wanted) this.#of(cluster).use(kubeconfig, place);
    // Also one whose Secret went while no control plane ran.
    for (const { cluster, by } of this.#ages.all())
      if (by === 'secret' && !wanted.has(cluster)) this.#of(cluster).remove();
    for (const [cluster, remote] of this.#clusters) {
      if (remote.isOver) this.#clusters.delete(cluster);
      else if (!wanted.has(cluster)) remote.remove();
    }
  }

  #of(cluster: string): RemoteCluster {
    const known = this.#clusters.get(cluster);
    if (known !== undefined) return known;
    const { removalMs, registrar: timing } = this.#timing;
    const { secrets: _, ...options } = this.#options;
    const created = new RemoteCluster(cluster, {
      ...{ ...options, timing, removalMs, onState: this.#onState },
      isRegisteredElsewhere: () => this.#ages.of(cluster)?.by === 'registrar',
    });
    this.#clusters.set(cluster, created);
    return created;
  }

  #inOrder(): readonly RemoteSecret[] {
    return [...this.#bySecret.values()].sort((a, b) => compareText(a.name, b.name));
  }

  #doubles(): readonly string[] {
    const first = new Map<string, string>();
    const doubles: string[] = [];
    for (const { name, clusters } of this.#inOrder())
      for (const cluster of clusters.keys()) {
        const other = first.get(cluster);
        if (other === undefined) first.set(cluster, name);
        else
          doubles.push(
            `Secret ${name}: data["${cluster}"]: Secret ${other} has that cluster already, and counts: remove one of them, or give clusters names of their own.`,
          );
      }
    return doubles;
  }

  /** Ages grow, and entries go, without an event. */
  #look(): void {
    this.#timer = this.#options.clock.after(this.#timing.lookMs, () => {
      for (const cluster of this.#clusters.values()) cluster.look();
      this.#options.onState();
      this.#look();
    });
  }
}

function finding(
  code: 'RemoteNotRead' | 'RemoteRemoved' | 'RemoteStale',
  severity: Finding['severity'],
  where: string,
  message: string,
): Finding {
  return { code, severity, where, path: '', message };
}

function leavingMessage(cluster: string): string {
  return `no Secret has a kubeconfig of cluster ${cluster} any more: what is registered of it is withdrawn. If that is not meant, create the Secret again.`;
}
