/** Who holds a place. */
export interface Holder {
  /** Whom it counts for; see `peerOf`. */
  readonly peer: string;
  /** Whether it uses its place for what it is there for: who does is let go last. */
  isSettled(): boolean;
  /** It has lost its place to another peer. */
  end(): void;
}

/**
 * Places of which no peer can take all. When they are full and a peer asks that has fewer than another, the
 * peer with most loses one: that of the holder which came last, of those that are not settled where there are
 * any.
 */
export class Slots<H extends Holder> {
  readonly max: number;
  readonly #byPeer = new Map<string, Set<H>>();
  // Peers by how many places they have, so that the one with most is found at once.
  readonly #byCount = new Map<number, Set<string>>();
  #most = 0;
  #taken = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** Places that are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Peers that have some. */
  get peers(): number {
    return this.#byPeer.size;
  }

  /** Places that one peer has. */
  of(peer: string): number {
    return this.#byPeer.get(peer)?.size ?? 0;
  }

  /** Takes a place; false: there is none, and no peer has more than this one would have. */
  take(holder: H): boolean {
    if (this.#taken >= this.max) {
      const loser = this.#loserTo(holder.peer);
      if (loser === undefined) return false;
      this.free(loser);
      loser.end();
    }
    const own = this.#byPeer.get(holder.peer) ?? new Set();
    this.#byPeer.set(holder.peer, own);
    own.add(holder);
    this.#taken += 1;
    this.#count(holder.peer, own.size - 1, own.size);
    return true;
  }

  /** Gives a place back; again is no harm. */
  free(holder: H): void {
    const own = this.#byPeer.get(holder.peer);
    if (own?.delete(holder) !== true) return;
    this.#taken -= 1;
    this.#count(holder.peer, own.size + 1, own.size);
    if (own.size === 0) this.#byPeer.delete(holder.peer);
  }

  #loserTo(peer: string): H | undefined {
    const would = this.of(peer) + 1;
    if (this.#most <= would) return undefined;
    const [most = ''] = this.#byCount.get(this.#most) ?? [];
    const holders = [...(this.#byPeer.get(most) ?? [])].reverse();
    const idle = holders.find((holder) => !holder.isSettled());
    // Between peers that have about as many, none is ended that works.
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
 * Whom an address counts for: itself; of IPv6 the first 64 bits, as whoever has one of those addresses has
 * all (RFC 4291, 2.5.4).
 */
export function peerOf(address: string): string {
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

/** The same of an end of a connection: `host:port`. */
export function peerOfEnd(end: string): string {
  return peerOf(end.slice(0, Math.max(0, end.lastIndexOf(':'))));
}
