/** The holder of a slot. */
export interface SlotHolder {
  /** The peer that it counts for; see `peerOfAddress`. */
  readonly peer: string;
  /** Whether it uses its slot: such holders are ended last. */
  isSettled(): boolean;
  /** Its slot was given to another peer. */
  end(): void;
}

/**
 * Slots shared fairly by peers. When all are in use and a peer asks that has fewer than another, the peer
 * with most loses one: its newest holder, unsettled ones first.
 */
export class FairSlots<H extends SlotHolder> {
  readonly max: number;
  readonly #byPeer = new Map<string, Set<H>>();
  // Peers by number of slots, to find the one with most.
  readonly #byCount = new Map<number, Set<string>>();
  #most = 0;
  #taken = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** Slots in use. */
  get taken(): number {
    return this.#taken;
  }

  /** Peers with slots. */
  get peers(): number {
    return this.#byPeer.size;
  }

  /** Slots of a peer. */
  takenBy(peer: string): number {
    return this.#byPeer.get(peer)?.size ?? 0;
  }

  /** Takes a slot; false: none is free, and no peer has more than this one would. */
  take(holder: H): boolean {
    if (this.#taken >= this.max) {
      const loser = this.#loserTo(holder.peer);
      if (loser === undefined) return false;
      this.release(loser);
      loser.end();
    }
    const own = this.#byPeer.get(holder.peer) ?? new Set();
    this.#byPeer.set(holder.peer, own);
    own.add(holder);
    this.#taken += 1;
    this.#count(holder.peer, own.size - 1, own.size);
    return true;
  }

  /** Returns a slot; idempotent. */
  release(holder: H): void {
    const own = this.#byPeer.get(holder.peer);
    if (own?.delete(holder) !== true) return;
    this.#taken -= 1;
    this.#count(holder.peer, own.size + 1, own.size);
    if (own.size === 0) this.#byPeer.delete(holder.peer);
  }

  #loserTo(peer: string): H | undefined {
    const would = this.takenBy(peer) + 1;
    if (this.#most <= would) return undefined;
    const [most = ''] = this.#byCount.get(this.#most) ?? [];
    const holders = [...(this.#byPeer.get(most) ?? [])].reverse();
    const idle = holders.find((holder) => !holder.isSettled());
    // Between peers with similar numbers no settled holder is ended.
    return idle ?? (this.#most >= 2 * would ? holders[0] : undefined);
  }

  #count(peer: string, before: number, now: number): void {
    const left = this.#byCount.get(before);
    left?.delete(peer);
    if (left?.size === 0) this.#byCount.delete(before);
    if (now > 0) this.#byCount.set(now, (this.#byCount.get(now) ?? new Set()).add(peer));
    this.#most = Math.max(this.#most, now);
    while (this.#most > 0 && !this.#byCount.has(this.#most)) this.#most -= 1;
  }
}

/**
 * The peer of an address: itself; for IPv6 its first 64 bits, as a host has all addresses of a prefix (RFC
 * 4291, 2.5.4).
 */
export function peerOfAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...Array<string>(Math.max(0, zeros)).fill('0'), ...last];
  return `${all.slice(0, 4).join(':')}::/64`;
}

/** The peer of a `host:port`. */
export function peerOfHostPort(end: string): string {
  return peerOfAddress(end.slice(0, Math.max(0, end.lastIndexOf(':'))));
}
