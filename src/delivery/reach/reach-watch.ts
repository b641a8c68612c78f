import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { addressName, allReached, type Reach, type Watched } from '../../model/reach.ts';
import { askWord } from './word.ts';

/** What the watch needs. */
interface ReachWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a connection may take, milliseconds; by default as long as one within an IDC. */
  readonly connectMs?: number;
  /**
   * Whether it is worth a warning that something accepts no connection: who sends there finds out by itself.
   */
  readonly warnsOfRefused?: boolean;
  /** What is to be looked at now; nothing: nobody asks. */
  watched(): readonly Watched[];
  /** What was found, after that changed. */
  onChange(found: Reach): void;
}

/**
 * Between two looks at one, for a connection to open and for a word, how many in a row must fail, and most
 * looks a second.
 */
export const reachWatch = {
  everyMs: 1_000,
  connectMs: 500,
  answerMs: 500,
  failures: 2,
  perSecondMax: 250,
  /**
   * What has never answered is not told of before this: a gateway listens once it has its listeners, which
   * take a control plane.
   */
  startMs: 30_000,
} as const;

/** What is known of one. */
interface Seen {
  /** When it was first looked at. */
  readonly since: number;
  readonly hasAnswered: boolean;
  /** Looks in a row that failed, and those of them, the last ones, at which a connection opened. */
  readonly failures: number;
  readonly silent: number;
}

/**
 * Tells which gateways and instances accept no connection, and which accept them and say nothing: what an IDC
 * takes from others rests on those that live, proxies are to be sent to those that answer, and the registry
 * knows of a death only later. What the control plane alone cannot reach counts as dead too: whoever uses
 * this takes all for alive where none is.
 */
export class ReachWatch {
  readonly #options: ReachWatchOptions;
  readonly #seen = new Map<string, Seen>();
  #found: Reach = allReached;
  /** Those of which it was logged that they accept no connection, or hang. */
  #told: ReadonlySet<string> = new Set();
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

  /**
   * Asks one; who was silent is asked again at once, as each second that it is taken for alive costs
   * requests.
   */
  async #ask(name: string, at: Watched): Promise<void> {
    const { clock, connectMs = reachWatch.connectMs } = this.#options;
    const times = { connectMs, answerMs: reachWatch.answerMs };
    for (;;) {
      const found = await askWord(at, times, clock);
      const isSilent = found === 'silent';
      const isWell = found === 'answers';
      const was = this.#seen.get(name) ?? { since: clock.now(), hasAnswered: false, failures: 0, silent: 0 };
      const seen = {
        since: was.since,
        hasAnswered: was.hasAnswered || isWell,
        failures: isWell ? 0 : was.failures + 1,
        silent: isSilent ? was.silent + 1 : 0,
      };
      this.#seen.set(name, seen);
      if (this.#closed || !isSilent || seen.silent >= reachWatch.failures) return;
    }
  }

  #tell(): void {
    const { onChange } = this.#options;
    const namesOf = (of: 'failures' | 'silent'): ReadonlySet<string> =>
      new Set([...this.#seen].filter(([, seen]) => seen[of] >= reachWatch.failures).map(([name]) => name));
    const was = this.#found;
    const now = { unreached: namesOf('failures'), silent: namesOf('silent') };
    this.#log(now);
    const isSame =
      [
        ...without(now.unreached, was.unreached),
        ...without(was.unreached, now.unreached),
        ...without(now.silent, was.silent),
        ...without(was.silent, now.silent),
      ].length === 0;
    if (isSame) return;
    this.#found = now;
    onChange(now);
  }

  /** Logs who accepts no connection and who hangs, each once, and who no longer does. */
  #log(now: Reach): void {
    const { logger, clock } = this.#options;
    const isDue = (name: string): boolean => {
      const seen = this.#seen.get(name);
      return seen !== undefined && (seen.hasAnswered || clock.now() - seen.since >= reachWatch.startMs);
    };
    const refused = [...now.unreached].filter(
      (name) => !now.silent.has(name) && (this.#told.has(name) || isDue(name)),
    );
    const hang = without(now.silent, this.#found.silent);
    const told = new Set([...refused, ...now.silent]);
    const refuse = refused.filter((name) => !this.#told.has(name));
    const back = without(this.#told, told);
    this.#told = told;
    const first = (names: readonly string[]) => ({ at: names.slice(0, 10) });
    const level = this.#options.warnsOfRefused ? 'warn' : 'info';
    if (refuse.length > 0) logger[level]('accept no connection', first(refuse));
    if (hang.length > 0) logger.warn('accept connections and say nothing: taken for hung', first(hang));
    if (back.length > 0) logger.info('reached again, or gone', first(back));
  }
}

/** Connections that are opened beside each other. */
const atOnce = 64;

function without(names: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] {
  return [...names].filter((name) => !others.has(name));
}
