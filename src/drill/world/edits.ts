import { sleep } from '../../base/clock.ts';
import { machineClock } from '../time.ts';
import type { DrillPaths } from './paths.ts';
import { saveInstance } from './registry-files.ts';
import type { IdcPlan, Topology } from './topology.ts';

/**
 * Saves `count` endpoint edits, evenly between two moments, and resolves with how many it saved. An edit
 * toggles the weight of an instance between 1 and 2, of each Group in turn: a real change of endpoints for
 * every proxy that uses them, which excludes no instance. Not of Groups whose instances register
 * themselves. `first` numbers the first edit, so that a second call goes on.
 */
export async function saveEdits(
  options: {
    readonly topology: Topology;
    readonly paths: DrillPaths;
    readonly idc: IdcPlan;
    readonly first: number;
    readonly count: number;
    readonly fromMs: number;
    readonly toMs: number;
  },
  signal: AbortSignal,
): Promise<number> {
  const { topology, paths, idc, first, count, fromMs, toMs } = options;
  const groups = topology.groups.filter(({ registers }) => !registers);
  const targets = groups.flatMap((group) => idc.instances.find((i) => i.group === group) ?? []);
  const step = (toMs - fromMs) / count;
  for (let i = 0; i < count; i += 1) {
    await sleep(machineClock, Math.max(0, fromMs + (i + 0.5) * step - machineClock.now()), signal);
    const number = first + i;
    const target = targets[number % targets.length];
    if (!target) throw new RangeError(`${idc.name} has no instances to edit`);
    const weight = Math.floor(number / targets.length) % 2 === 0 ? 2 : 1;
    saveInstance(paths.registry(idc.name), topology, target, weight);
  }
  return count;
}
