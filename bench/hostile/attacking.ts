import { systemClock as clock } from '../../src/base/clock.ts';
import { type Attack, isClear } from '../../test/support/attacks/attack.ts';
import { type Attacker, type AttackerReport, startAttacker } from '../../test/support/attacks/attacker.ts';
import { yieldAlways } from './processors.ts';
import { quantile, type Scene, sumOf, type Turns } from './scene.ts';
import { scope } from './victims.ts';

/** What is done to a control plane. */
export interface Assault {
  readonly attacks: readonly Attack[];
  /** How long one is let go on that does not end by itself. */
  readonly floodMs: number;
  readonly seed: number;
  readonly messages: number;
  readonly messagesPerSecond: number;
  /** Nobody else uses the machine much. */
  readonly isQuiet: boolean;
}

/**
 * A process of bad clients that takes from nobody what it computes for itself. On a machine that others use
 * it would never run then: there it has the lowest priority.
 */
export function besideAll(isQuiet: boolean): Attacker {
  const made = startAttacker();
  if (isQuiet) yieldAlways(made.pid);
  return made;
}

/** One attack, as it went. */
export interface Seen {
  readonly name: string;
  /** How often it ended how. */
  readonly ends: string;
  readonly isClear: boolean;
  readonly ms: number;
  /** From event to arrival, of all clients that behave. */
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly plane: Turns | undefined;
  /** Processor time of whoever attacked. */
  readonly attackerMs: number;
}

/** How long a change took in some time, and what the control plane did meanwhile. */
export interface Phase {
  readonly what: string;
  /** From event to arrival, in milliseconds, for each client that behaves. */
  readonly times: readonly number[];
  readonly turns: Turns;
}

/** All of it, as it went. */
export interface Assaulted {
  readonly seen: readonly Seen[];
  /** Beside attacks, and beside random messages and attacks that wait. */
  readonly during: Phase;
  readonly rest: Phase;
  readonly sent: AttackerReport;
}

/** Attacks one after another; those that wait for a deadline, and random messages, beside them. */
export async function assault(scene: Scene, plan: Assault): Promise<Assaulted> {
  const { served, victims } = scene;
  const target = { at: served.xds, scope };
  const spare: Attacker[] = [besideAll(plan.isQuiet)];
  const beside = besideAll(plan.isQuiet);
  const seen: Seen[] = [];
  const during: number[] = [];
  const turns: Turns[] = [];
  const { seed, messages: count, messagesPerSecond: perSecond } = plan;
  const sent = beside.messages({ at: served.xds, seed, count, perSecond }).report;
  const slow = plan.attacks.filter(({ isSlow }) => isSlow === true);
  const slowly = slow.map(({ name }) => beside.attack(name, target).report);
  victims.take();
  await scene.turns();
  for (const attack of plan.attacks.filter((one) => !slow.includes(one))) {
    const attacker = spare.pop() ?? besideAll(plan.isQuiet);
    const going = attacker.attack(attack.name, target);
    const timer = clock.after(plan.floodMs, () => going.stop());
    const report = await going.report;
    timer.cancel();
    if (report.isLate) attacker.close();
    else spare.push(attacker);
    const times = victims.take();
    const plane = await scene.turns();
    seen.push(seenOf(attack, report, times, plane));
    during.push(...times);
    turns.push(plane);
  }
  for (const [i, report] of (await Promise.all(slowly)).entries())
    seen.push(seenOf(slow[i] as Attack, report, [], undefined));
  const report = await sent;
  const rest = { what: 'beside random messages', times: victims.take(), turns: await scene.turns() };
  for (const attacker of [...spare, beside]) attacker.close();
  return { seen, during: { what: 'during attacks', times: during, turns: sumOf(turns) }, rest, sent: report };
}

function seenOf(
  attack: Attack,
  { ended, ms, cpuMs }: AttackerReport,
  times: readonly number[],
  plane: Turns | undefined,
): Seen {
  const unclear = ended.filter(({ how }) => !isClear(attack, how));
  if (unclear.length > 0) console.log(`NOT CLEAR: ${attack.name}: ${JSON.stringify(unclear)}`);
  const ends = [...ended].sort((a, b) => b.times - a.times).map(({ how, times }) => `${times} × ${how}`);
  return {
    ...{ name: attack.name, ends: ends.join(', '), isClear: unclear.length === 0 && ended.length > 0 },
    ...{ ms, p99Ms: quantile(times, 0.99), maxMs: quantile(times, 1), plane, attackerMs: cpuMs },
  };
}
