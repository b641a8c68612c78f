import type { PathPart } from '../../../model/values/field-path.ts';
import type { Topology } from '../../world/topology.ts';
import type { ScenarioSpec } from './document.ts';
import { msOf, shareOf } from './fields.ts';
import { streamOf } from './load.ts';
import { type Add, noneOf } from './names.ts';

/** What bounds name that a scenario has not. */
export function checkBounds(spec: ScenarioSpec, { idcs, groups }: Topology, add: Add): void {
  const { bounds, phases, load, steps } = spec;
  const named =
    (what: string, known: readonly string[]) =>
    (name: string | undefined, ...path: PathPart[]) => {
      if (name !== undefined && !known.includes(name)) add(noneOf(what, name, known), 'bounds', ...path);
    };
  const phase = named('phase', Object.keys(phases));
  const idc = named(
    'IDC',
    idcs.map(({ name }) => name),
  );
  const group = named(
    'Group',
    groups.map(({ name }) => name),
  );
  const more = steps.flatMap(({ overload }) => overload ?? []);
  const streams = [...load, ...more].map(streamOf);
  const stream = named('load', streams);

  phase(bounds.crossed, 'crossed');
  phase(bounds.lastSlow?.in, 'lastSlow', 'in');
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
  for (const [i, name] of (bounds.grayOut?.nobody ?? []).entries()) phase(name, 'grayOut', 'nobody', i);
  phase(bounds.overload?.in, 'overload', 'in');
  idc(bounds.overload?.at, 'overload', 'at');
  for (const [i, name] of (bounds.overload?.own ?? []).entries()) stream(name, 'overload', 'own', i);
  if (bounds.lastSlow || bounds.failback) phase('steady', bounds.lastSlow ? 'lastSlow' : 'failback');
  for (const [i, name] of (bounds.silent?.all ?? []).entries()) idc(name, 'silent', 'all', i);
  if (bounds.home !== undefined && !Object.keys(phases).some((name) => name.startsWith('steady')))
    add('needs a phase whose name begins with `steady`.', 'bounds', 'home');
  if (!bounds.unaware) return;
  const own = `caller-${bounds.unaware.idc}`;
  idc(bounds.unaware.idc, 'unaware', 'idc');
  phase('steady', 'unaware');
  if (idcs.some(({ name }) => name === bounds.unaware?.idc) && !streams.includes(own))
    add(`has no callers: there is no load '${own}'.`, 'bounds', 'unaware', 'idc');
}

/**
 * Shares that no run could have. A negative control need not be able to: most of its bounds say nothing of
 * it.
 */
export function checkShares({ bounds, phases }: ScenarioSpec, add: Add): void {
  (bounds.share ?? []).forEach(({ in: name, least = '0%', most = '100%', after = '0s' }, i) => {
    const at = ['bounds', 'share', i];
    if (shareOf(least) > shareOf(most)) add('is more than `most`: swap them.', ...at, 'least');
    const length = phases[name];
    if (length !== undefined && msOf(after) >= msOf(length))
      add(`is after the phase has ended, which lasts ${length}.`, ...at, 'after');
  });
}
