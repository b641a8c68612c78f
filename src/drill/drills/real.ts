import { MeshError } from '../../base/error.ts';
import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { type FaultKind, faultKinds, type InjectedFault } from '../faults/loss.ts';
import { faultWords, planFault } from '../faults/planned-fault.ts';
import { ejectedBetween, readEjections } from '../measure/ejections.ts';
import type { PhaseSeconds } from '../measure/phases.ts';
import type { Scene } from '../scene.ts';
import { failuresInARow } from '../world/failures-in-a-row.ts';
import { workloadsOf } from '../world/parts.ts';
import { addressesOf, proxiesOf } from '../world/topology.ts';
import type { RealFacts } from './real/facts.ts';
import { groups, grpcMix, httpMix, lostIdc, otherIdc, planLoads, quietMix, tcpMix } from './real/mix.ts';
import { realFigures, realRows, realUnprotected } from './real/verdict.ts';

/**
 * Lengths of the phases, in seconds, and of the silence of the quiet websockets, in milliseconds: longer than
 * any proxy's five minutes.
 */
const [full, quick] = [
  { steady: 320, fault: 40, recovery: 53, quietMs: 305_000 },
  { steady: 28, fault: 7, recovery: 5, quietMs: 16_000 },
];

/** `make drill-real`: realistic traffic. */
export const realDrill: Drill<RealFacts> = {
  name: 'real',
  summary:
    'slow answers, big bodies, long streams, all methods and protocols; then lose an IDC in three ways',
  description:
    'Start two IDCs, send a mixed load (HTTP/1.1 with bodies, gRPC, websockets, server-sent events, TCP; answers from 1 ms to 20 s, bodies of up to 8 MiB), judge that each request is executed once while nothing is broken, then kill, stop and cut off the instances of one IDC, and judge that every request that could be saved was.',
  unprotected:
    'hedge after 400 ms, end requests after 15 s and eject for failures in a row, nothing broken: the negative control',
  flags: [
    {
      name: 'faults',
      value: 'kinds',
      description: `what happens to ${lostIdc}, by commas; drop needs root`,
      default: faultKinds.join(','),
    },
  ],
  rates: { http: 14, grpc: 6, tcp: 6 },
  plan,
};

function plan({ flags, unprotected, quick: short }: Choice): DrillPlan<RealFacts> {
  const times = short ? quick : full;
  const kinds = parseFaults(flags.faults ?? '');
  const quietMs = unprotected ? 0 : times.quietMs;
  const mixes = [httpMix, grpcMix, tcpMix, ...(quietMs > 0 ? [quietMix(quietMs)] : [])];
  const names = mixes.flatMap((mix) => mix.map(({ name }) => name));
  const broken = unprotected ? [] : kinds;
  return {
    title: unprotected
      ? 'mixed traffic with hedging after 400 ms'
      : `mixed traffic, and the instances of ${lostIdc} are lost (${kinds.join(', ')})`,
    label: unprotected ? 'real unprotected' : 'real',
    phases: unprotected ? { steady: 30 } : phasesOf(kinds, times),
    world: {
      idcs: [lostIdc, otherIdc],
      groups,
      ...(broken.includes('drop') && { net: lostIdc }),
      ...(unprotected && {
        traffic: { hedge: true, perTryTimeout: '400ms', timeout: '15s' },
        objects: groups.filter(({ protocol }) => protocol !== 'TCP').map(({ name }) => failuresInARow(name)),
      }),
    },
    loads: (topology, rates) => planLoads(topology, rates, quietMs),
    play: (scene) => play(scene, broken),
    judge: (m) => realRows(m, names),
    judgeControl: realUnprotected,
    figures: realFigures,
    control: {
      off: 'Groups hedge after 400 ms and eject for failures in a row',
      proves: 'with hedging slow requests are executed more than once, and healthy instances are ejected',
    },
  };
}

function parseFaults(text: string): FaultKind[] {
  return text.split(',').map((name) => {
    const kind = faultKinds.find((each) => each === name.trim());
    if (kind) return kind;
    throw new MeshError('invalid', `There is no fault '${name}': use some of ${faultKinds.join(', ')}.`);
  });
}

function phasesOf(kinds: readonly FaultKind[], { steady, fault, recovery }: typeof full): PhaseSeconds {
  const each = kinds.map((kind) => [
    [kind, fault],
    [`recovery: ${kind}`, recovery],
  ]);
  return { steady, ...Object.fromEntries(each.flat()) };
}

async function play(scene: Scene, kinds: readonly FaultKind[]): Promise<RealFacts> {
  const { topology } = scene.stage;
  const before = await readEjections(topology);
  const steady = await scene.begin('steady');
  // While nothing is broken yet: the fault is injected when the phase after this one begins.
  await scene.until(steady.to - 250);
  const ejections = ejectedBetween(before, await readEjections(topology));
  const faults: InjectedFault[] = [];
  for (const kind of kinds) faults.push(await inject(scene, kind));
  await scene.ended();
  return {
    healthyTo: faults[0]?.injected.from ?? Number.POSITIVE_INFINITY,
    ejections,
    askedProxies: proxiesOf(topology).length,
    faults,
    addresses: addressesOf(topology),
  };
}

/** A loss and its healing. */
async function inject(scene: Scene, kind: FaultKind): Promise<InjectedFault> {
  const { world, network } = scene.stage;
  const lost = planFault(kind, workloadsOf(world.parts, lostIdc), world, { network });
  await scene.begin(kind);
  const claim = faultWords[kind](`all instances of ${lostIdc} with their sidecars`);
  const { moment: injected, struck } = await scene.step(claim, lost.inject, lost.parts);
  const { to } = await scene.begin(`recovery: ${kind}`);
  const { moment: healed } = await scene.step(`healing begins after ${kind}`, lost.heal);
  const healthyAt = await scene.healthy(lost.parts, to - healed.to);
  if (!Number.isNaN(healthyAt)) scene.note(`everything that was struck by ${kind} answers again`, healthyAt);
  return { kind, injected, struck, healed, healthyAt };
}
