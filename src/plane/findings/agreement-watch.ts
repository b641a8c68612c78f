import { type AgreementInput, agreementChecks, checkAgreement } from '../../agreement/agreement.ts';
import { noKnownInstances } from '../../agreement/entries/lint-instances.ts';
import { findingOfLint, type Lint } from '../../agreement/lint.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { ObjectFinding } from '../../model/finding.ts';

/** What a watch needs. */
interface AgreementWatchOptions {
  readonly clock: Clock;
  /** What there is now to be looked at. */
  input(): AgreementInput;
  /** Whether it is time to look by itself: a start has other things to do. */
  isDue(): boolean;
  /** Told after each look by itself. */
  onFindings(findings: readonly ObjectFinding[]): void;
}

/** Whether the objects in force agree, looked at again when they have changed. */
export interface AgreementWatch {
  /** What is found now; looked at anew where something has changed. */
  findings(): readonly ObjectFinding[];
  /** What was found last: costs nothing. */
  lastFindings(): readonly ObjectFinding[];
  /** Something changed. */
  noteChange(): void;
  /** Proxies wait for something: looks by itself come later, by `watchTimes.latestMs` at most. */
  giveWay(): void;
  close(): void;
}

/**
 * How often it looks by itself: after a change so long, and so many times longer than the last look took, in
 * turns of one check each. What it finds is for people and for conditions of objects; no push waits for it.
 * While proxies come for whole pictures it waits as long again, until a change is `latestMs` old.
 */
const watchTimes = { afterMs: 5_000, timesLonger: 50, latestMs: 60_000 };

/** When proxies came for whole pictures. */
function arrivalsOf(clock: Clock) {
  let lastAt = Number.NEGATIVE_INFINITY;
  return {
    note() {
      lastAt = clock.now();
    },
    /** Whether none came lately, or what came at `since` has waited for long enough. */
    isQuiet: (since: number) =>
      clock.now() - lastAt >= watchTimes.afterMs || clock.now() - since >= watchTimes.latestMs,
  };
}

/** Evacuations come and go by the clock: what was found holds so long without a change. */
const holdsMs = 10_000;

/** Creates the watch; it looks for the first time when it is asked, or touched. */
export function watchAgreement(options: AgreementWatchOptions): AgreementWatch {
  const { clock } = options;
  const knownInstances = noKnownInstances();
  const looked = () => ({ ...options.input(), knownInstances });
  let lastFindings: readonly ObjectFinding[] = [];
  let lookedAt = Number.NEGATIVE_INFINITY;
  let changes = 0;
  let checkedChanges = -1;
  let tookMs = 0;
  let timer: Timer | undefined;
  const arrivals = arrivalsOf(clock);

  function setFindings(lints: readonly Lint[], atChange: number): void {
    lastFindings = lints.map(findingOfLint);
    checkedChanges = atChange;
    lookedAt = clock.now();
  }

  /** `since`: when the first change came that has not been looked at. */
  function schedule(since = clock.now()): void {
    if (timer !== undefined) return;
    timer = clock.after(Math.max(watchTimes.afterMs, watchTimes.timesLonger * tookMs), () => {
      timer = undefined;
      if (arrivals.isQuiet(since) && options.isDue()) checkInTurns(agreementChecks(looked()), [], changes, 0);
      else schedule(since);
    });
  }

  /** One check in each turn of the event loop. */
  function checkInTurns(checks: Generator<Lint[]>, found: Lint[], atChange: number, spentMs: number): void {
    const start = clock.now();
    const next = checks.next();
    const spent = spentMs + clock.now() - start;
    if (!next.done) {
      found.push(...next.value);
      timer = clock.after(0, () => checkInTurns(checks, found, atChange, spent));
      return;
    }
    timer = undefined;
    tookMs = spent;
    setFindings(found, atChange);
    options.onFindings(lastFindings);
    if (changes !== atChange) schedule();
  }

  return {
    findings() {
      if (checkedChanges !== changes || clock.now() - lookedAt > holdsMs)
        setFindings(checkAgreement(looked()), changes);
      return lastFindings;
    },
    lastFindings: () => lastFindings,
    noteChange() {
      changes += 1;
      schedule();
    },
    giveWay: arrivals.note,
    close: () => timer?.cancel(),
  };
}
