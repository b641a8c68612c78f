import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { TokenBucket } from '../base/token-bucket.ts';
import type { PlaneEvent } from '../contract/events.ts';
import type { NewEvent } from './event.ts';
import type { JournalFile } from './journal-file.ts';

/** What a journal keeps. Ages in milliseconds, rates in events. */
export const journalLimits = {
  events: 10_000,
  /** Of one kind: a storm of one must not push out the others. */
  ofKind: 4_000,
  ageMs: 7 * 86_400_000,
  /** Of one kind at once, and each minute beyond that. */
  burst: 500,
  perMinute: 10,
  /** Who waits for the next event at once. */
  waiting: 64,
} as const;

/** What was asked for. */
export interface EventQuestion {
  /** Not older than this, milliseconds of the wall clock. */
  readonly since?: number | undefined;
  /** After the event of this id. */
  readonly after?: number | undefined;
  readonly kinds?: ReadonlySet<string> | undefined;
  readonly limit: number;
}

/** What is kept of it. */
interface EventAnswer {
  readonly events: readonly PlaneEvent[];
  readonly isCut: boolean;
}

/** Keeps the last events. */
export interface Journal {
  add(event: NewEvent): void;
  read(question: EventQuestion): EventAnswer;
  /** When the control plane before this one was alive last, by the wall clock in milliseconds. */
  aliveAt(): number | undefined;
  /** The oldest one that is kept. */
  oldest(): PlaneEvent | undefined;
  /** The id of the newest one; 0: none. */
  last(): number;
  /** Where they are kept. */
  state(): { readonly kept: 'disk' | 'memory'; readonly keptWhy?: string; readonly dropped: number };
  /**
   * Resolves once there is an event after this one, after `waitMs`, or when `signal` aborts. Throws MeshError
   * `exhausted` if too many wait.
   */
  next(after: number, waitMs: number, signal: AbortSignal): Promise<void>;
  /** Writes what is not written yet; takes a second at most. */
  close(): Promise<void>;
}

interface JournalOptions {
  readonly clock: Clock;
  /** Absent: in memory only. */
  readonly file?: JournalFile | undefined;
}

/** Creates a journal with the events that the file has. */
export function createEventJournal({ clock, file }: JournalOptions): Journal {
  return new RingJournal(clock, file);
}

class RingJournal implements Journal {
  readonly #clock: Clock;
  readonly #file: JournalFile | undefined;
  // The oldest first.
  readonly #events = new Map<number, PlaneEvent>();
  readonly #idsOf = new Map<string, Set<number>>();
  readonly #rates = new Map<string, { readonly bucket: TokenBucket; missed: number }>();
  readonly #waiting = new Set<() => void>();
  #last = 0;
  #dropped = 0;

  constructor(clock: Clock, file: JournalFile | undefined) {
    this.#clock = clock;
    this.#file = file;
    for (const event of file?.read ?? []) this.#keep(event);
  }

  add(event: NewEvent): void {
    const missed = this.#pass(event.kind);
    if (missed === undefined) return;
    const wall = this.#clock.wall();
    // The time as the number: it grows also where an earlier journal is lost.
    const id = Math.max(this.#last + 1, Math.floor(wall * 1_000));
    const kept = {
      ...{ id, at: new Date(wall).toISOString() },
      ...event,
      ...(missed > 0 ? { notNoted: missed } : {}),
    } as PlaneEvent;
    this.#keep(kept);
    this.#file?.write(kept);
    if (this.#waiting.size > 0) for (const wake of this.#waiting) wake();
  }

  /** How many of the kind were left out before this one; undefined: it is, too. */
  #pass(kind: string): number | undefined {
    const now = this.#clock.now();
    const { burst, perMinute } = journalLimits;
    const rate = this.#rates.get(kind) ?? { bucket: new TokenBucket(burst, perMinute / 60, now), missed: 0 };
    this.#rates.set(kind, rate);
    if (!rate.bucket.take(1, now)) {
      rate.missed += 1;
      this.#dropped += 1;
      return undefined;
    }
    const { missed } = rate;
    rate.missed = 0;
    return missed;
  }

  #keep(event: PlaneEvent): void {
    const { id, kind } = event;
    // A file that was edited, or two of them in the wrong order.
    if (id <= this.#last) return;
    this.#last = id;
    this.#events.set(id, event);
    const ids = this.#idsOf.get(kind) ?? new Set();
    this.#idsOf.set(kind, ids.add(id));
    if (ids.size > journalLimits.ofKind) this.#forget(ids.values().next().value as number, kind);
    this.#forgetOld();
  }

  #forgetOld(): void {
    const since = this.#clock.wall() - journalLimits.ageMs;
    for (const [id, { kind, at }] of this.#events) {
      if (this.#events.size <= journalLimits.events && Date.parse(at) >= since) return;
      this.#forget(id, kind);
    }
  }

  #forget(id: number, kind: string): void {
    this.#events.delete(id);
    this.#idsOf.get(kind)?.delete(id);
  }

  read({ since, after = 0, kinds, limit }: EventQuestion): EventAnswer {
    this.#forgetOld();
    const events: PlaneEvent[] = [];
    for (const event of this.#events.values()) {
      if (event.id <= after || (kinds && !kinds.has(event.kind))) continue;
      if (since !== undefined && Date.parse(event.at) < since) continue;
      if (events.length === limit) return { events, isCut: true };
      events.push(event);
    }
    return { events, isCut: false };
  }

  aliveAt(): number | undefined {
    return this.#file?.aliveAt;
  }

  oldest(): PlaneEvent | undefined {
    return this.#events.values().next().value;
  }

  last(): number {
    return this.#last;
  }

  state(): ReturnType<Journal['state']> {
    const { why, dropped = 0 } = this.#file?.state() ?? {};
    const words = this.#file === undefined ? 'isthmus serve has no --state' : why;
    return {
      kept: words === undefined ? 'disk' : 'memory',
      ...(words === undefined ? {} : { keptWhy: words }),
      dropped: this.#dropped + dropped,
    };
  }

  async next(after: number, waitMs: number, signal: AbortSignal): Promise<void> {
    if (this.#last > after) return;
    if (this.#waiting.size >= journalLimits.waiting) {
      const message = `${this.#waiting.size} clients wait for events: end some, or ask again later`;
      throw new MeshError('exhausted', message);
    }
    const woken = new AbortController();
    const wake = () => woken.abort();
    this.#waiting.add(wake);
    await sleep(this.#clock, waitMs, AbortSignal.any([woken.signal, signal])).catch(() => {});
    this.#waiting.delete(wake);
  }

  async close(): Promise<void> {
    for (const wake of this.#waiting) wake();
    await this.#file?.close();
  }
}
