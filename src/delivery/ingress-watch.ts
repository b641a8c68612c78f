import { createConnection } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

/** Where an ingress gateway takes connections of other IDCs. */
interface Address {
  readonly address: string;
  readonly port: number;
}

/** What the watch needs. */
export interface IngressWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The ingress gateways of the own IDC; none: nobody asks how many are alive. */
  gateways(): readonly Address[];
  /** How many are alive now, after that changed; undefined: nobody knows. */
  onChange(live: number | undefined): void;
}

/** Between two looks, for a connection to open, and how many in a row must fail. */
export const ingressWatch = { everyMs: 1_000, connectMs: 500, failures: 2 } as const;

/**
 * Counts the ingress gateways that accept connections, so that what an IDC takes from others is divided among those alone. One
 * that hangs still accepts: it keeps its part. When none accepts the fault is taken for the control plane's own, and nobody knows.
 */
export class IngressWatch {
  readonly #options: IngressWatchOptions;
  readonly #failures = new Map<string, number>();
  #timer: Timer | undefined;
  #closed = false;
  #live: number | undefined;

  constructor(options: IngressWatchOptions) {
    this.#options = options;
    this.#again();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #again(): void {
    this.#timer = this.#options.clock.after(ingressWatch.everyMs, async () => {
      await this.#look();
      if (!this.#closed) this.#again();
    });
  }

  async #look(): Promise<void> {
    const gateways = this.#options.gateways();
    const names = gateways.map(({ address, port }) => `${address} ${port}`);
    for (const known of this.#failures.keys()) if (!names.includes(known)) this.#failures.delete(known);
    await Promise.all(
      gateways.map(async (gateway, i) => {
        const name = names[i] ?? '';
        this.#failures.set(name, (await accepts(gateway)) ? 0 : (this.#failures.get(name) ?? 0) + 1);
      }),
    );
    if (this.#closed) return;
    const dead = names.filter((name) => (this.#failures.get(name) ?? 0) >= ingressWatch.failures);
    const live = dead.length === names.length ? undefined : names.length - dead.length;
    if (live === this.#live) return;
    const { logger, onChange } = this.#options;
    this.#live = live;
    if (dead.length > 0) logger.warn('ingress gateways accept no connection', { live: live ?? 0, dead });
    else logger.info('all ingress gateways accept connections', { live });
    onChange(live);
  }
}

function accepts({ address: host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: ingressWatch.connectMs });
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}
