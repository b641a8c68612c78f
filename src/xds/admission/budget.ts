import { MeshError } from '../../base/error.ts';
import { peerOfHostPort } from '../../base/fair-slots.ts';
import type { NameSet } from '../state/name-sets.ts';

/** Limits, in bytes, on what a server remembers for its clients. */
export interface BudgetLimits {
  /** Names, nodes, versions and refusals remembered for one connection's streams. */
  readonly connectionBytesMax: number;
  /** The same of all connections. */
  readonly allBytesMax: number;
  /** Unacknowledged responses that were built for one connection only; and of all connections. */
  readonly connectionUnansweredMax: number;
  readonly allUnansweredMax: number;
}

/** docs/xds.md lists them; docs/decisions/117 has the measurements. */
export const budgetLimits: BudgetLimits = {
  // A gateway with 30,000 Groups that names its resources of three types takes 25 MiB; a request of 100,000
  // names the same, twice.
  connectionBytesMax: 64 * 2 ** 20,
  allBytesMax: 2 ** 30,
  // The clusters, endpoints and routes of 30,000 Groups have some 110 MB, and may be in flight together.
  connectionUnansweredMax: 256 * 2 ** 20,
  allUnansweredMax: 2 ** 30,
};

/** What a server remembers for one stream. Methods throw MeshError 'exhausted' above a limit. */
export interface Account {
  /** Sets the names that it subscribes to, for a type. */
  names(typeUrl: string, set: NameSet): void;
  /** Sets the bytes remembered of its requests besides names. */
  setBytes(bytes: number): void;
  /**
   * Adds bytes of responses in flight that no other stream was sent; negative once answered. Ends the stream
   * above the limit.
   */
  unanswered(more: number): void;
  close(): void;
}

interface Counted {
  said: number;
  unanswered: number;
}

/** Totals of one connection's streams; a set of names counts once. */
interface Connection extends Counted {
  readonly address: string;
  readonly peer: string;
  readonly sets: Map<NameSet, number>;
  accounts: number;
}

const limited = (what: string, max: number, whose: string, todo: string) =>
  new MeshError('exhausted', `${whose} more than ${Math.round(max / 2 ** 20)} MiB of ${what}: ${todo}`);

/**
 * Counts what is remembered of client requests. A set of names counts once, however many streams subscribe to
 * it. Above the total limit, the address with most loses its largest stream if the asking address has less
 * than half of that; otherwise the asking stream is refused.
 */
export class Budget {
  readonly #limits: BudgetLimits;
  readonly #holders = new Map<NameSet, number>();
  readonly #connections = new Map<string, Connection>();
  readonly #accounts = new Set<StreamAccount>();
  #names = 0;
  #said = 0;
  #unanswered = 0;
  readonly #counting: Counting = {
    take: (connection, set) => this.#take(connection, set),
    drop: (connection, set) => this.#drop(connection, set),
    add: (connection, said, unanswered) => {
      connection.said += said;
      connection.unanswered += unanswered;
      this.#said += said;
      this.#unanswered += unanswered;
    },
    judgeSaid: (account) => this.#judgeSaid(account),
    judgeUnanswered: (account) => this.#judgeUnanswered(account),
    closed: (account) => this.#closed(account),
    shareOf: (set) => set.bytes / (this.#holders.get(set) ?? 1),
  };

  constructor(limits: Partial<BudgetLimits> = {}) {
    this.#limits = { ...budgetLimits, ...limits };
  }

  /** Bytes remembered of requests, and of unacknowledged responses, over all clients. */
  levels(): { readonly saidBytes: number; readonly unansweredBytes: number } {
    return { saidBytes: this.#names + this.#said, unansweredBytes: this.#unanswered };
  }

  /**
   * Opens the account of a stream on the connection from `address` (`host:port`); `refuse` ends the stream.
   */
  open(address: string, refuse: (error: MeshError) => void): Account {
    const known = this.#connections.get(address);
    const peer = peerOfHostPort(address);
    const connection: Connection = known ?? {
      ...{ address, peer, sets: new Map(), accounts: 0 },
      ...{ said: 0, unanswered: 0 },
    };
    this.#connections.set(address, connection);
    connection.accounts += 1;
    const account = new StreamAccount(connection, refuse, this.#counting);
    this.#accounts.add(account);
    return account;
  }

  #closed(account: StreamAccount): void {
    const { connection } = account;
    this.#accounts.delete(account);
    connection.accounts -= 1;
    if (connection.accounts === 0) this.#connections.delete(connection.address);
  }

  #take(connection: Connection, set: NameSet): void {
    const here = connection.sets.get(set) ?? 0;
    connection.sets.set(set, here + 1);
    if (here === 0) connection.said += set.bytes;
    const all = this.#holders.get(set) ?? 0;
    this.#holders.set(set, all + 1);
    if (all === 0) this.#names += set.bytes;
  }

  #drop(connection: Connection, set: NameSet): void {
    if (less(connection.sets, set)) connection.said -= set.bytes;
    if (less(this.#holders, set)) this.#names -= set.bytes;
  }

  #judgeSaid(account: StreamAccount): void {
    const { connectionBytesMax, allBytesMax } = this.#limits;
    const what = 'names and other data to remember';
    if (account.connection.said > connectionBytesMax)
      throw limited(what, connectionBytesMax, 'this connection has', 'subscribe to fewer names');
    while (this.#names + this.#said > allBytesMax) {
      const error = limited(what, allBytesMax, 'all clients have', 'subscribe to fewer names');
      this.#letGo(account, (one) => one.saidShare(), error);
    }
  }

  #judgeUnanswered(account: StreamAccount): void {
    const { connectionUnansweredMax, allUnansweredMax } = this.#limits;
    const [what, todo] = ['unacknowledged responses', 'acknowledge them, or subscribe to fewer names'];
    if (account.connection.unanswered > connectionUnansweredMax)
      throw limited(what, connectionUnansweredMax, 'this connection has', todo);
    while (this.#unanswered > allUnansweredMax) {
      const error = limited(what, allUnansweredMax, 'all clients have', todo);
      this.#letGo(account, (one) => one.counted.unanswered, error);
    }
  }

  /**
   * Ends the largest stream of the address that has most. Throws if that is about as much as the asking
   * address has.
   */
  #letGo(asking: StreamAccount, shareOf: (one: StreamAccount) => number, error: MeshError): void {
    const byPeer = new Map<string, { sum: number; most: number; largest: StreamAccount }>();
    for (const one of this.#accounts) {
      const share = shareOf(one);
      const { peer } = one.connection;
      const seen = byPeer.get(peer) ?? { sum: 0, most: -1, largest: one };
      seen.sum += share;
      if (share > seen.most) [seen.most, seen.largest] = [share, one];
      byPeer.set(peer, seen);
    }
    const own = byPeer.get(asking.connection.peer);
    const [first] = [...byPeer.values()].sort((a, b) => b.sum - a.sum);
    if (first === undefined || first === own || first.sum < 2 * (own?.sum ?? 0)) throw error;
    const { largest } = first;
    largest.close();
    largest.refuse(error);
  }
}

/** Decrements; returns whether that was the last. */
function less(counts: Map<NameSet, number>, set: NameSet): boolean {
  const left = (counts.get(set) ?? 0) - 1;
  if (left > 0) counts.set(set, left);
  else counts.delete(set);
  return left <= 0;
}

/** What an account needs from the budget. */
interface Counting {
  take(connection: Connection, set: NameSet): void;
  drop(connection: Connection, set: NameSet): void;
  add(connection: Connection, said: number, unanswered: number): void;
  judgeSaid(account: StreamAccount): void;
  judgeUnanswered(account: StreamAccount): void;
  closed(account: StreamAccount): void;
  /** A set's bytes divided by the streams that hold it. */
  shareOf(set: NameSet): number;
}

class StreamAccount implements Account {
  readonly connection: Connection;
  readonly refuse: (error: MeshError) => void;
  readonly counted: Counted = { said: 0, unanswered: 0 };
  readonly #counting: Counting;
  readonly #sets = new Map<string, NameSet>();
  #isClosed = false;

  constructor(connection: Connection, refuse: (error: MeshError) => void, counting: Counting) {
    this.connection = connection;
    this.refuse = refuse;
    this.#counting = counting;
  }

  names(typeUrl: string, set: NameSet): void {
    const before = this.#sets.get(typeUrl);
    if (this.#isClosed || before === set) return;
    this.#sets.set(typeUrl, set);
    this.#counting.take(this.connection, set);
    if (before !== undefined) this.#counting.drop(this.connection, before);
    if (set.bytes > (before?.bytes ?? 0)) this.#counting.judgeSaid(this);
  }

  setBytes(bytes: number): void {
    if (this.#isClosed || bytes === this.counted.said) return;
    const more = bytes - this.counted.said;
    this.counted.said = bytes;
    this.#counting.add(this.connection, more, 0);
    if (more > 0) this.#counting.judgeSaid(this);
  }

  unanswered(more: number): void {
    if (this.#isClosed || more === 0) return;
    this.counted.unanswered += more;
    this.#counting.add(this.connection, 0, more);
    if (more < 0) return;
    try {
      this.#counting.judgeUnanswered(this);
    } catch (error) {
      const reason = MeshError.from(error);
      // Deferred: the stream may be in the middle of a write.
      queueMicrotask(() => this.refuse(reason));
    }
  }

  saidShare(): number {
    let sum = this.counted.said;
    for (const set of this.#sets.values()) sum += this.#counting.shareOf(set);
    return sum;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const set of this.#sets.values()) this.#counting.drop(this.connection, set);
    this.#counting.add(this.connection, -this.counted.said, -this.counted.unanswered);
    this.#counting.closed(this);
  }
}
