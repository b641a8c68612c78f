import { MeshError } from '../../base/error.ts';
import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { readStats } from '../envoy.ts';
import { callerLoad, edgeLoad, type LoadShape, type Rates } from '../loads.ts';
import { workloadsOf } from '../parts.ts';
import { raiseToRealtime } from '../realtime.ts';
import type { Scene } from '../scene.ts';
import { type IdcPlan, idcOf, type Topology, type WorldPlan } from '../topology.ts';
import {
  capacity,
  figuresOf,
  judgeOverload,
  judgeOverloadControl,
  meanWorkMs,
  type OverloadFacts,
  own,
  workMs,
} from './overload/verdict.ts';

const [lost, survivor] = ['sh-a', 'sh-b'] as const;
const group = 'checkout';

/** `make drill-overload`: an IDC fails whose load is several times what the other one bears. */
export const overloadDrill: Drill<OverloadFacts> = {
  name: 'overload',
  summary: 'let one IDC fail whose load is three times what the other one bears',
  description:
    'Start two IDCs; the instances of the second work on a few requests at once, and its own users take 0.6 of that. Kill the instances of the first, whose users send three times as much as the second bears, and judge that the second goes on: what it bears is served, its own users first, and what is refused is refused at once, in words, and not tried over and over.',
  unprotected: 'declare no capacity, so that nothing bounds what comes over: the negative control',
  flags: [
    {
      name: 'loses',
      value: 'what',
      description:
        'What the second IDC loses meanwhile: nothing, or one instance and one ingress gateway (both).',
      choices: ['nothing', 'both'],
      default: 'nothing',
    },
  ],
  // In units of what the second IDC bears (80 a second): 0.6 and 3. Its own users come by its sidecar and at its edge.
  rates: {
    own: 0.5 * capacity,
    'own-edge': 0.1 * capacity,
    spilled: 2.7 * capacity,
    'spilled-post': 0.3 * capacity,
  },
  plan,
};

function plan({ unprotected, quick, flags }: Choice): DrillPlan<OverloadFacts> {
  const { loses = 'nothing' } = flags;
  if (loses !== 'nothing' && loses !== 'both')
    throw new MeshError('invalid', `--loses is nothing or both, not '${loses}'.`);
  const world: WorldPlan = {
    idcs: [lost, survivor],
    groups: [{ name: group, instances: { [lost]: 2, [survivor]: 4 }, slots: { [survivor]: own.slots } }],
    ...(unprotected
      ? {}
      : { drGroup: { capacity: { idcs: { [survivor]: { concurrentPerInstance: own.slots } } } } }),
  };
  const variant = loses === 'both' ? ', an instance and a gateway lost meanwhile' : '';
  return {
    title: `${lost} lost under three times the load that ${survivor} bears${variant}`,
    label: `overload${loses === 'both' ? ' with losses' : ''}${unprotected ? ' unprotected' : ''}`,
    phases: { steady: 4, overload: quick || unprotected ? 8 : 15, recovery: 6, 'steady again': 3 },
    world,
    loads,
    play: (scene) => play(scene, loses === 'both'),
    judge: judgeOverload,
    judgeControl: judgeOverloadControl,
    figures: figuresOf,
    control: {
      off: 'no capacity is declared',
      proves: 'without a bound the second IDC falls with the first',
    },
  };
}

/** A request is of use to its user within a second: so long they wait. */
const timeoutMs = 5_000;

function loads(topology: Topology, rates: Rates): LoadShape[] {
  const [a, b] = [idcOf(topology, lost), idcOf(topology, survivor)];
  const hosts = [`${group}.${topology.namespace}`];
  const with_ = (shape: LoadShape, stream: string, method = 'GET'): LoadShape => ({
    ...shape,
    stream,
    timeoutMs,
    mix: [{ name: `${method}, ${meanWorkMs} ms`, kind: 'http', weight: 1, method, workMs }],
  });
  const caller = (idc: IdcPlan, rate = 0) => callerLoad(idc, hosts, rate);
  return [
    with_(caller(b, rates.own), own.streams[0]),
    with_({ ...edgeLoad([b], hosts, rates['own-edge'] ?? 0) }, own.streams[1]),
    with_(caller(a, rates.spilled), 'spilled'),
    with_(caller(a, rates['spilled-post']), 'spilled-post', 'POST'),
  ];
}

async function play(scene: Scene, losing: boolean): Promise<OverloadFacts> {
  const { world, topology } = scene.stage;
  const realtime = raiseToRealtime(topology.id);
  scene.say(
    realtime ? 'the drill has real-time priority' : 'no real-time priority: root and chrt are needed',
  );
  await scene.begin('steady');
  const { from, to } = await scene.begin('overload');
  const parts = workloadsOf(world.parts, lost);
  const killed = await scene.kill(`kill -9 of all instances of ${lost}`, parts);
  let lossAt = Number.POSITIVE_INFINITY;
  if (losing) {
    await scene.until(from + (to - from) / 2);
    const b = idcOf(topology, survivor);
    const instance = workloadsOf(world.parts, survivor).filter(({ proxy }) => proxy === b.instances[0]);
    const gateway = world.parts.filter(({ proxy }) => proxy === b.ingress[0]);
    const step = await scene.kill(`kill -9 of an instance and an ingress gateway of ${survivor}`, [
      ...instance,
      ...gateway,
    ]);
    lossAt = step.moment.from;
  }
  const recovery = await scene.begin('recovery');
  const ejections = await ejectionsOf(topology);
  await scene.restart(`all instances of ${lost} start again`, parts);
  raiseToRealtime(topology.id);
  const healedAt = await scene.healthy(parts, 20_000);
  await scene.begin('steady again');
  await scene.ended();
  return { killedAt: killed.moment.to, endedAt: recovery.from, healedAt, lossAt, ejections, realtime };
}

/** Ejections that proxies of the survivor have made of its instances: those that live have done nothing wrong. */
async function ejectionsOf(topology: Topology): Promise<number> {
  const b = idcOf(topology, survivor);
  const all = await Promise.all(
    [...b.ingress, b.caller].map((proxy) =>
      readStats(proxy.admin, 'instances/.*ejections_enforced_total$').catch(() => new Map<string, number>()),
    ),
  );
  return all.flatMap((stats) => [...stats.values()]).reduce((sum, count) => sum + count, 0);
}
