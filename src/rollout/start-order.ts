import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { EndpointConcern } from '../delivery/deletion/deletions.ts';
import type { NodeRole } from '../model/node.ts';

/** What the start order needs. */
interface StartOrderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Type URLs that an egress gateway needs to listen. */
  readonly listenTypes: readonly string[];
  /** Whether this IDC has egress gateways with a destination. */
  hasEgress(): boolean;
}

/** How long ingress gateways wait, in milliseconds, after proxies are first answered. */
export const egressWaitMsMax = 5_000;

/**
 * Ingress gateways are answered once an egress gateway listens. When a whole IDC recovers, clients return as
 * soon as an ingress accepts connections; its instances may not be up yet, and without egress their requests
 * fail. Existing listeners stay: only newly connected gateways wait, at most `egressWaitMsMax`.
 */
export class StartOrder {
  readonly #options: StartOrderOptions;
  /** Streams of egress gateways, and whether each has all that it needs to listen. */
  readonly #egress = new Map<number, boolean>();
  readonly #heldClasses = new Map<string, () => void>();
  #answering = false;
  #limit: Timer | undefined;

  constructor(options: StartOrderOptions) {
    this.#options = options;
  }

  /** A stream's node is known. */
  opened(stream: number, role: NodeRole): void {
    if (role === 'egress') this.#egress.set(stream, false);
  }

  closed(stream: number): void {
    this.#egress.delete(stream);
  }

  /** A stream has confirmed more than before. */
  confirmed(stream: number, has: (concern: EndpointConcern) => boolean): void {
    if (this.#egress.get(stream) !== false) return;
    const types = this.#options.listenTypes;
    if (!has({ revision: Number.MAX_SAFE_INTEGER, types, subscribed: true })) return;
    this.#egress.set(stream, true);
    this.#releaseIfDue();
  }

  /**
   * A class of proxies has its first stream; `hold` keeps answers back until the returned function is called.
   */
  addClass(nodeClass: string, role: NodeRole, hold: () => () => void): void {
    if (role !== 'ingress') return;
    this.#heldClasses.set(nodeClass, hold());
    this.#releaseIfDue();
  }

  /** A class was dropped. */
  forget(nodeClass: string): void {
    this.#heldClasses.delete(nodeClass);
    if (this.#heldClasses.size === 0) this.#releaseAll();
  }

  /** Proxies are answered from now on. */
  answering(): void {
    this.#answering = true;
    this.#releaseIfDue();
  }

  /** Why connected gateways are not answered while other proxies are. */
  reasons(): readonly string[] {
    if (!this.#answering || this.#heldClasses.size === 0) return [];
    const most = egressWaitMsMax / 1_000;
    return [
      `ingress gateways that have just connected wait until an egress gateway of this IDC listens, for ${most} s at most`,
    ];
  }

  close(): void {
    this.#limit?.cancel();
  }

  #releaseIfDue(): void {
    if (!this.#answering || this.#heldClasses.size === 0) return;
    const { clock, logger, hasEgress } = this.#options;
    if ([...this.#egress.values()].includes(true) || !hasEgress()) {
      this.#releaseAll();
      return;
    }
    this.#limit ??= clock.after(egressWaitMsMax, () => {
      const waitedMs = egressWaitMsMax;
      logger.warn('no egress gateway listens yet: ingress gateways are answered without one', { waitedMs });
      this.#releaseAll();
    });
  }

  #releaseAll(): void {
    this.#limit?.cancel();
    this.#limit = undefined;
    for (const letGo of this.#heldClasses.values()) letGo();
    this.#heldClasses.clear();
  }
}
