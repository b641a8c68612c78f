import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { workloadsOf } from '../parts.ts';
import { raiseToRealtime } from '../realtime.ts';
import { failbackLoads, failbackWorld, lostIdc } from './failback/groups.ts';
import { type ColdFacts, judgeCold, judgeColdControl } from './failback/verdict.ts';

/** How long an instance works on a request when it is warm, in milliseconds. */
const workMs = 20;
/** Two instances bear 50 requests a second while they are cold, and 500 when they are warm. */
const cold = { slots: { [lostIdc]: 5 }, cold: { factor: 10, calls: 250 } };

/** `make drill-failback-cold`: an IDC comes back cold, to one Group in steps, to another at once. */
export const failbackColdDrill: Drill<ColdFacts> = {
  name: 'failback-cold',
  summary: 'lose an IDC whose instances come back cold',
  description:
    'Start two IDCs with two Groups that are alike, but that one asks for `failback`. Kill the instances of one IDC, start them again, ten times as slow as before for 250 requests each. Judges that the Group that comes home in steps has no worse second than half of what the other one has.',
  unprotected: 'neither Group comes home in steps: the negative control',
  flags: [],
  rates: { caller: 200 },
  plan: ({ unprotected, quick }: Choice): DrillPlan<ColdFacts> => ({
    title: `${lostIdc} comes back cold`,
    label: unprotected ? 'failback-cold unprotected' : 'failback-cold',
    phases: { steady: 6, outage: 7, recovery: quick ? 20 : 26, 'steady again': 4 },
    world: failbackWorld(cold, unprotected ? undefined : { ramp: '10s', hold: '2s' }),
    loads: (topology, rates) => failbackLoads(topology, rates, workMs),
    async play(scene) {
      const { world, topology } = scene.stage;
      const realtime = raiseToRealtime(topology.id);
      const parts = workloadsOf(world.parts, lostIdc);
      await scene.begin('steady');
      await scene.begin('outage');
      await scene.kill(`kill -9 of all instances of ${lostIdc}`, parts);
      await scene.begin('recovery');
      const { moment } = await scene.restart('they start again, cold', parts);
      raiseToRealtime(topology.id);
      const healthyAt = await scene.healthy(parts, 15_000);
      await scene.begin('steady again');
      await scene.ended();
      return { backAt: moment.from, healthyAt, realtime };
    },
    judge: judgeCold,
    judgeControl: judgeColdControl,
    figures: ({ backAt, healthyAt, realtime }) => ({ backAt, healthyAt, realtime }),
    control: { off: 'all requests come home at once', proves: 'without steps cold instances drown' },
  }),
};
