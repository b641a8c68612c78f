import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import { deregister, type NamedClient } from './deregistration.ts';
import { type KeptInstance, keepAt, type Life } from './lease-plane.ts';

/** What the keeper needs. */
interface KeeperOptions {
  /** The control planes of the IDC. Where there is one, it is asked for the others. */
  readonly planes: readonly NamedClient[];
  /** Another control plane, as one that answers names it; undefined: it cannot be asked. */
  readonly find: (name: string) => NamedClient | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Tells a person what happens. */
  readonly say: (words: string) => void;
}

/** Keeps one life of an instance registered. */
export interface LeaseKeeper {
  /**
   * Registers at all control planes, then renews until it is stopped, over any absence of any of them.
   * Resolves when it ends everywhere: stopped, or when somebody else has taken the instance out. Throws
   * MeshError `invalid` when all that answer refuse the first registration for what it is or who sends it.
   */
  keep(instance: KeptInstance, signal: AbortSignal): Promise<void>;
  /** Whether anybody may know of the instance: it was to be registered, whatever came of it. */
  readonly isKnown: boolean;
  /**
   * Takes the instance out everywhere; true when that was done at all that answer, with `wait` by every
   * proxy. Gives up after `timeoutMs`.
   */
  remove(wait: boolean, timeoutMs: number): Promise<boolean>;
}

/** How long a refusal waits for another control plane that accepts. Milliseconds. */
const secondOpinionMs = 2_000;

/** Creates the keeper of one life: a new one is a new life. */
export function createLeaseKeeper(options: KeeperOptions): LeaseKeeper {
  return new LeasesOfOneLife(options);
}

class LeasesOfOneLife implements LeaseKeeper {
  readonly #planes: readonly NamedClient[];
  readonly #find: (name: string) => NamedClient | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #say: (words: string) => void;
  readonly #known: NamedClient[];
  #instance: KeptInstance | undefined;
  // Lives are numbered by time, so that a newer one is newer whoever starts it.
  readonly #life: Life;

  constructor({ planes, find, clock, random, say }: KeeperOptions) {
    this.#planes = planes;
    this.#find = find;
    this.#clock = clock;
    this.#random = random;
    this.#say = say;
    this.#known = [...planes];
    this.#life = { generation: Math.max(1, Math.floor(clock.wall())), isRegistered: false };
  }

  async keep(kept: KeptInstance, signal: AbortSignal): Promise<void> {
    this.#instance = kept;
    const stop = new AbortController();
    const keeping: Promise<void>[] = [];
    const within = AbortSignal.any([signal, stop.signal]);

    const begin = async (plane: NamedClient): Promise<void> => {
      try {
        await keepAt({
          ...{
            plane,
            instance: kept,
            life: this.#life,
            clock: this.#clock,
            random: this.#random,
            say: this.#say,
            signal: within,
          },
          at: () => (this.#isOne() ? '' : ` at ${plane.name}`),
          onOthers: (names) => {
            // One that was given knows the others; two that were given are all, by whatever names others
            // call them.
            if (this.#planes.length > 1) return;
            for (const name of names) {
              const other = this.#known.some((one) => one.name === name) ? undefined : this.#find(name);
              if (other === undefined) continue;
              this.#known.push(other);
              this.#say(`registering at ${name}, too, another control plane of this IDC`);
              keeping.push(begin(other));
            }
          },
        });
      } catch (reason) {
        if (!this.#life.isRegistered)
          await sleep(this.#clock, this.#isOne() ? 0 : secondOpinionMs, within).catch(() => {});
        if (!this.#life.isRegistered) {
          stop.abort();
          throw reason;
        }
        this.#say(`${MeshError.from(reason).message}; it is not registered at ${plane.name}`);
      }
    };

    keeping.push(...this.#planes.map(begin));
    // Others join while it runs.
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
    const { generation } = this.#life;
    const ends = await deregister({
      ...{
        planes: this.#known,
        key: this.#instance.key,
        generation,
        wait,
        timeoutMs,
        clock: this.#clock,
        random: this.#random,
      },
    });
    const of = (end: string) => ends.filter((one) => one.end === end);
    const at = (name: string) => (this.#isOne() ? '' : ` at ${name}`);
    for (const { name, words } of of('owed'))
      this.#say(`deregistered${at(name)}, not confirmed in time by ${words}`);
    for (const { name, words } of of('refused')) this.#say(`not deregistered${at(name)}: ${words}`);
    if (of('away').length === ends.length)
      this.#say(
        `not deregistered: the control plane${this.#isOne() ? ' does' : 's do'} not answer; the lease will run out`,
      );
    else
      for (const { words } of of('away'))
        this.#say(`${words}; its proxies were waited for as far as they came to another one`);
    return of('done').length > 0 && of('owed').length + of('refused').length === 0;
  }

  #isOne(): boolean {
    return this.#known.length === 1;
  }
}
