import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { circlesOf } from '../judge/circles.ts';
import { callerLoad, edgeLoad, type LoadShape, type Rates } from '../load/loads.ts';
import { countedBetween, readTrailCounters } from '../measure/trail-counters.ts';
import type { Scene } from '../scene.ts';
import { instancesOf, type Part, partNames, workloadsOf } from '../world/parts.ts';
import { hostOf, type Topology, type WorldPlan } from '../world/topology.ts';
import type { Down, LoopFacts } from './loop/facts.ts';
import { preferenceRow, relayedRow } from './loop/preference.ts';
import { judgeLoopControl, loopControl, loopRows } from './loop/rows.ts';

const hopLimit = 2;
const idcs = ['sh-a', 'bj-b', 'gz-c'] as const;
const [a, b, c] = idcs;

/** Each IDC prefers the next one, the last the first: what is lost moves on in a ring. */
const order: Readonly<Record<string, readonly string[]>> = { [a]: [a, b, c], [b]: [b, c, a], [c]: [c, a, b] };

/** Who serves a Group in each phase; in `nobody left` nobody does. */
const alive: Readonly<Record<string, readonly string[]>> = {
  steady: [a, b, c],
  'a lost': [b, c],
  'a, b lost': [c],
  'c back': [c],
  'steady again': [a, b, c],
};

/** `make drill-loop3`: instances fail in one IDC after another, in a ring of preferences. */
export const loop3Drill: Drill<LoopFacts> = {
  name: 'loop3',
  summary: 'lose one of three IDCs after another, in a ring of preferences',
  description:
    'Start three IDCs that prefer each other in a ring, with hop limit 2; kill the instances of one after another, and start them again. Judge that no request visits an IDC twice, and that each one that some IDC could serve is served.',
  unprotected: 'switch loop prevention off (filters and routes): the negative control, which must show loops',
  flags: [],
  rates: { caller: 60, edge: 30 },
  plan,
};

function plan({ unprotected, quick }: Choice): DrillPlan<LoopFacts> {
  const world: WorldPlan = {
    idcs,
    // `legacy` is checked by nobody: only an ingress knows that its IDC has none, and hands on.
    groups: [
      { name: 'checkout', instances: 1 },
      { name: 'legacy', instances: 1, checked: false },
    ],
    gateways: 1,
    hopLimit,
    order,
    exposeOutcome: true,
    ...(unprotected && { control: ['--loop-prevention', 'off'] }),
  };
  const short = quick || unprotected;
  return {
    title: 'the instances of three IDCs are killed, one IDC after another, in a ring of preferences',
    label: unprotected ? 'loop3 unprotected' : 'loop3',
    phases: {
      steady: 3,
      'a lost': short ? 4 : 6,
      'a, b lost': short ? 4 : 6,
      'nobody left': short ? 4 : 6,
      'c back': short ? 5 : 6,
      recovery: 6,
      'steady again': 3,
    },
    // One looping request is hundreds of requests.
    ...(unprotected && { rates: { caller: 6, edge: 4 } }),
    world,
    loads: planLoads,
    play,
    judge: (m) => [
      // The first proxy tries four times; each try enters the next IDC once, which hands on twice at most.
      ...loopRows(m, { crossings: hopLimit, entries: 12 }),
      relayedRow(m, hopLimit),
      preferenceRow(m, order, alive),
    ],
    judgeControl: judgeLoopControl,
    figures: (m) => ({ circles: circlesOf(m), refusing: m.refusing, order }),
    control: loopControl,
  };
}

/** Callers in all IDCs and clients at all edges. */
function planLoads(topology: Topology, { caller = 0, edge = 0 }: Rates): LoadShape[] {
  const hosts = topology.groups.map((group) => hostOf(topology, group));
  const edges = edgeLoad(topology.idcs, hosts, edge);
  return [
    ...topology.idcs.map((idc) => callerLoad(idc, hosts, caller / idcs.length)),
    { ...edges, tiers: [edges.tiers.flat()] },
  ];
}

/** Instances that start take a second, on a busy machine several. */
const patienceMs = 20_000;

async function play(scene: Scene): Promise<LoopFacts> {
  const { topology, world } = scene.stage;
  const before = await readTrailCounters(topology);
  const downs = new Map<string, Omit<Down, 'to'>>();
  const ended: Down[] = [];
  const workloads = (idc: string) => workloadsOf(world.parts, idc);
  const uncheckedOf = (parts: readonly Part[]) =>
    instancesOf(parts).filter(({ group }) => !(group.checked ?? true));
  const lose = async (idc: string) => {
    const parts = workloads(idc);
    await scene.withdraw(`legacy leaves the registry of ${idc}`, uncheckedOf(parts));
    const { moment } = await scene.kill(`kill -9 of all instances of ${idc}`, parts);
    downs.set(idc, { instances: partNames(parts), from: moment.to });
    return moment;
  };
  const restore = async (...list: string[]) => {
    const parts = list.flatMap(workloads);
    const names = list.join(' and ');
    const { moment } = await scene.restart(`all instances of ${names} start again`, parts);
    for (const idc of list) ended.push({ ...(downs.get(idc) as Down), to: moment.from });
    // An instance that is announced before it answers gets requests that fail.
    const healthyAt = await scene.healthy(parts, patienceMs);
    scene.announce(uncheckedOf(parts));
    if (!Number.isNaN(healthyAt))
      scene.note(`${names} answer again, and legacy is in the registry`, healthyAt);
    return { from: moment.from, healthyAt };
  };

  await scene.begin('steady');
  await scene.begin('a lost');
  await lose(a);
  await scene.begin('a, b lost');
  await lose(b);
  const { from } = await scene.begin('nobody left');
  const last = await lose(c);
  const { to } = await scene.begin('c back');
  const back = await restore(c);
  await scene.begin('recovery');
  await restore(a, b);
  await scene.begin('steady again');
  await scene.ended();
  const hosts = topology.groups.map((group) => hostOf(topology, group));
  return {
    downs: ended,
    refusing: { hosts, from, to },
    hopeless: { from: last.to, to: back.from },
    healthyAt: back.healthyAt,
    counted: countedBetween(before, await readTrailCounters(topology)),
  };
}
