import { MeshError } from '../base/error.ts';
import type { Drill } from './definition.ts';
import { chaosDrill } from './drills/chaos.ts';
import { controlPlaneDrill } from './drills/controlplane.ts';
import { evacuateDrill } from './drills/evacuate.ts';
import { failbackColdDrill } from './drills/failback-cold.ts';
import { flapDrill } from './drills/flap.ts';
import { grayDrill } from './drills/gray.ts';
import { loopDrill } from './drills/loop.ts';
import { loop3Drill } from './drills/loop3.ts';
import { outageDrill } from './drills/outage.ts';
import { overloadDrill } from './drills/overload.ts';
import { questionsDrill } from './drills/questions.ts';
import { realDrill } from './drills/real.ts';
import { rollingDrill } from './drills/rolling.ts';
import { slowProxyDrill } from './drills/slowproxy.ts';
import { spoofDrill } from './drills/spoof.ts';

/** All drills, in the order in which they are listed. */
// One on a line: drills are added side by side.
// biome-ignore format: as said.
export const drills: readonly Drill[] = [
  outageDrill,
  loopDrill,
  loop3Drill,
  spoofDrill,
  rollingDrill,
  controlPlaneDrill,
  slowProxyDrill,
  realDrill,
  grayDrill,
  failbackColdDrill,
  flapDrill,
  chaosDrill,
  overloadDrill,
  evacuateDrill,
  questionsDrill,
];

/** The drill of that name. Throws MeshError 'invalid' that lists the names. */
export function drillNamed(name: string): Drill {
  const found = drills.find((drill) => drill.name === name);
  if (found) return found;
  const names = drills.map((drill) => drill.name).join(', ');
  throw new MeshError('invalid', `There is no drill '${name}': use one of ${names}.`);
}
