import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { workloadsOf } from '../parts.ts';
import { raiseToRealtime } from '../realtime.ts';
import { machineClock } from '../time.ts';
import { failbackLoads, failbackWorld, lostIdc } from './failback/groups.ts';
import { type FlapFacts, judgeFlap, judgeFlapControl } from './failback/verdict.ts';

/** How long the instances are gone, and how long they are back, in milliseconds. */
const [downMs, upMs] = [3_000, 3_000];

/** `make drill-flap`: the instances of an IDC go and come, again and again. */
export const flapDrill: Drill<FlapFacts> = {
  name: 'flap',
  summary: 'let the instances of one IDC go and come, again and again',
  description:
    'Start two IDCs with two Groups that are alike, but that one asks for `failback`. Kill the instances of one IDC and start them again, several times. Judges that the requests of the Group that comes home in steps change sides twice: away, and home when it is over.',
  unprotected: 'neither Group comes home in steps: the negative control',
  flags: [],
  rates: { caller: 120 },
  plan: ({ unprotected, quick }: Choice): DrillPlan<FlapFacts> => {
    const times = quick ? 3 : 4;
    return {
      title: `${lostIdc} goes and comes, ${times} times`,
      label: unprotected ? 'flap unprotected' : 'flap',
      // Each time the processes take a moment to start; then two holds, as one was doubled, and the ramp.
      phases: { steady: 6, flapping: times * 8, recovery: 32, 'steady again': 4 },
      world: failbackWorld({}, unprotected ? undefined : { ramp: '8s', hold: '2s' }),
      loads: (topology, rates) => failbackLoads(topology, rates, 5),
      async play(scene) {
        const { world, topology } = scene.stage;
        const realtime = raiseToRealtime(topology.id);
        const parts = workloadsOf(world.parts, lostIdc);
        await scene.begin('steady');
        await scene.begin('flapping');
        for (let n = 1; n <= times; n += 1) {
          const { moment } = await scene.kill(`kill -9 of all instances of ${lostIdc}, time ${n}`, parts);
          await scene.until(moment.to + downMs);
          await scene.restart('they start again', parts);
          raiseToRealtime(topology.id);
          await scene.healthy(parts, 15_000);
          await scene.until(machineClock.now() + upMs);
        }
        const { from } = await scene.begin('recovery');
        await scene.begin('steady again');
        await scene.ended();
        return { overAt: from, realtime };
      },
      judge: judgeFlap,
      judgeControl: judgeFlapControl,
      figures: ({ overAt, realtime }) => ({ overAt, realtime }),
      control: { off: 'all requests come home at once', proves: 'without a hold requests flap with the IDC' },
    };
  },
};
