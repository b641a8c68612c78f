import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { addressName, allReached, type Reach, type Watched } from '../model/reach.ts';
import { askWord } from './word.ts';

/** What the watch needs. */
export interface ReachWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a connection may take, milliseconds; by default as long as one within an IDC. */
  readonly connectMs?: number;
  /** Whether it is worth a warning that something accepts no connection: who sends there finds out by itself. */
  readonly warnsOfRefused?: boolean;
  /** What is to be looked at now; nothing: nobody asks. */
  watched(): readonly Watched[];
  /** What was found, after that changed. */
  onChange(found: Reach): void;
}

/** Between two looks at one, for a connection to open and for a word, how many in a row must fail, and most looks a second. */
export const reachWatch = {
  everyMs: 1_000,
  connectMs: 500,
  answerMs: 500,
  failures: 2,
  perSecondMax: 250,
} as const;

/** Looks in a row that failed, and those of them, the last ones, at which a connection opened. */
interface Seen {
  readonly failures: number;
  readonly silent: number;
}

const well: Seen = { failures: 0, silent: 0 };

/**
 * Tells which gateways and instances accept no connection, and which accept them and say nothing: what an IDC takes from others rests on
 * those that live, proxies are to be sent to those that answer, and the registry knows of a death only later. What the control plane alone
 * cannot reach counts as dead too: whoever uses this takes all for alive where none is.
 */
export class ReachWatch {
  readonly #options: ReachWatchOptions;
  readonly #seen = new Map<string, Seen>();
  #found: Reach = allReached;
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
    const watched = new Map(this.#options.watched().map((one) => [addressName(one), one]));
    for (const known of this.#seen.keys()) if (!watched.has(known)) this.#seen.delete(known);
    const waiting = [...watched];
    const next = async (): Promise<void> => {
      for (let one = waiting.pop(); one !== undefined && !this.#closed; one = waiting.pop())
        await this.#ask(...one);
    };
    await Promise.all(Array.from({ length: atOnce }, next));
    if (!this.#closed) this.#tell();
    return watched.size;
  }

  /** Asks one; who was silent is asked again at once, as each second that it is taken for alive costs requests. */
  async #ask(name: string, at: Watched): Promise<void> {
    const { clock, connectMs = reachWatch.connectMs } = this.#options;
    const times = { connectMs, answerMs: reachWatch.answerMs };
    for (;;) {
      const found = await askWord(at, times, clock);
      const { failures, silent } = this.#seen.get(name) ?? well;
      const isSilent = found === 'silent';
      const seen = found === 'answers' ? well : { failures: failures + 1, silent: isSilent ? silent + 1 : 0 };
      this.#seen.set(name, seen);
      if (this.#closed || !isSilent || seen.silent >= reachWatch.failures) return;
    }
  }

  #tell(): void {
    const { logger, onChange } = this.#options;
    const namesOf = (of: keyof Seen): ReadonlySet<string> =>
      new Set([...this.#seen].filter(([, seen]) => seen[of] >= reachWatch.failures).map(([name]) => name));
    const was = this.#found;
    const now = { unreached: namesOf('failures'), silent: namesOf('silent') };
    const begins = (of: keyof Reach) => [...now[of]].filter((name) => !was[of].has(name));
    const [refuse, hang] = [begins('unreached').filter((name) => !now.silent.has(name)), begins('silent')];
    const [back, speak] = [without(was.unreached, now.unreached), without(was.silent, now.silent)];
    if (refuse.length + hang.length + back.length + speak.length === 0) return;
    this.#found = now;
    const first = (names: readonly string[]) => ({ at: names.slice(0, 10) });
    const level = this.#options.warnsOfRefused ? 'warn' : 'info';
    if (refuse.length > 0) logger[level]('accept no connection', first(refuse));
    if (hang.length > 0) logger.warn('accept connections and say nothing: taken for hung', first(hang));
    if (back.length > 0) logger.info('reached again, or gone', first(back));
    onChange(now);
  }
}

/** Connections that are opened beside each other. */
const atOnce = 64;

function without(names: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] {
  return [...names].filter((name) => !others.has(name));
}
