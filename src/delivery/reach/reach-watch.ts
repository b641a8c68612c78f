import type { Clock, Timer } from '../../base/clock.ts';
import type { EventSink } from '../../events/event.ts';
import { addressName, allReached, type ProbeTarget, type Reach } from '../../model/reach.ts';
import { showAddress } from '../../model/values/listen-address.ts';
import { probeTarget } from './probe-target.ts';

/** What the watch needs from other parts. */
interface ReachWatchOptions {
  readonly clock: Clock;
  readonly events: EventSink;
  /** Connect timeout, milliseconds; default: that within an IDC. */
  readonly connectMs?: number;
  /** The targets to probe now; empty: none is needed. */
  targets(): readonly ProbeTarget[];
  /** What a gateway is called, by its `addressName`; undefined: it is none. Absent: none has a name. */
  gatewayAt?(name: string): string | undefined;
  /** The result, after it changed. */
  onChange(reach: Reach): void;
}

/**
 * Interval of probes of a target, connect and answer timeouts, failures in a row, and most probes a second.
 */
export const reachWatch = {
  everyMs: 1_000,
  connectMs: 500,
  answerMs: 500,
  failures: 2,
  perSecondMax: 250,
  /**
   * A target that has never answered is not reported before this: a gateway listens only once it has its
   * listeners, from a control plane.
   */
  startMs: 30_000,
} as const;

/** The state of one target. */
interface TargetState {
  /** When it was first probed. */
  readonly since: number;
  readonly hasAnswered: boolean;
  /** Failed probes in a row, and the last of them whose connection opened. */
  readonly failures: number;
  readonly silent: number;
}

/**
 * Detects gateways and instances that refuse connections, and those that accept them and never answer. Limits
 * on requests from other IDCs count only live instances, proxies are sent to gateways that answer, and the
 * registry learns of a death later. A target that only this control plane cannot reach counts as dead too: if
 * none is left alive, users of this count all as alive.
 */
export class ReachWatch {
  readonly #options: ReachWatchOptions;
  readonly #states = new Map<string, TargetState>();
  #reach: Reach = allReached;
  /** Targets logged as refusing or hung. */
  #logged: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: ReachWatchOptions) {
    this.#options = options;
    this.#schedule(reachWatch.everyMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #schedule(afterMs: number): void {
    this.#timer = this.#options.clock.after(afterMs, async () => {
      const { clock } = this.#options;
      const began = clock.now();
      const count = await this.#probeAll();
      const roundMs = Math.max(reachWatch.everyMs, (1000 * count) / reachWatch.perSecondMax);
      if (!this.#closed) this.#schedule(Math.max(0, roundMs - (clock.now() - began)));
    });
  }

  /** Probes all, some at a time; returns how many. */
  async #probeAll(): Promise<number> {
    const watched = new Map(this.#options.targets().map((one) => [addressName(one), one]));
    for (const known of this.#states.keys()) if (!watched.has(known)) this.#states.delete(known);
    const waiting = [...watched];
    const next = async (): Promise<void> => {
      for (let one = waiting.pop(); one !== undefined && !this.#closed; one = waiting.pop())
        await this.#probe(...one);
    };
    await Promise.all(Array.from({ length: atOnce }, next));
    if (!this.#closed) this.#reportChange();
    return watched.size;
  }

  /**
   * Probes one. A silent target is probed again at once, as each second that it counts as alive costs
   * requests.
   */
  async #probe(name: string, at: ProbeTarget): Promise<void> {
    const { clock, connectMs = reachWatch.connectMs } = this.#options;
    const times = { connectMs, answerMs: reachWatch.answerMs };
    for (;;) {
      const found = await probeTarget(at, times, clock);
      const isSilent = found === 'silent';
      const isWell = found === 'answers';
      const was = this.#states.get(name) ?? {
        since: clock.now(),
        hasAnswered: false,
        failures: 0,
        silent: 0,
      };
      const seen = {
        since: was.since,
        hasAnswered: was.hasAnswered || isWell,
        failures: isWell ? 0 : was.failures + 1,
        silent: isSilent ? was.silent + 1 : 0,
      };
      this.#states.set(name, seen);
      if (this.#closed || !isSilent || seen.silent >= reachWatch.failures) return;
    }
  }

  #reportChange(): void {
    const { onChange } = this.#options;
    const namesOf = (of: 'failures' | 'silent'): ReadonlySet<string> =>
      new Set([...this.#states].filter(([, seen]) => seen[of] >= reachWatch.failures).map(([name]) => name));
    const was = this.#reach;
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
    this.#reach = now;
    onChange(now);
  }

  /** Tells targets that refuse or hang, once each, and their recovery. */
  #log(now: Reach): void {
    const { clock } = this.#options;
    const isDue = (name: string): boolean => {
      const seen = this.#states.get(name);
      return seen !== undefined && (seen.hasAnswered || clock.now() - seen.since >= reachWatch.startMs);
    };
    const refused = [...now.unreached].filter(
      (name) => !now.silent.has(name) && (this.#logged.has(name) || isDue(name)),
    );
    const hang = without(now.silent, this.#reach.silent);
    const told = new Set([...refused, ...now.silent]);
    const refuse = refused.filter((name) => !this.#logged.has(name));
    const back = without(this.#logged, told);
    this.#logged = told;
    this.#tell('refuse', refuse);
    this.#tell('hung', hang);
    this.#tell('back', back);
  }

  #tell(phase: 'refuse' | 'hung' | 'back', names: readonly string[]): void {
    if (names.length === 0) return;
    const { events, gatewayAt } = this.#options;
    const told = names.slice(0, toldMax);
    const more = names.length - toldMax;
    const gateways = told.flatMap((name) => {
      const place = gatewayAt?.(name);
      return place === undefined ? [] : [[shownName(name), place] as const];
    });
    events.note({
      ...{ kind: 'reach', phase, targets: told.map(shownName) },
      ...(gateways.length === 0 ? {} : { gateways: Object.fromEntries(gateways) }),
      ...(more > 0 ? { more } : {}),
    });
  }
}

/** An `addressName` as people write it. */
function shownName(name: string): string {
  const at = name.lastIndexOf(' ');
  return showAddress({ address: name.slice(0, at), port: Number(name.slice(at + 1)) });
}

/** Targets named in one event. */
const toldMax = 10;

/** Concurrent probes. */
const atOnce = 64;

function without(names: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] {
  return [...names].filter((name) => !others.has(name));
}
