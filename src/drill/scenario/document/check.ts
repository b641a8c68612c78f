import type { PathPart } from '../../../model/values/field-path.ts';
import type { Fault } from '../../../registry/parse/fault.ts';
import { parseStrict } from '../../../registry/parse/own/parse-strict.ts';
import { planTopology, type Topology, type WorldPlan } from '../../world/topology.ts';
import type { Action } from '../actions/action.ts';
import { actionTable } from '../actions.ts';
import { checkBounds, checkShares } from './check-bounds.ts';
import { controlledSpec } from './controlled.ts';
import { type Control, type Scenario, type ScenarioSpec, scenarioSchema } from './document.ts';
import { msOf } from './fields.ts';
import { type LoadEntry, streamOf } from './load.ts';
import { type Add, noSuchName } from './names.ts';
import { rowIdsOf } from './row-names.ts';

/** Faults of a scenario that its schema cannot see: names that nothing has, times that do not fit. */
export function checkScenario({ spec }: Scenario): Fault[] {
  const faults = checkSpec(spec);
  checkShares(spec, (message, ...path) =>
    faults.push({ severity: 'error', path: ['spec', ...path], message }),
  );
  return [...faults, ...checkControl(spec, faults)];
}

/** Faults of what is run; those of a world hide all else, as nothing can be laid out. */
function checkSpec(spec: ScenarioSpec): Fault[] {
  const faults: Fault[] = [];
  const add: Add = (message, ...path) => faults.push({ severity: 'error', path: ['spec', ...path], message });
  checkWorld(spec, add);
  if (faults.length > 0) return faults;
  const topology = planTopology({ id: '000000', slot: 0, world: spec.world as WorldPlan });
  checkPhases(spec, add);
  checkLoads(spec.load, spec.rates, topology, (message, ...path) => add(message, 'load', ...path));
  checkSteps(spec, topology, add);
  checkBounds(spec, topology, add);
  return faults;
}

function checkWorld({ world }: ScenarioSpec, add: Add): void {
  const { idcs, groups, order = {} } = world;
  const twice = (list: readonly string[]) => list.findIndex((name, i) => list.indexOf(name) < i);
  const [idc, group] = [twice(idcs), twice(groups.map(({ name }) => name))];
  if (idc >= 0) add(`'${idcs[idc]}' stands there twice.`, 'world', 'idcs', idc);
  if (group >= 0) add(`'${groups[group]?.name}' stands there twice.`, 'world', 'groups', group, 'name');
  const isNone = (name: string) => !idcs.includes(name);
  groups.forEach(({ instances, slots = {} }, i) => {
    const unknown = typeof instances === 'number' ? [] : Object.keys(instances).filter(isNone);
    for (const name of unknown) add(noSuchName('IDC', name, idcs), 'world', 'groups', i, 'instances', name);
    for (const name of Object.keys(slots).filter(isNone))
      add(noSuchName('IDC', name, idcs), 'world', 'groups', i, 'slots', name);
  });
  for (const [name, list] of Object.entries(order)) {
    if (isNone(name)) add(noSuchName('IDC', name, idcs), 'world', 'order', name);
    for (const [i, each] of list.entries())
      if (isNone(each)) add(noSuchName('IDC', each, idcs), 'world', 'order', name, i);
    const again = twice(list);
    if (again >= 0) add(`'${list[again]}' stands there twice.`, 'world', 'order', name, again);
  }
}

/** The shortest and the longest length of a phase, in milliseconds. */
const [phaseMsMin, phaseMsMax] = [1000, 3_600_000];

function checkPhases({ phases, quick = {} }: ScenarioSpec, add: Add): void {
  for (const [field, list] of Object.entries({ phases, quick })) {
    for (const [name, length] of Object.entries(list)) {
      if (!(msOf(length) >= phaseMsMin && msOf(length) <= phaseMsMax))
        add(`must be from 1s to 1h. It is '${length}'.`, field, name);
      if (field === 'quick' && !Object.hasOwn(phases, name))
        add(noSuchName('phase', name, Object.keys(phases)), field, name);
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
    const { caller, edge = [], to, rate } = entry;
    if ((caller === undefined) === (entry.edge === undefined)) add('needs either caller or edge.', i);
    if (caller !== undefined && !names.includes(caller)) add(noSuchName('IDC', caller, names), i, 'caller');
    edge.forEach((name, j) => {
      if (!names.includes(name)) add(noSuchName('IDC', name, names), i, 'edge', j);
    });
    to.forEach((name, j) => {
      const group = groups.find((each) => each.name === name);
      const known = groups.map((each) => each.name);
      if (!group) add(noSuchName('Group', name, known), i, 'to', j);
      else if (group.protocol === 'TCP' && (caller === undefined || to.length > 1))
        add('speaks TCP: give it a load of its own, from a caller.', i, 'to', j);
    });
    if (!Object.hasOwn(rates, rate)) add(noSuchName('rate', rate, Object.keys(rates)), i, 'rate');
    const own = streamOf(entry);
    if (streams.has(own)) add(`another load is named '${own}': give this one a stream.`, i);
    streams.add(own);
  });
}

function checkSteps(spec: ScenarioSpec, topology: Topology, add: Add): void {
  const { steps, phases, quick = {}, rates } = spec;
  const table: Readonly<Record<string, Action<unknown>>> = actionTable;
  const dropped = new Set<string>();
  const streams = new Set(spec.load.map(streamOf));
  steps.forEach((step, i) => {
    const length = phases[step.at];
    if (length === undefined) {
      add(noSuchName('phase', step.at, Object.keys(phases)), 'steps', i, 'at');
    } else if (step.after !== undefined && !step.after.endsWith('%')) {
      const short = quick[step.at] ?? length;
      if (msOf(step.after) >= msOf(length))
        add(`is after the phase has ended, which lasts ${length}.`, 'steps', i, 'after');
      else if (msOf(step.after) >= msOf(short))
        add(
          `is after the phase has ended, which with --quick lasts ${short}: give a share of it.`,
          'steps',
          i,
          'after',
        );
    }
    for (const [name, { check }] of Object.entries(table)) {
      const value: unknown = Reflect.get(step, name);
      if (value === undefined || !check) continue;
      for (const { path, message } of check(value, topology)) add(message, 'steps', i, name, ...path);
    }
    if (step.overload) {
      checkLoads([step.overload], rates, topology, (message, _, ...path) =>
        add(message, 'steps', i, 'overload', ...path),
      );
      const own = streamOf(step.overload);
      if (streams.has(own))
        add(`another load is named '${own}': give this one a stream.`, 'steps', i, 'overload');
      streams.add(own);
    }
    if (step.drop) for (const { idc } of [step.drop].flat()) dropped.add(idc);
  });
  const wan = steps.findIndex((step) => step.wan !== undefined);
  if (wan >= 0 && dropped.size > 0) add('cannot be used with `drop`: use one of them.', 'steps', wan, 'wan');
  const second = [...dropped][1];
  if (second !== undefined) {
    const at = steps.findIndex(({ drop }) => drop && [drop].flat().some(({ idc }) => idc === second));
    add('packets can be dropped in only one IDC of a scenario.', 'steps', at, 'drop');
  }
}

/**
 * The control must be able to run, too, and its rows must be rows. `told`: the faults of the scenario without
 * it.
 */
function checkControl(spec: ScenarioSpec, told: readonly Fault[]): Fault[] {
  const { control, world, rates, phases } = spec;
  if (!control) return [];
  const faults: Fault[] = [];
  const add: Add = (message, ...path) =>
    faults.push({ severity: 'error', path: ['spec', 'control', ...path], message });
  for (const name of Object.keys(control.rates ?? {}))
    if (!Object.hasOwn(rates, name)) add(noSuchName('rate', name, Object.keys(rates)), 'rates', name);
  for (const name of Object.keys(control.phases ?? {}))
    if (!Object.hasOwn(phases, name)) add(noSuchName('phase', name, Object.keys(phases)), 'phases', name);
  const merged = { ...world, ...control.world };
  parseStrict(scenarioSchema.shape.spec.shape.world, merged, ['spec', 'control', 'world'], faults);
  if (faults.length > 0) return faults;
  const known = new Set(told.map(({ path, message }) => JSON.stringify([path, message])));
  const off = controlledSpec(spec);
  const own = checkSpec(off).filter(({ path, message }) => !known.has(JSON.stringify([path, message])));
  if (own.length > 0) return own.map((fault) => inControl(fault, control));
  if (told.length === 0) checkRows(control, rowIdsOf(off), add);
  return faults;
}

/**
 * A fault of what the control runs, where the control says it; what it does not change stands in the
 * scenario.
 */
export function inControl(fault: Fault, control: Control): Fault {
  const [, field = '', key = ''] = fault.path;
  const given: unknown = Reflect.get(control, field);
  const isWhole = field === 'load' || field === 'steps';
  const isOwn = typeof given === 'object' && given !== null && (isWhole || Object.hasOwn(given, key));
  return isOwn
    ? { ...fault, path: ['spec', 'control', ...fault.path.slice(1)] }
    : { ...fault, message: `${fault.message} This applies to the negative control.` };
}

function checkRows({ misses, holds = [] }: Control, rows: readonly string[], add: Add): void {
  const check = (id: string, ...path: PathPart[]) => {
    const count = rows.filter((row) => row === id).length;
    if (count === 0) add(noSuchName('row', id, [...new Set(rows)]), ...path);
    if (count > 1) add(`names ${count} rows: change a bound, so that each has a name of its own.`, ...path);
  };
  misses.forEach((ids, i) => {
    if (typeof ids === 'string') check(ids, 'misses', i);
    else for (const [j, id] of ids.entries()) check(id, 'misses', i, j);
  });
  holds.forEach((id, i) => {
    check(id, 'holds', i);
    if (misses.includes(id)) add('is also in `misses`: remove it from one of them.', 'holds', i);
  });
}
