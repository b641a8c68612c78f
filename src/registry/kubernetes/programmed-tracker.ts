import type { Clock } from '../../base/clock.ts';
import type { ProxyProgress } from '../source.ts';
import type { Condition, ReadStatus } from './accepted-condition.ts';
import { Rounds } from './joint/rounds.ts';
import type { ObjectConditions } from './object-conditions.ts';
import {
  isProgrammed,
  notAccepted,
  type ProgrammedNews,
  programmedCondition,
} from './programmed-condition.ts';

/** Times of looking what proxies have ACKed, in milliseconds. */
export interface ProgrammedTiming {
  /** After the start: proxies of a former process come back until then. */
  readonly settleMs: number;
  /** After which time it is told that some have not ACKed, and told anew. */
  readonly pendingMs: number;
}

/** Stated in docs/kubernetes.md. */
export const programmedTiming: ProgrammedTiming = { settleMs: 15_000, pendingMs: 5_000 };

/** Interval of looks while proxies have not ACKed, in milliseconds. */
const lookMs = 250;

/** The same for what has waited longer than `slowAfterMs`; and while nothing is to be done. */
const [slowMs, slowAfterMs, idleMs] = [2_000, 10_000, 60_000];

interface TrackerOptions {
  readonly identity: string;
  readonly clock: Clock;
  readonly timing: ProgrammedTiming;
  readonly conditions: Pick<ObjectConditions, 'unprogrammed'>;
  /** As that of a sink. */
  progress(): (() => ProxyProgress) | undefined;
  /** The proxies of this control plane have it; `then`: all have, with what the others count. */
  confirm(key: string, progress: ProxyProgress, then: (others: readonly ProxyProgress[]) => void): void;
  /** What other control planes said last. */
  others(key: string): Iterable<{ readonly identity: string; readonly progress: ProxyProgress | undefined }>;
  /** Conditions may be due. */
  onChange(): void;
}

/** A generation that not all proxies are known to have. */
interface Awaited {
  readonly ask: () => ProxyProgress;
  readonly sinceMs: number;
  progress: ProxyProgress;
  isConfirmed: boolean;
  news: ProgrammedNews | undefined;
  toldMs: number;
}

/**
 * Follows what proxies have ACKed of the objects in force, each generation until all have: it is told to the
 * other control planes, and what follows from their word is the condition Programmed.
 */
export class ProgrammedTracker {
  readonly #options: TrackerOptions;
  readonly #rounds: Rounds;
  readonly #startMs: number;
  #awaited = new Map<string, Awaited>();

  constructor(options: TrackerOptions, signal: AbortSignal) {
    this.#options = options;
    const { clock, timing } = options;
    this.#startMs = clock.now() + timing.settleMs;
    this.#rounds = new Rounds({ clock, round: async () => this.#look() }, signal);
    this.#rounds.wake(timing.settleMs);
  }

  /** Objects, or what is found of them, or conditions have changed. */
  wake(): void {
    const { clock } = this.#options;
    this.#rounds.wake(Math.max(0, this.#startMs - clock.now()));
  }

  /** What the other control planes are told: UIDs with generations, and how far they are. */
  *awaited(): Iterable<readonly [string, ProxyProgress]> {
    for (const [key, { progress }] of this.#awaited) yield [key, progress];
  }

  /** The condition that an object should have; what stands there, as long as there is nothing to say. */
  condition(read: ReadStatus, isAccepted: boolean): Condition | undefined {
    const wallMs = this.#options.clock.wall();
    if (!isAccepted) return notAccepted(read, wallMs);
    const news = isProgrammed(read) ? undefined : this.#awaited.get(keyOf(read))?.news;
    return news === undefined ? read.programmed : programmedCondition(read, news, wallMs);
  }

  #look(): number {
    const { clock, conditions, progress } = this.#options;
    const now = clock.now();
    if (now < this.#startMs) return this.#startMs - now;
    let ask: (() => ProxyProgress) | undefined;
    let isLeft = false;
    const before = this.#awaited;
    this.#awaited = new Map();
    for (const read of conditions.unprogrammed()) {
      const key = keyOf(read);
      const known = before.get(key);
      ask ??= known === undefined ? progress() : undefined;
      if (known !== undefined) this.#awaited.set(key, known);
      else if (ask === undefined) isLeft = true;
      else this.#awaited.set(key, awaitedSince(now, ask));
    }
    const isCounting = this.#count(now);
    const isYoung = [...this.#awaited.values()].some(({ sinceMs }) => now - sinceMs < slowAfterMs);
    if (isLeft || (isCounting && isYoung)) return lookMs;
    return isCounting ? slowMs : idleMs;
  }

  /** Whether some proxies have not ACKed something, or nobody knows of others. */
  #count(now: number): boolean {
    // What was read together is asked for together.
    const counted = new Map<() => ProxyProgress, ProxyProgress>();
    let [isLeft, isNews] = [false, false];
    for (const [key, one] of this.#awaited) {
      if (!one.isConfirmed) {
        one.progress = counted.get(one.ask) ?? one.ask();
        counted.set(one.ask, one.progress);
        one.isConfirmed = one.progress.acked === one.progress.proxies;
        if (one.isConfirmed) this.#confirm(key, one);
      }
      if (one.news?.awaited.length === 0) continue;
      isLeft = true;
      if (now - one.toldMs < this.#options.timing.pendingMs) continue;
      one.toldMs = now;
      one.news = this.#newsOf(key, one);
      isNews = true;
    }
    if (isNews) this.#options.onChange();
    return isLeft;
  }

  #confirm(key: string, one: Awaited): void {
    this.#options.confirm(key, one.progress, (others) => {
      if (this.#awaited.get(key) !== one) return;
      const progress = sumOf([one.progress, ...others]);
      one.news = { progress, planes: 1 + others.length, awaited: [] };
      this.#options.onChange();
    });
  }

  #newsOf(key: string, { progress, isConfirmed }: Awaited): ProgrammedNews | undefined {
    const { identity, others } = this.#options;
    const all = [{ identity, progress, isConfirmed }, ...[...others(key)].map(withWord)];
    const awaited = all.filter((one) => !one.isConfirmed).map((one) => one.identity);
    // All have: their word is on its way.
    if (awaited.length === 0) return undefined;
    const known = all.flatMap((one) => (one.progress === undefined ? [] : [one.progress]));
    return { progress: sumOf(known), planes: all.length, awaited: awaited.sort() };
  }
}

function awaitedSince(now: number, ask: () => ProxyProgress): Awaited {
  return {
    ...{ ask, sinceMs: now, toldMs: now, news: undefined },
    ...{ progress: { acked: 0, proxies: 0 }, isConfirmed: false },
  };
}

function withWord(one: { readonly identity: string; readonly progress: ProxyProgress | undefined }) {
  return { ...one, isConfirmed: one.progress !== undefined && one.progress.acked === one.progress.proxies };
}

function sumOf(all: readonly ProxyProgress[]): ProxyProgress {
  return all.reduce((sum, one) => ({ acked: sum.acked + one.acked, proxies: sum.proxies + one.proxies }), {
    acked: 0,
    proxies: 0,
  });
}

function keyOf({ uid, generation }: ReadStatus): string {
  return `${uid}/${generation}`;
}
