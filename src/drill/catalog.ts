import { MeshError } from '../base/error.ts';
import type { Drill } from './definition.ts';
import { outageDrill } from './drills/outage.ts';
import { rollingDrill } from './drills/rolling.ts';

/** All drills, in the order in which they are listed. */
export const drills: readonly Drill[] = [outageDrill, rollingDrill];

/** The drill of that name. Throws MeshError 'invalid' that lists the names. */
export function drillNamed(name: string): Drill {
  const found = drills.find((drill) => drill.name === name);
  if (found) return found;
  const names = drills.map((drill) => drill.name).join(', ');
  throw new MeshError('invalid', `There is no drill '${name}': use one of ${names}.`);
}
