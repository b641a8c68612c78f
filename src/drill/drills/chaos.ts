import { MeshError } from '../../base/error.ts';
import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { failuresOf } from '../scenario/bounds/failures.ts';
import { checkScenario } from '../scenario/document/check.ts';
import type { ScenarioFacts } from '../scenario/measurement.ts';
import { planScenario } from '../scenario/plan.ts';
import { chaosRates, chaosScenario, minutesMin, plants } from './chaos/world.ts';

/** `make drill-chaos`: a random world and random faults, from a seed. */
export const chaosDrill: Drill<ScenarioFacts> = {
  name: 'chaos',
  summary: 'random faults in a random world, from a seed that replays',
  description:
    'Make a world and a schedule of faults from a seed (instances, gateways and control planes killed and stopped, packets to instances dropped, instances deregistered, IDCs evacuated), send a mixed load of HTTP/1.1, HTTP/2, gRPC and TCP, and check throughout that no request loops, none reaches a deregistered instance, no POST or PUT is executed twice, no IDC gets more work from other IDCs than its capacity, and no request fails that could have been served.',
  unprotected: 'stop requests from crossing to other IDCs: the planted fault that must be found',
  flags: [
    { name: 'minutes', value: 'n', description: 'how long', default: '1' },
    {
      name: 'drop',
      value: 'on|off',
      description: 'whether packets to instances are dropped in some worlds, which needs root',
      choices: ['on', 'off'],
      default: 'on',
    },
    {
      name: 'plant',
      value: 'fault',
      description:
        'what --unprotected takes away: crossings to other IDCs, or their limit by capacity, where the seed has one',
      choices: plants,
      default: 'crossing',
    },
  ],
  rates: chaosRates,
  plan,
};

function plan({ flags, seed = 1, ...choice }: Choice): DrillPlan<ScenarioFacts> {
  const minutes = Number(flags.minutes);
  if (!(minutes >= minutesMin && minutes <= 60)) {
    throw new MeshError('invalid', `--minutes is a number from ${minutesMin} to 60, not ${flags.minutes}.`);
  }
  const plant = plants.find((each) => each === flags.plant);
  if (plant === undefined || (flags.drop !== 'on' && flags.drop !== 'off'))
    throw new MeshError('invalid', `--plant is one of ${plants.join(', ')}, --drop is on or off.`);
  const scenario = chaosScenario(seed, { minutes, drops: flags.drop === 'on', plant });
  const [fault] = checkScenario(scenario);
  if (fault) throw new MeshError('internal', `seed ${seed} gives an invalid scenario: ${fault.message}`);
  const planned = planScenario(scenario, choice);
  return {
    ...planned,
    figures: (m) => ({
      ...planned.figures(m),
      replay: scenario,
      failures: failuresOf(m).map(({ sample, why }) => ({
        why: why ?? 'could have been served',
        ...sample,
        lines: m.access.filter(({ id }) => id === sample.id),
      })),
    }),
  };
}
