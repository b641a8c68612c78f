import type { PathPart } from '../../../model/values/field-path.ts';
import type { Topology } from '../../world/topology.ts';
import type { ScenarioSpec } from './document.ts';
import { msOf, parseShare } from './fields.ts';
import { streamOf } from './load.ts';
import { type Add, noSuchName } from './names.ts';

/** Refuses a name, at its path in the bounds, that the scenario has not. */
type CheckName = (name: string | undefined, ...path: PathPart[]) => void;

/** Checks of names, by what they name. */
interface Names {
  readonly phase: CheckName;
  readonly idc: CheckName;
  readonly group: CheckName;
  readonly stream: CheckName;
}

/** What bounds name that a scenario has not. */
export function checkBounds(spec: ScenarioSpec, { idcs, groups }: Topology, add: Add): void {
  const { bounds, phases, load, steps } = spec;
  const named =
    (what: string, known: readonly string[]): CheckName =>
    (name, ...path) => {
      if (name !== undefined && !known.includes(name)) add(noSuchName(what, name, known), 'bounds', ...path);
    };
  const more = steps.flatMap(({ overload }) => overload ?? []);
  const streams = [...load, ...more].map(streamOf);
  const idcNames = idcs.map(({ name }) => name);
  const groupNames = groups.map(({ name }) => name);
  const names: Names = {
    phase: named('phase', Object.keys(phases)),
    idc: named('IDC', idcNames),
    group: named('Group', groupNames),
    stream: named('load', streams),
  };
  checkListedBounds(bounds, names);
  checkSingleBounds(bounds, names);
  if (bounds.home !== undefined && !Object.keys(phases).some((name) => name.startsWith('steady')))
    add('needs a phase whose name begins with `steady`.', 'bounds', 'home');
  const { unaware } = bounds;
  if (unaware === undefined) return;
  const own = `caller-${unaware.idc}`;
  names.idc(unaware.idc, 'unaware', 'idc');
  names.phase('steady', 'unaware');
  if (idcNames.includes(unaware.idc) && !streams.includes(own))
    add(`has no callers: there is no load '${own}'.`, 'bounds', 'unaware', 'idc');
}

function checkSingleBounds(bounds: ScenarioSpec['bounds'], { phase, idc, stream }: Names): void {
  phase(bounds.crossed, 'crossed');
  phase(bounds.lastSlow?.in, 'lastSlow', 'in');
  for (const [i, name] of (bounds.grayOut?.nobody ?? []).entries()) phase(name, 'grayOut', 'nobody', i);
  phase(bounds.overload?.in, 'overload', 'in');
  idc(bounds.overload?.at, 'overload', 'at');
  for (const [i, name] of (bounds.overload?.own ?? []).entries()) stream(name, 'overload', 'own', i);
  if (bounds.lastSlow || bounds.failback) phase('steady', bounds.lastSlow ? 'lastSlow' : 'failback');
  for (const [i, name] of (bounds.silent?.all ?? []).entries()) idc(name, 'silent', 'all', i);
}

function checkListedBounds(bounds: ScenarioSpec['bounds'], { phase, idc, group, stream }: Names): void {
  (bounds.latency ?? []).forEach((each, i) => {
    phase(each.in, 'latency', i, 'in');
    if (each.times !== undefined) phase('steady', 'latency', i, 'times');
  });
  (bounds.share ?? []).forEach((each, i) => {
    const { of, in: name, load } = each;
    idc(of, 'share', i, 'of');
    phase(name, 'share', i, 'in');
    stream(load, 'share', i, 'load');
    group(each.group, 'share', i, 'group');
  });
  (bounds.served ?? []).forEach((each, i) => {
    phase(each.in, 'served', i, 'in');
    stream(each.load, 'served', i, 'load');
  });
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
    idc(each.of, 'switches', i, 'of');
  });
}

/**
 * Shares that no run could have. A negative control need not be able to: most of its bounds say nothing of
 * it.
 */
export function checkShares({ bounds, phases }: ScenarioSpec, add: Add): void {
  (bounds.share ?? []).forEach(({ in: name, least = '0%', most = '100%', after = '0s' }, i) => {
    const at = ['bounds', 'share', i];
    if (parseShare(least) > parseShare(most)) add('is more than `most`: swap them.', ...at, 'least');
    const length = phases[name];
    if (length !== undefined && msOf(after) >= msOf(length))
      add(`is after the phase has ended, which lasts ${length}.`, ...at, 'after');
  });
}
