import type { Fault, PathPart } from '../../registry/fault.ts';
import { parseStrict } from '../../registry/strict.ts';
import { planTopology, type Topology, type WorldPlan } from '../topology.ts';
import type { Action } from './actions/action.ts';
import { actionTable } from './actions.ts';
import { type Scenario, type ScenarioSpec, scenarioSchema } from './document.ts';
import { msOf } from './fields.ts';
import { type LoadEntry, streamOf } from './load.ts';

type Add = (message: string, ...path: PathPart[]) => void;

/** Faults of a scenario that its schema cannot see: names that nothing has, times that do not fit. */
export function checkScenario({ spec }: Scenario): Fault[] {
  const faults: Fault[] = [];
  const add: Add = (message, ...path) => faults.push({ severity: 'error', path: ['spec', ...path], message });
  checkWorld(spec, add);
  if (faults.length > 0) return faults;
  const topology = planTopology({ id: '000000', slot: 0, world: spec.world as WorldPlan });
  checkPhases(spec, add);
  const loads = (list: readonly LoadEntry[], ...at: PathPart[]) =>
    checkLoads(list, spec.rates, topology, (message, ...path) => add(message, ...at, ...path));
  loads(spec.load, 'load');
  loads(spec.control?.load ?? [], 'control', 'load');
  checkSteps(spec, topology, add);
  if (spec.control?.steps)
    checkSteps({ ...spec, steps: spec.control.steps }, topology, (message, ...path) =>
      add(message, 'control', ...path),
    );
  checkBounds(spec, topology, add);
  checkControl(spec, faults, add);
  return faults;
}

const oneOf = (names: readonly string[]) => `one of ${names.join(', ')}`;

function checkWorld({ world }: ScenarioSpec, add: Add): void {
  const { idcs, groups, order = {} } = world;
  const twice = (list: readonly string[]) => list.findIndex((name, i) => list.indexOf(name) < i);
  const [idc, group] = [twice(idcs), twice(groups.map(({ name }) => name))];
  if (idc >= 0) add(`'${idcs[idc]}' stands there twice.`, 'world', 'idcs', idc);
  if (group >= 0) add(`'${groups[group]?.name}' stands there twice.`, 'world', 'groups', group, 'name');
  groups.forEach(({ instances }, i) => {
    if (typeof instances === 'number') return;
    const unknown = Object.keys(instances).find((name) => !idcs.includes(name));
    if (unknown !== undefined)
      add(`there is no IDC '${unknown}': use ${oneOf(idcs)}.`, 'world', 'groups', i, 'instances', unknown);
  });
  for (const [name, list] of Object.entries(order)) {
    const unknown = [name, ...list].find((each) => !idcs.includes(each));
    if (unknown !== undefined)
      add(`there is no IDC '${unknown}': use ${oneOf(idcs)}.`, 'world', 'order', name);
  }
}

/** The shortest and the longest that a phase may be, in milliseconds. */
const [phaseMsMin, phaseMsMax] = [1000, 3_600_000];

function checkPhases({ phases, quick = {} }: ScenarioSpec, add: Add): void {
  for (const [field, list] of Object.entries({ phases, quick })) {
    for (const [name, length] of Object.entries(list)) {
      if (!(msOf(length) >= phaseMsMin && msOf(length) <= phaseMsMax))
        add(`must be from 1s to 1h. It is '${length}'.`, field, name);
      if (field === 'quick' && !Object.hasOwn(phases, name))
        add(`there is no phase '${name}': use ${oneOf(Object.keys(phases))}.`, field, name);
    }
  }
  if (Object.keys(phases).length === 0) add('names no phase: give one such as steady: 5s.', 'phases');
}

function checkLoads(
  load: readonly LoadEntry[],
  rates: ScenarioSpec['rates'],
  { idcs, groups }: Topology,
  add: Add,
): void {
  const names = idcs.map(({ name }) => name);
  const streams = new Set<string>();
  load.forEach((entry, i) => {
    const { caller, edge, to, rate } = entry;
    if ((caller === undefined) === (edge === undefined)) add('needs either caller or edge.', i);
    const unknown = [...(caller === undefined ? [] : [caller]), ...(edge ?? [])].find(
      (each) => !names.includes(each),
    );
    if (unknown !== undefined)
      add(`there is no IDC '${unknown}': use ${oneOf(names)}.`, i, caller === undefined ? 'edge' : 'caller');
    to.forEach((name, j) => {
      const group = groups.find((each) => each.name === name);
      if (!group) add(`there is no Group '${name}': use ${oneOf(groups.map((g) => g.name))}.`, i, 'to', j);
      else if (group.protocol === 'TCP' && (caller === undefined || to.length > 1))
        add('speaks TCP: ask for it alone, and from a caller.', i, 'to', j);
    });
    if (!Object.hasOwn(rates, rate))
      add(`there is no rate '${rate}': use ${oneOf(Object.keys(rates))}.`, i, 'rate');
    const own = streamOf(entry);
    if (streams.has(own)) add(`another load is named '${own}': give this one a stream.`, i);
    streams.add(own);
  });
}

function checkSteps({ steps, phases, rates }: ScenarioSpec, topology: Topology, add: Add): void {
  const table: Readonly<Record<string, Action<unknown>>> = actionTable;
  const dropped = new Set<string>();
  steps.forEach((step, i) => {
    const length = phases[step.at];
    if (length === undefined) {
      add(`there is no phase '${step.at}': use ${oneOf(Object.keys(phases))}.`, 'steps', i, 'at');
    } else if (step.after !== undefined && !step.after.endsWith('%') && msOf(step.after) >= msOf(length)) {
      add(`is after the phase has ended, which lasts ${length}.`, 'steps', i, 'after');
    }
    for (const [name, { check }] of Object.entries(table)) {
      const value: unknown = Reflect.get(step, name);
      if (value === undefined || !check) continue;
      for (const { path, message } of check(value, topology)) add(message, 'steps', i, name, ...path);
    }
    if (step.overload)
      checkLoads([step.overload], rates, topology, (message, _, ...path) =>
        add(message, 'steps', i, 'overload', ...path),
      );
    if (step.drop) for (const { idc } of [step.drop].flat()) dropped.add(idc);
  });
  const wan = steps.findIndex((step) => step.wan !== undefined);
  if (wan >= 0 && dropped.size > 0) add('cannot stand beside `drop`: use one of them.', 'steps', wan, 'wan');
  const second = [...dropped][1];
  if (second !== undefined) {
    const at = steps.findIndex(({ drop }) => drop && [drop].flat().some(({ idc }) => idc === second));
    add('packets are dropped in one IDC of a scenario only.', 'steps', at, 'drop');
  }
}

function checkBounds(
  { bounds, phases, load, steps }: ScenarioSpec,
  { idcs, groups }: Topology,
  add: Add,
): void {
  const phase = (name: string | undefined, ...path: PathPart[]) => {
    if (name !== undefined && !Object.hasOwn(phases, name))
      add(`there is no phase '${name}': use ${oneOf(Object.keys(phases))}.`, 'bounds', ...path);
  };
  phase(bounds.crossed, 'crossed');
  phase(bounds.lastSlow?.in, 'lastSlow', 'in');
  (bounds.latency ?? []).forEach((each, i) => {
    phase(each.in, 'latency', i, 'in');
    if (each.times !== undefined) phase('steady', 'latency', i, 'times');
  });
  const more = steps.flatMap(({ overload }) => overload ?? []);
  const streams = [...load, ...more].map(streamOf);
  (bounds.share ?? []).forEach((each, i) => {
    phase(each.in, 'share', i, 'in');
  });
  (bounds.served ?? []).forEach((each, i) => {
    phase(each.in, 'served', i, 'in');
    if (!streams.includes(each.load))
      add(`there is no load '${each.load}': use ${oneOf(streams)}.`, 'bounds', 'served', i, 'load');
  });
  const group = (name: string, ...path: PathPart[]) => {
    if (!groups.some((each) => each.name === name))
      add(`there is no Group '${name}': use ${oneOf(groups.map((each) => each.name))}.`, 'bounds', ...path);
  };
  (bounds.worstSecond ?? []).forEach((each, i) => {
    phase(each.in, 'worstSecond', i, 'in');
    group(each.group, 'worstSecond', i, 'group');
    if (each.than === 'steady') phase('steady', 'worstSecond', i, 'than');
    else group(each.than, 'worstSecond', i, 'than');
  });
  (bounds.switches ?? []).forEach((each, i) => {
    phase(each.from, 'switches', i, 'from');
    phase(each.to, 'switches', i, 'to');
    group(each.group, 'switches', i, 'group');
  });
  for (const [i, name] of (bounds.grayOut?.nobody ?? []).entries()) phase(name, 'grayOut', 'nobody', i);
  phase(bounds.overload?.in, 'overload', 'in');
  for (const [i, name] of (bounds.overload?.own ?? []).entries())
    if (!streams.includes(name))
      add(`there is no load '${name}': use ${oneOf(streams)}.`, 'bounds', 'overload', 'own', i);
  if (bounds.lastSlow || bounds.failback) phase('steady', bounds.lastSlow ? 'lastSlow' : 'failback');
  const names = idcs.map(({ name }) => name);
  for (const [i, name] of (bounds.silent?.all ?? []).entries())
    if (!names.includes(name))
      add(`there is no IDC '${name}': use ${oneOf(names)}.`, 'bounds', 'silent', 'all', i);
  if (bounds.overload && !names.includes(bounds.overload.at))
    add(`there is no IDC '${bounds.overload.at}': use ${oneOf(names)}.`, 'bounds', 'overload', 'at');
  if (bounds.unaware && !names.includes(bounds.unaware.idc))
    add(`there is no IDC '${bounds.unaware.idc}': use ${oneOf(names)}.`, 'bounds', 'unaware', 'idc');
}

/** The world of the control must be one, too. */
function checkControl({ control, world, rates, phases }: ScenarioSpec, faults: Fault[], add: Add): void {
  if (!control) return;
  const merged = { ...world, ...control.world };
  parseStrict(scenarioSchema.shape.spec.shape.world, merged, ['spec', 'control', 'world'], faults);
  for (const name of Object.keys(control.rates ?? {}))
    if (!Object.hasOwn(rates, name))
      add(`there is no rate '${name}': use ${oneOf(Object.keys(rates))}.`, 'control', 'rates', name);
  for (const name of Object.keys(control.phases ?? {}))
    if (!Object.hasOwn(phases, name)) add(`there is no phase '${name}'.`, 'control', 'phases', name);
}
