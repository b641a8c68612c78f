import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { GroupPlan } from '../plan/types.ts';
import { instancesCluster } from '../translate/names.ts';
import type { ReadClusters } from './read-clusters.ts';
import type { AskedProxy, SeenHost } from './types.ts';
import { wayTo } from './way.ts';

/** A Group whose instances are looked at; `key`: its name. */
interface LookedAt {
  readonly key: string;
  readonly plan: GroupPlan;
}

interface RoundsOptions {
  readonly clock: Clock;
  readonly read: ReadClusters;
  proxies(): Iterable<AskedProxy>;
  /** The names of all Groups. */
  keys(): readonly string[];
  /** The plan of one that has instances in this IDC and is known to gateways. */
  planOf(key: string): GroupPlan | undefined;
  /** Whether a Group with health checks has an instance that some ingress gateway considers healthy. */
  onSeen(key: string, canServe: boolean): void;
  /** An ingress gateway has ejected an instance, or has not for a while. */
  onEjected(key: string, target: string, node: string, isEjected: boolean): void;
}

/** Times in milliseconds. */
export const roundLimits = {
  /** Between two readings. */
  every: 2_000,
  /** Groups of a reading, besides those that may have failed. */
  groups: 50,
  suspects: 25,
  /** Ingress gateways that are asked in turn. */
  gateways: 8,
  /** Readings in a row by which a Group has failed. */
  failures: 2,
  /** An ejection that returns within this time has not ended. */
  ejectionEnds: 60_000,
  ejections: 1_000,
} as const;

/** A Group that some gateway considers failed. */
interface Suspect {
  /** The gateways that do, by node. */
  readonly at: Set<string>;
  /** Whether one says otherwise in this round; undefined: none was read. */
  isWell: boolean | undefined;
  readings: number;
}

/**
 * Reads ingress gateways in the background, a few clusters of one gateway at a time: they check and use the
 * instances of all Groups, and know of a dead one what the registry does not. It costs an Envoy some
 * milliseconds each two seconds, whatever the number of Groups.
 */
export class InstanceRounds {
  readonly #options: RoundsOptions;
  readonly #suspects = new Map<string, Suspect>();
  readonly #ejected = new Map<string, { key: string; target: string; node: string; at: number }>();
  /** Envoys before 1.40 send all clusters, whatever is asked; others answer with what no Envoy says. */
  readonly #unfit = new WeakSet<AskedProxy>();
  /** Gateways, by node, that did not answer when they were read last. */
  readonly #silent = new Set<string>();
  #round = 0;
  #next = 0;
  #nextSuspect = 0;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.after(roundLimits.every, () => void this.#run());
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #run(): Promise<void> {
    await this.#readOnce().catch(() => {});
    if (!this.#isClosed) this.start();
  }

  async #readOnce(): Promise<void> {
    const { keys } = this.#options;
    const gateways = this.#gateways();
    const suspects = this.#suspectsNow();
    const turn = gateways[this.#round % Math.max(1, gateways.length)];
    this.#round += 1;
    if (turn !== undefined && keys().length > 0) {
      const known = new Set(suspects.map(({ key }) => key));
      const others = this.#chunkOf(keys()).filter(({ key }) => !known.has(key));
      const groupsOf = (gateway: AskedProxy) => (gateway === turn ? [...suspects, ...others] : suspects);
      await Promise.all(gateways.map((gateway) => this.#readGateway(gateway, groupsOf(gateway))));
      this.#judge(gateways.map(({ node }) => node));
    } else this.#silent.clear();
    this.#endEjections();
  }

  /** The next Groups, in turn, that some gateway considers failed; those that are gone are forgotten. */
  #suspectsNow(): readonly LookedAt[] {
    const all = [...this.#suspects.keys()];
    if (this.#nextSuspect >= all.length) this.#nextSuspect = 0;
    const some = all.slice(this.#nextSuspect, this.#nextSuspect + roundLimits.suspects);
    this.#nextSuspect += some.length;
    return some.flatMap((key) => {
      const plan = this.#options.planOf(key);
      if (plan === undefined) this.#suspects.delete(key);
      return plan === undefined ? [] : [{ key, plan }];
    });
  }

  /** The next Groups, in turn. */
  #chunkOf(keys: readonly string[]): readonly LookedAt[] {
    if (this.#next >= keys.length) this.#next = 0;
    const chunk = keys.slice(this.#next, this.#next + roundLimits.groups);
    this.#next += chunk.length;
    return chunk.flatMap((key) => {
      const plan = this.#options.planOf(key);
      return plan === undefined ? [] : [{ key, plan }];
    });
  }

  #endEjections(): void {
    const now = this.#options.clock.now();
    for (const [name, { key, target, node, at }] of this.#ejected) {
      if (now - at <= roundLimits.ejectionEnds) continue;
      this.#ejected.delete(name);
      this.#options.onEjected(key, target, node, false);
    }
  }

  #gateways(): readonly AskedProxy[] {
    return [...this.#options.proxies()]
      .filter((proxy) => proxy.role === 'ingress' && !this.#unfit.has(proxy) && 'port' in wayTo(proxy))
      .slice(0, roundLimits.gateways);
  }

  async #readGateway(gateway: AskedProxy, groups: readonly LookedAt[]): Promise<void> {
    const way = wayTo(gateway);
    if (groups.length === 0 || !('port' in way)) return;
    const names = new Set(groups.map(({ plan }) => instancesCluster(plan.group)));
    const found = await this.#options.read(way, [...names]).catch((reason: unknown) => {
      // It answers, with what no Envoy says: reading that again and again costs, and tells nothing.
      if (reason instanceof MeshError) this.#unfit.add(gateway);
      return undefined;
    });
    if (this.#isClosed) return;
    if (found === undefined) {
      this.#silent.add(gateway.node);
      return;
    }
    this.#silent.delete(gateway.node);
    if ([...found.keys()].some((name) => !names.has(name))) this.#unfit.add(gateway);
    for (const { key, plan } of groups) {
      const hosts = found.get(instancesCluster(plan.group)) ?? [];
      this.#noteEjected(key, hosts, gateway.node);
      if (plan.health !== undefined) this.#noteHealth(key, hosts, gateway.node);
    }
  }

  #noteHealth(key: string, hosts: readonly SeenHost[], node: string): void {
    // A gateway that has just started knows nothing yet.
    if (hosts.length === 0 || hosts.some(({ why }) => why.includes('not-checked'))) return;
    const suspect = this.#suspects.get(key) ?? { at: new Set<string>(), isWell: undefined, readings: 0 };
    if (hosts.some(({ health }) => health !== 'unhealthy')) {
      suspect.at.delete(node);
      suspect.isWell = true;
    } else {
      suspect.at.add(node);
      suspect.isWell ??= false;
    }
    this.#suspects.set(key, suspect);
  }

  /** Tells Groups that all gateways consider failed, and those that one does not any more. */
  #judge(nodes: readonly string[]): void {
    for (const node of this.#silent) if (!nodes.includes(node)) this.#silent.delete(node);
    const heard = nodes.filter((node) => !this.#silent.has(node));
    for (const [key, suspect] of this.#suspects) {
      for (const node of suspect.at) if (!nodes.includes(node)) suspect.at.delete(node);
      if (suspect.isWell === undefined) continue;
      const hasFailed = heard.length > 0 && heard.every((node) => suspect.at.has(node));
      suspect.readings = hasFailed ? suspect.readings + 1 : 0;
      if (suspect.readings >= roundLimits.failures) this.#options.onSeen(key, false);
      else if (suspect.isWell) this.#options.onSeen(key, true);
      suspect.isWell = undefined;
      if (suspect.at.size === 0) this.#suspects.delete(key);
    }
  }

  #noteEjected(key: string, hosts: readonly SeenHost[], node: string): void {
    for (const { address, why } of hosts) {
      if (!why.includes('ejected')) continue;
      const name = `${key} ${address} ${node}`;
      const known = this.#ejected.get(name);
      if (known === undefined && this.#ejected.size >= roundLimits.ejections) continue;
      this.#ejected.set(name, { key, target: address, node, at: this.#options.clock.now() });
      if (known === undefined) this.#options.onEjected(key, address, node, true);
    }
  }
}
