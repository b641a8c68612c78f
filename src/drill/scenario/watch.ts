import { sleep } from '../../base/clock.ts';
import { isOfLoad } from '../call/request-id.ts';
import { circlesOf } from '../judge/circles.ts';
import { factsOf, samplesOf } from '../load/loads.ts';
import { collectEntries, collectLines } from '../measure/collect.ts';
import { executionsOf } from '../measure/executions.ts';
import type { Scene } from '../scene.ts';
import { machineClock } from '../time.ts';
import { addressesOf } from '../world/topology.ts';
import { executedTwiceOf, failuresOf } from './bounds/failures.ts';
import { lateEntriesOf } from './bounds/others.ts';
import { peaksOf } from './bounds/spilled.ts';
import type { ScenarioMeasurement } from './measurement.ts';
import type { RunNotes } from './run.ts';

/** What has ended for so long is in every log, in milliseconds. */
const settledMs = 3000;

/** What was noted so far: as at the end, but for what is not known yet. */
type NotesSoFar = Pick<
  RunNotes,
  'faults' | 'losses' | 'leaves' | 'cuts' | 'evacuations' | 'healed' | 'healthyAt'
> &
  Pick<ScenarioMeasurement, 'capacity'>;

/**
 * Holds, every so often until a moment, what must hold at each: no circles, nothing at what has left, nothing
 * executed twice, no IDC overloaded by others, no failure that could have been avoided. Says each violation
 * once, with the step before it. Never rejects but on abort.
 */
export async function watchInvariants(
  scene: Scene,
  { everyMs, untilMs }: { readonly everyMs: number; readonly untilMs: number },
  soFar: () => NotesSoFar,
): Promise<void> {
  const told = new Set<string>();
  while (machineClock.now() + everyMs < untilMs) {
    await sleep(machineClock, everyMs, scene.stage.signal);
    const m = await measureSoFar(scene, soFar());
    for (const { key, text } of violationsOf(m, machineClock.now() - settledMs)) {
      if (told.has(key)) continue;
      told.add(key);
      const step = [...m.steps].reverse().find(({ moment }) => moment.from <= machineClock.now());
      scene.say(`VIOLATED: ${text} (after step ${m.steps.length}, “${step?.claim ?? 'none'}”)`);
    }
  }
}

/** What is wrong by a moment, each with a key of its own. Pure. */
export function violationsOf(
  m: ScenarioMeasurement,
  byMs: number,
): { readonly key: string; readonly text: string }[] {
  const executions = executionsOf({ ...m, faults: m.losses });
  const circles = circlesOf(m);
  const settled = { ...m, samples: m.samples.filter(({ end }) => end <= byMs) };
  const each = (list: readonly string[], text: (id: string) => string) =>
    list.map((id) => ({ key: text(id), text: text(id) }));
  return [
    ...each([...new Set([...circles.twice, ...circles.returned])], (id) => `${id} ran in a loop`),
    ...lateEntriesOf(m).map(({ id, instance }) => {
      const text = `${id} reached ${instance} after its deregistration had returned`;
      return { key: text, text };
    }),
    ...each(
      executedTwiceOf(m, executions).map(({ id }) => id),
      (id) => `${id} was executed ${executions.get(id)?.length} times`,
    ),
    ...peaksOf(settled)
      .filter(({ most, allowed }) => most > allowed)
      .map(({ idc, group, most, allowed }) => ({
        key: `spilled ${idc}/${group}`,
        text: `${idc} had ${most} concurrent requests from other IDCs for ${group}, ${allowed} are allowed`,
      })),
    ...failuresOf(settled)
      .filter(({ why }) => why === undefined)
      .map(({ sample }) => ({
        key: `failed ${sample.id}`,
        text: `${sample.id} failed although it could have been served: ${sample.error || `status ${sample.status}`}`,
      })),
  ];
}

async function measureSoFar(scene: Scene, notes: NotesSoFar): Promise<ScenarioMeasurement> {
  const { topology, paths } = scene.stage;
  return {
    idcs: topology.idcs.map(({ name }) => name),
    phases: [],
    steps: scene.steps,
    streams: scene.loads.map((load) => factsOf(load, undefined)),
    samples: scene.loads.flatMap((load) => samplesOf(scene.stage, load)),
    entries: collectEntries(topology, paths),
    access: await collectLines(topology, paths, isOfLoad),
    ...{ counters: [], listeners: [], lost: [], isolation: {}, usage: [] },
    ...notes,
    ...{ crossing: true, lostIdc: '', hedging: [], edits: 0, acks: [], ejections: [] },
    ...{ lookupsFailed: 0, writesFailed: 0, sicknesses: [], ejectedInOverload: 0 },
    addresses: addressesOf(topology),
  };
}
