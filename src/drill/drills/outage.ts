import { fileURLToPath } from 'node:url';
import { MeshError } from '../../base/error.ts';
import type { Choice, Drill, DrillPlan } from '../definition.ts';
import type { ScenarioFacts } from '../scenario/measurement.ts';
import { planScenario } from '../scenario/plan.ts';
import { readScenario } from '../scenario/read.ts';

/** The ways in which an IDC is lost: one scenario file each. */
export const outageKinds = ['kill', 'stop', 'drop', 'partial', 'gateway', 'site'] as const;

/** `make drill`: an IDC is lost, in one of several ways, and comes back. */
export const outageDrill: Drill<ScenarioFacts> = {
  name: 'outage',
  summary: 'lose the instances of one IDC, or all of it',
  description:
    'Start two IDCs of real Envoys, send an open-loop load, take one of them away, bring it back, and judge what the clients saw.',
  unprotected: 'switch the priorities between IDCs off: the negative control',
  flags: [
    {
      name: 'outage',
      value: 'kind',
      description: 'what happens to sh-a',
      choices: outageKinds,
      default: 'kill',
    },
  ],
  rates: { caller: 500, edge: 100 },
  plan,
};

function plan({ flags, ...choice }: Choice): DrillPlan<ScenarioFacts> {
  const { outage = 'kill' } = flags;
  if (!outageKinds.some((kind) => kind === outage)) {
    throw new MeshError('invalid', `There is no outage '${outage}': use one of ${outageKinds.join(', ')}.`);
  }
  const planned = planScenario(readScenario(outageFile(outage)), choice);
  return { ...planned, figures: (m) => ({ outage, ...planned.figures(m) }) };
}

/** The scenario of a kind of outage. */
export function outageFile(kind: string): string {
  return fileURLToPath(new URL(`../scenarios/outage-${kind}.yaml`, import.meta.url));
}
