import type { LoadShape } from '../load/loads.ts';
import { collectAcks } from '../measure/collect.ts';
import { ejectedBetween, readEjections } from '../measure/ejections.ts';
import type { Phase } from '../measure/phases.ts';
import type { Scene } from '../scene.ts';
import { addressesOf, hostOf, idcOf } from '../world/topology.ts';
import type { Action } from './actions/action.ts';
import { actionTable } from './actions.ts';
import type { ScenarioSpec, Step } from './document/document.ts';
import { msOf, parseShare } from './document/fields.ts';
import { countFailedWrites, readEjected, readFailedLookups } from './evidence.ts';
import type { ScenarioFacts } from './measurement.ts';
import { createRun, type Run, type RunNotes } from './run.ts';
import { watchInvariants } from './watch.ts';

const actions: readonly (readonly [string, Action<unknown>])[] = Object.entries(actionTable);

/** Plays a scenario's steps on a world that was raised. `names`: its phases, in order. */
export async function playScenario(
  scene: Scene,
  spec: ScenarioSpec,
  names: readonly string[],
  shapes: readonly LoadShape[],
): Promise<ScenarioFacts> {
  const { topology } = scene.stage;
  const endMs = scene.span(names.at(-1) ?? '').to;
  let phase = scene.span(names[0] ?? '');
  const run = createRun(scene, { shapes, endMs, phase: () => phase });
  const counts = spec.bounds.ejections === undefined ? undefined : await readEjections(topology);
  const lookups = spec.bounds.lookupsFailed === undefined ? 0 : await readFailedLookups(topology);
  let ejections: ScenarioFacts['ejections'] | undefined;
  if (spec.watch)
    run.beside(
      watchInvariants(scene, { everyMs: msOf(spec.watch), untilMs: endMs }, () => ({
        ...run.soFar(),
        ...capacityOf(spec),
      })),
    );
  const overloaded = spec.bounds.overload;
  const ejectedAt = async () => (overloaded ? readEjected(idcOf(topology, overloaded.at)) : 0);
  let ejectedInOverload = 0;
  for (const name of names) {
    const ended = phase.name;
    phase = await scene.begin(name);
    // Before anything comes back.
    if (ended !== name && ended === overloaded?.in) ejectedInOverload += await ejectedAt();
    if (name === overloaded?.in) ejectedInOverload -= await ejectedAt();
    for (const { at, step } of stepsOf(spec.steps, phase)) {
      await scene.until(at);
      // While nothing is broken yet.
      if (counts && !ejections && faultsOf(step).length > 0)
        ejections = ejectedBetween(counts, await readEjections(topology));
      await take(step, run);
    }
  }
  await scene.until(endMs);
  if (counts) ejections ??= ejectedBetween(counts, await readEjections(topology));
  const lookupsFailed =
    spec.bounds.lookupsFailed === undefined ? 0 : (await readFailedLookups(topology)) - lookups;
  const noted = await run.notes();
  await scene.ended();
  return {
    ...(await factsOf(scene, noted)),
    ...capacityOf(spec),
    ...{ ejections: ejections ?? [], lookupsFailed, writesFailed: countFailedWrites(scene.stage) },
    ejectedInOverload,
  };
}

/** What an instance bears, as the bounds have it: a control may declare something else. */
function capacityOf({ bounds: { spilled } }: ScenarioSpec): Pick<ScenarioFacts, 'capacity'> {
  return spilled === undefined ? {} : { capacity: spilled.concurrentPerInstance };
}

/** The steps of a phase in the order of their times, each with its moment. */
function stepsOf(steps: readonly Step[], phase: Phase): { at: number; step: Step }[] {
  return steps
    .filter((step) => step.at === phase.name)
    .map((step) => ({ at: phase.from + offsetMs(step.after ?? '0s', phase.to - phase.from), step }))
    .sort((a, b) => a.at - b.at);
}

/** How long after the beginning of a phase of that length, in milliseconds. */
export function offsetMs(after: string, lengthMs: number): number {
  return after.endsWith('%') ? parseShare(after) * lengthMs : msOf(after);
}

/** The actions of a step with their values. */
function valuesOf(step: Step): { action: Action<unknown>; value: unknown }[] {
  return actions.flatMap(([name, action]) => {
    const value: unknown = Reflect.get(step, name);
    return value === undefined ? [] : [{ action, value }];
  });
}

function faultsOf(step: Step): { action: Action<unknown>; value: unknown }[] {
  return valuesOf(step).filter(({ action }) => action.inject !== undefined);
}

async function take(step: Step, run: Run): Promise<void> {
  const faults = faultsOf(step);
  if (faults.length > 0) {
    const words = faults.map(({ action, value }) => action.words(value)).join(', and ');
    await run.inject(
      step.claim ?? words,
      faults.flatMap(({ action, value }) => action.inject?.(value, run) ?? []),
    );
  }
  for (const { action, value } of valuesOf(step)) {
    const claim = faults.length === 0 ? (step.claim ?? action.words(value)) : action.words(value);
    await action.act?.(value, run, claim);
  }
}

async function factsOf(
  scene: Scene,
  noted: RunNotes,
): Promise<Omit<ScenarioFacts, 'ejections' | 'lookupsFailed' | 'writesFailed' | 'ejectedInOverload'>> {
  const { topology } = scene.stage;
  const { died, editedIdcs, ...rest } = noted;
  const struck = noted.faults.flatMap((fault) => fault.struck);
  const counts = Map.groupBy(struck, (name) => name.split('/')[0] ?? '');
  const [lostIdc = ''] = [...counts].sort((a, b) => b[1].length - a[1].length)[0] ?? [];
  return {
    ...rest,
    crossing: topology.plan.crossing ?? true,
    lostIdc,
    hedging: topology.groups.filter(({ hedge }) => hedge).map((group) => hostOf(topology, group)),
    ...(died && { lostSite: { prefix: idcOf(topology, died.idc).prefix, died: died.moment } }),
    acks: await Promise.all(editedIdcs.map((idc) => collectAcks(idcOf(topology, idc)))),
    addresses: addressesOf(topology),
  };
}
