import { MeshError } from '../../base/error.ts';
import type { Choice, Drill, DrillPlan } from '../definition.ts';
import type { PhaseSeconds } from '../measure/phases.ts';
import type { WorldPlan } from '../world/topology.ts';
import { failbackFigures } from './bounds/failback.ts';
import { slowFigures, slowLimits } from './bounds/slow.ts';
import { scenarioRows } from './bounds.ts';
import { judgeControl } from './control.ts';
import { controlledSpec } from './document/controlled.ts';
import type { Scenario, ScenarioSpec } from './document/document.ts';
import { msOf } from './document/fields.ts';
import { shapesOf } from './document/load.ts';
import { checksOf } from './document/row-names.ts';
import type { ScenarioFacts, ScenarioMeasurement } from './measurement.ts';
import { playScenario } from './play.ts';

/** A scenario as a drill, to be run like one that is built in. */
export function scenarioDrill(scenario: Scenario): Drill<ScenarioFacts> {
  const { spec } = scenario;
  return {
    name: scenario.metadata.name,
    summary: spec.title,
    description: spec.title,
    unprotected: spec.control?.off ?? 'this scenario has no negative control',
    flags: [],
    rates: spec.rates,
    ...(spec.seed !== undefined && { seed: spec.seed }),
    plan: (choice) => planScenario(scenario, choice),
  };
}

/** Plans a run of a scenario. Throws MeshError 'invalid' when its control is asked for and it states none. */
export function planScenario(
  { metadata: { name }, spec }: Scenario,
  { unprotected, quick }: Pick<Choice, 'unprotected' | 'quick'>,
): DrillPlan<ScenarioFacts> {
  const { control } = spec;
  if (unprotected && !control) {
    throw new MeshError('invalid', `${name} cannot run unprotected: it has no \`control\`.`);
  }
  const run = unprotected ? controlledSpec(spec) : spec;
  const phases = secondsOf({ ...run.phases, ...(quick && run.quick) });
  const checks = checksOf(run);
  const { rates, load } = run;
  return {
    title: spec.title,
    label: `${name}${unprotected ? ' unprotected' : ''}`,
    phases,
    rates,
    world: worldOf(run),
    ...(spec.realtime && { realtime: true }),
    loads: (topology, given) => shapesOf(topology, load, given),
    play: (scene) =>
      playScenario(scene, run, Object.keys(phases), shapesOf(scene.stage.topology, load, scene.rates)),
    judge: (m) => scenarioRows(m, spec.bounds, checks),
    judgeControl: (m, verdict) =>
      control ? judgeControl(m, verdict, control) : ['the scenario has no control'],
    figures: (m) => figuresOf(m, name, spec),
    control: {
      off: control?.off ?? 'nothing is off',
      proves: control?.proves ?? 'it proves nothing',
      ...(control && { misses: control.misses.flat() }),
    },
  };
}

function secondsOf(phases: ScenarioSpec['phases']): PhaseSeconds {
  return Object.fromEntries(Object.entries(phases).map(([name, length]) => [name, msOf(length) / 1000]));
}

/** Whether packets between IDCs meet anything. */
function needsWan({ steps }: ScenarioSpec): boolean {
  return steps.some(({ wan }) => wan !== undefined);
}

/** The IDC whose instances' packets are dropped, if any are. */
function droppedIdc({ steps }: ScenarioSpec): string | undefined {
  return steps.flatMap(({ drop }) => (drop ? [drop].flat() : []))[0]?.idc;
}

function worldOf(spec: ScenarioSpec): WorldPlan {
  const { serve, order, ...rest } = spec.world;
  const net = droppedIdc(spec);
  return {
    ...(rest as WorldPlan),
    ...(order && { order: order as Readonly<Record<string, readonly string[]>> }),
    ...(serve && { control: serve }),
    ...(net !== undefined && { net }),
    ...(needsWan(spec) && { wan: true }),
    ...(spec.steps.some(({ clock }) => clock !== undefined) && { clocks: true }),
  };
}

function figuresOf(m: ScenarioMeasurement, name: string, { bounds }: ScenarioSpec): object {
  return {
    scenario: name,
    crossing: m.crossing,
    ...(bounds.lastSlow && { slow: slowFigures(m, slowLimits(bounds.lastSlow.in, bounds)) }),
    ...(bounds.failback && { failback: failbackFigures(m) }),
    ...(m.acks.length > 0 && { eventToAck: m.acks }),
    ...(m.ejections.length > 0 && { ejections: m.ejections }),
    losses: m.losses,
    leaves: m.leaves,
  };
}
