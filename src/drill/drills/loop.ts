import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { circlesOf } from '../judge/circles.ts';
import { callerLoad, edgeLoad, type LoadShape, type Rates } from '../load/loads.ts';
import { countedBetween, readTrailCounters } from '../measure/trail-counters.ts';
import type { Scene } from '../scene.ts';
import { machineClock } from '../time.ts';
import { instancesOf, partNames, workloadsOf } from '../world/parts.ts';
import { hostOf, type Topology, type WorldPlan } from '../world/topology.ts';
import type { LoopFacts } from './loop/facts.ts';
import { onceRows } from './loop/once.ts';
import { judgeLoopControl, loopControl, loopRows } from './loop/rows.ts';

const hopLimit = 2;

/**
 * The first two have no instance in either IDC. `checkout` stays in the registry, and the egresses learn by
 * checks that the other IDC has none. `legacy` is not checked, and is removed from the registry before: an
 * ingress knows that it has none, an egress never does, so that only loop prevention stops its requests.
 */
const [checkout, legacy, catalog] = ['checkout', 'legacy', 'catalog'] as const;

/** `make drill-loop`: both IDCs lose all instances. No request may circulate between them. */
export const loopDrill: Drill<LoopFacts> = {
  name: 'loop',
  summary: 'leave no instance in either of two IDCs: no request may loop',
  description:
    'Start two IDCs with hop limit 2, kill all instances of two Groups in both, and judge that each request crosses at most once, is refused with a reason within a second, and that requests to a third Group are not affected.',
  unprotected: 'switch loop prevention off (filters and routes): the negative control, which must show loops',
  flags: [],
  rates: { caller: 130, edge: 90 },
  plan,
};

function plan({ unprotected, quick }: Choice): DrillPlan<LoopFacts> {
  const world: WorldPlan = {
    idcs: ['sh-a', 'sh-b'],
    groups: [
      { name: checkout, instances: 1 },
      { name: legacy, instances: 1, checked: false },
      { name: catalog, instances: 1 },
    ],
    hopLimit,
    exposeOutcome: true,
    ...(unprotected && { control: ['--loop-prevention', 'off'] }),
  };
  return {
    title: 'kill -9 of all instances of two Groups in both IDCs',
    label: unprotected ? 'loop unprotected' : 'loop',
    phases: { steady: 3, 'nobody left': unprotected ? 4 : quick ? 6 : 20, recovery: 9, 'steady again': 3 },
    // One looping request is hundreds of requests.
    ...(unprotected && { rates: { caller: 6, edge: 4 } }),
    world,
    loads: planLoads,
    play,
    // Two IDCs: after one crossing all have been visited, whatever the hop limit. The first proxy tries four
    // times.
    judge: (m) => [...loopRows(m, { crossings: 1, entries: 4 }), ...onceRows(m)],
    judgeControl: judgeLoopControl,
    figures: (m) => ({ circles: circlesOf(m), refusing: m.refusing }),
    control: loopControl,
  };
}

/** Callers in both IDCs and clients at both edges; one request of ten is for the Group that stays. */
function planLoads(topology: Topology, { caller = 0, edge = 0 }: Rates): LoadShape[] {
  const host = (name: string) => `${name}.${topology.namespace}`;
  const dying = Array.from({ length: 9 }, (_, i) => host(i % 2 === 0 ? checkout : legacy));
  const hosts = [...dying, host(catalog)];
  const edges = edgeLoad(topology.idcs, hosts, edge);
  return [
    ...topology.idcs.map((idc) => callerLoad(idc, hosts, caller / 2)),
    { ...edges, tiers: [edges.tiers.flat()] },
  ];
}

async function play(scene: Scene): Promise<LoopFacts> {
  const { topology, world } = scene.stage;
  const before = await readTrailCounters(topology);
  const victims = topology.idcs.flatMap(({ name }) =>
    [checkout, legacy].flatMap((group) => workloadsOf(world.parts, name, group)),
  );
  const gone = instancesOf(victims).filter(({ group }) => group.name === legacy);
  await scene.begin('steady');
  const { from } = await scene.begin('nobody left');
  await scene.withdraw('legacy leaves the registry, in both IDCs', gone);
  const injected = await scene.kill('all instances of checkout and legacy are killed, in both IDCs', victims);
  const recovery = await scene.begin('recovery');
  const healed = await scene.restart('all of them start again', victims);
  const healthy = scene.healthy(victims, recovery.to - machineClock.now());
  // Not before it answers: an instance that is announced too early gets requests that fail.
  const healthyAt = await healthy;
  scene.announce(gone);
  await scene.begin('steady again');
  if (!Number.isNaN(healthyAt)) scene.note('all of them answer again', healthyAt);
  await scene.ended();
  return {
    downs: [{ instances: partNames(victims), from: injected.moment.to, to: healed.moment.from }],
    refusing: {
      hosts: topology.groups.filter(({ name }) => name !== catalog).map((group) => hostOf(topology, group)),
      from,
      to: recovery.to,
    },
    hopeless: { from: injected.moment.to, to: healed.moment.from },
    healthyAt,
    counted: countedBetween(before, await readTrailCounters(topology)),
  };
}
