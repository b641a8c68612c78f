import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import { deregister, type NamedClient } from './deregistration.ts';
import { type KeptInstance, keepRegisteredAt, type LeaseGeneration } from './lease-plane.ts';

/** What the keeper needs. */
interface KeeperOptions {
  /** The control planes of the IDC. A single one is asked for the others. */
  readonly planes: readonly NamedClient[];
  /** A client for a control plane by the name that another reports; undefined: none possible. */
  readonly find: (name: string) => NamedClient | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Reports progress to the user. */
  readonly say: (words: string) => void;
}

/** Keeps one generation of an instance registered. */
export interface LeaseKeeper {
  /**
   * Registers at all control planes, then renews until stopped, through outages of any of them. Resolves when
   * it ends everywhere: stopped, or deregistered by somebody else. Throws MeshError `invalid` if all that
   * answer refuse the first registration for its content or token.
   */
  keep(instance: KeptInstance, signal: AbortSignal): Promise<void>;
  /** Whether any control plane may know the instance: a registration was attempted. */
  readonly isKnown: boolean;
  /**
   * Deregisters everywhere; true if done at all that answer, with `wait` confirmed by every proxy. Gives up
   * after `timeoutMs`.
   */
  remove(wait: boolean, timeoutMs: number): Promise<boolean>;
}

/** How long a refusal waits for another control plane to accept. Milliseconds. */
const secondOpinionMs = 2_000;

/** Creates the keeper of one generation. */
export function createLeaseKeeper(options: KeeperOptions): LeaseKeeper {
  return new LeasesOfOneLife(options);
}

class LeasesOfOneLife implements LeaseKeeper {
  readonly #planes: readonly NamedClient[];
  readonly #find: (name: string) => NamedClient | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #say: (words: string) => void;
  readonly #knownPlanes: NamedClient[];
  #instance: KeptInstance | undefined;
  // Generations are numbered by time: a later start has a higher one, on any machine.
  readonly #lease: LeaseGeneration;

  constructor({ planes, find, clock, random, say }: KeeperOptions) {
    this.#planes = planes;
    this.#find = find;
    this.#clock = clock;
    this.#random = random;
    this.#say = say;
    this.#knownPlanes = [...planes];
    this.#lease = { generation: Math.max(1, Math.floor(clock.wall())), isRegistered: false };
  }

  async keep(kept: KeptInstance, signal: AbortSignal): Promise<void> {
    this.#instance = kept;
    const stop = new AbortController();
    const keeping: Promise<void>[] = [];
    const within = AbortSignal.any([signal, stop.signal]);

    const begin = async (plane: NamedClient): Promise<void> => {
      try {
        await keepRegisteredAt({
          ...{
            plane,
            instance: kept,
            lease: this.#lease,
            clock: this.#clock,
            random: this.#random,
            say: this.#say,
            signal: within,
          },
          atPlane: () => (this.#isOne() ? '' : ` at ${plane.name}`),
          onOthers: (names) => {
            // One that was given knows the others; two that were given are all, by whatever names others
            // call them.
            if (this.#planes.length > 1) return;
            for (const name of names) {
              const other = this.#knownPlanes.some((one) => one.name === name) ? undefined : this.#find(name);
              if (other === undefined) continue;
              this.#knownPlanes.push(other);
              this.#say(`also registering at ${name}, another control plane of this IDC`);
              keeping.push(begin(other));
            }
          },
        });
      } catch (reason) {
        if (!this.#lease.isRegistered)
          await sleep(this.#clock, this.#isOne() ? 0 : secondOpinionMs, within).catch(() => {});
        if (!this.#lease.isRegistered) {
          stop.abort();
          throw reason;
        }
        this.#say(`${MeshError.from(reason).message}; it is not registered at ${plane.name}`);
      }
    };

    keeping.push(...this.#planes.map(begin));
    // Control planes are added while this runs.
    for (let count = 0; count !== keeping.length; ) {
      count = keeping.length;
      await Promise.all(keeping);
    }
  }

  get isKnown() {
    return this.#instance !== undefined;
  }

  async remove(wait: boolean, timeoutMs: number): Promise<boolean> {
    if (this.#instance === undefined) return true;
    const { generation } = this.#lease;
    const results = await deregister({
      ...{
        planes: this.#knownPlanes,
        key: this.#instance.key,
        generation,
        wait,
        timeoutMs,
        clock: this.#clock,
        random: this.#random,
      },
    });
    const of = (end: string) => results.filter((one) => one.end === end);
    const at = (name: string) => (this.#isOne() ? '' : ` at ${name}`);
    for (const { name, words } of of('owed'))
      this.#say(`deregistered${at(name)}, not confirmed in time by ${words}`);
    for (const { name, words } of of('refused')) this.#say(`not deregistered${at(name)}: ${words}`);
    if (of('away').length === results.length)
      this.#say(
        `not deregistered: the control plane${this.#isOne() ? ' does' : 's do'} not answer; the lease will run out`,
      );
    else
      for (const { words } of of('away'))
        this.#say(`${words}; its proxies were waited for as far as they came to another one`);
    return of('done').length > 0 && of('owed').length + of('refused').length === 0;
  }

  #isOne(): boolean {
    return this.#knownPlanes.length === 1;
  }
}
