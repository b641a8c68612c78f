import { createConnection } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

/** Where something of this IDC accepts connections. */
export interface Reached {
  readonly address: string;
  readonly port: number;
}

/** What the watch needs. */
export interface ReachWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is to be looked at now; nothing: nobody asks. */
  watched(): readonly Reached[];
  /** What accepts no connection (`reachedName`), after that changed. */
  onChange(dead: ReadonlySet<string>): void;
}

/** Between two looks at one, for a connection to open, how many in a row must fail, and most looks a second. */
export const reachWatch = { everyMs: 1_000, connectMs: 500, failures: 2, perSecondMax: 250 } as const;

/** How what is watched is named. */
export function reachedName({ address, port }: Reached): string {
  return `${address} ${port}`;
}

/**
 * Tells which gateways and instances of this IDC accept no connection: what the IDC takes from others rests on those that live, and
 * the registry knows of a death only later. One that hangs still accepts, and counts. What the control plane alone cannot reach counts as
 * dead too, which errs to the safe side: whoever uses this takes all for alive where none is.
 */
export class ReachWatch {
  readonly #options: ReachWatchOptions;
  readonly #failures = new Map<string, number>();
  #dead: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: ReachWatchOptions) {
    this.#options = options;
    this.#again(reachWatch.everyMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #again(afterMs: number): void {
    this.#timer = this.#options.clock.after(afterMs, async () => {
      const { clock } = this.#options;
      const began = clock.now();
      const count = await this.#look();
      const roundMs = Math.max(reachWatch.everyMs, (1000 * count) / reachWatch.perSecondMax);
      if (!this.#closed) this.#again(Math.max(0, roundMs - (clock.now() - began)));
    });
  }

  /** Looks at all, some at a time; how many. */
  async #look(): Promise<number> {
    const watched = new Map(this.#options.watched().map((one) => [reachedName(one), one]));
    for (const known of this.#failures.keys()) if (!watched.has(known)) this.#failures.delete(known);
    const waiting = [...watched];
    const next = async (): Promise<void> => {
      for (let one = waiting.pop(); one !== undefined && !this.#closed; one = waiting.pop()) {
        const [name, at] = one;
        this.#failures.set(name, (await accepts(at)) ? 0 : (this.#failures.get(name) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, next));
    if (!this.#closed) this.#tell();
    return watched.size;
  }

  #tell(): void {
    const { logger, onChange } = this.#options;
    const isDead = ([, failures]: [string, number]) => failures >= reachWatch.failures;
    const dead = new Set([...this.#failures].filter(isDead).map(([name]) => name));
    const came = [...dead].filter((name) => !this.#dead.has(name));
    const went = [...this.#dead].filter((name) => !dead.has(name));
    if (came.length === 0 && went.length === 0) return;
    this.#dead = dead;
    if (came.length > 0)
      logger.warn('accept no connection: do not count in what this IDC takes from others', {
        dead: came.slice(0, 10),
      });
    if (went.length > 0)
      logger.info('accept connections again, and count in what this IDC takes from others; or are gone', {
        names: went.slice(0, 10),
      });
    onChange(dead);
  }
}

/** Connections that are opened beside each other. */
const atOnce = 64;

function accepts({ address: host, port }: Reached): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: reachWatch.connectMs });
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}
