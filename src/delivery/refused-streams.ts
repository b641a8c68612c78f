import type { Clock } from '../base/clock.ts';
import type { Finding } from '../model/finding.ts';

/** Streams refused for one reason, to clients at one address. Ages in milliseconds. */
export interface RefusedStreams {
  /** IP address of the clients. */
  readonly from: string;
  /** The node id of the last of them. */
  readonly node?: string;
  readonly reason: string;
  readonly count: number;
  readonly firstAgoMs: number;
  readonly lastAgoMs: number;
}

/**
 * How long a refusal is reported after the last one like it, and how many at most. An Envoy retries within
 * half a minute.
 */
export const refusedLimits = { keptMs: 600_000, most: 100 };

interface Entry {
  readonly from: string;
  readonly reason: string;
  node: string | undefined;
  count: number;
  readonly firstAt: number;
  lastAt: number;
}

/** Recently refused streams: their proxies get no configuration, and are in no list of proxies. */
export class RefusalLog {
  readonly #clock: Clock;
  // The least recently refused first.
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records a refusal; `peer` is `address:port`. */
  record(peer: string, node: string | undefined, reason: string): void {
    const from = peer.replace(/:\d+$/, '');
    // Numbers such as sizes are ignored when reasons are compared.
    const key = `${from} ${node ?? ''} ${reason.replaceAll(/\d+/g, '#')}`;
    const now = this.#clock.now();
    const entry = this.#entries.get(key) ?? { from, reason, node, count: 0, firstAt: now, lastAt: now };
    entry.count += 1;
    entry.lastAt = now;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > refusedLimits.most && oldest !== undefined) this.#entries.delete(oldest);
  }

  /** A node is connected: its refusals are over. */
  clear(node: string): void {
    for (const [key, entry] of this.#entries) if (entry.node === node) this.#entries.delete(key);
  }

  /** The most recent first. */
  list(): readonly RefusedStreams[] {
    const now = this.#clock.now();
    for (const [key, { lastAt }] of this.#entries)
      if (now - lastAt > refusedLimits.keptMs) this.#entries.delete(key);
    return [...this.#entries.values()].reverse().map(({ from, node, reason, count, firstAt, lastAt }) => ({
      ...{ from, reason, count, firstAgoMs: now - firstAt, lastAgoMs: now - lastAt },
      ...(node === undefined ? {} : { node }),
    }));
  }
}

/** One finding for each. */
export function describeRefusedStreams(list: readonly RefusedStreams[]): readonly Finding[] {
  return list.map(({ from, node, reason, count, lastAgoMs }) => {
    const who = node === undefined ? 'an xDS client' : `node '${node}'`;
    const times = count === 1 ? '' : ` ${count} times`;
    const message = `${who} was refused${times}, the last time ${Math.round(lastAgoMs / 1000)} s ago, and gets no configuration: ${reason}. Correct the client at this address, or stop it.`;
    return { code: 'StreamRefused', severity: 'warning', where: from, path: '', message };
  });
}
