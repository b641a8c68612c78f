import { MeshError } from '../../base/error.ts';
import { collectAcks } from '../collect.ts';
import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { saveEdits } from '../edits.ts';
import { checkSidecarsKnowOnlyHome } from '../isolation.ts';
import { callerLoad, edgeLoad, type LoadShape, type Rates } from '../loads.ts';
import type { StepFacts } from '../measurement.ts';
import type { Scene } from '../scene.ts';
import { leadMs } from '../scene.ts';
import { machineClock } from '../time.ts';
import { hostOf, type IdcPlan, idcOf, shopWorld, type Topology } from '../topology.ts';
import { bounds } from './outage/bounds.ts';
import { judgeUnprotected } from './outage/control.ts';
import { failbackFigures, slowFigures } from './outage/figures.ts';
import {
  lostIdc,
  type OutageKind,
  otherIdc,
  outageKinds,
  outageWords,
  parseOutage,
  planOutage,
} from './outage/kinds.ts';
import type { OutageFacts } from './outage/measurement.ts';
import { defaultPhases, quickPhases, siteRecoverySeconds } from './outage/phases.ts';
import { judgeRows } from './outage/verdict.ts';

/** `make drill`: an IDC is lost, in one of several ways, and comes back. */
export const outageDrill: Drill<OutageFacts> = {
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

function plan({ flags, unprotected, quick }: Choice): DrillPlan<OutageFacts> {
  const outage = parseOutage(flags.outage ?? 'kill');
  if (unprotected && outage === 'site') {
    const why = 'callers in sh-b never need sh-a, and clients of the edge go to sh-b by themselves';
    throw new MeshError('invalid', `OUTAGE=site cannot run unprotected: ${why}. Use another outage.`);
  }
  // A whole site takes longer to start than its instances: its control plane comes first, and then its Envoys.
  const site = outage === 'site' ? { recovery: siteRecoverySeconds } : {};
  return {
    title: outageWords[outage],
    label: `${outage}${unprotected ? ' unprotected' : ''}`,
    phases: { ...(quick ? quickPhases : defaultPhases), ...site },
    world: { ...shopWorld, crossing: !unprotected, ...(outage === 'drop' && { net: lostIdc }) },
    loads: (topology, rates) => planLoads(topology, outage, rates),
    play: (scene) => play(scene, outage, !unprotected),
    judge: judgeRows,
    judgeControl: judgeUnprotected,
    figures: (m) => ({
      outage,
      crossing: m.crossing,
      slow: slowFigures(m),
      failback: failbackFigures(m),
      eventToAck: m.acks,
    }),
    control: { off: 'the way to other IDCs is closed', proves: 'without protection requests are lost' },
  };
}

/**
 * The main caller stands in the IDC whose instances are lost, or, when the whole site is lost, in the other one,
 * where it must not notice; a smaller one then stands, and falls, in the site.
 */
function planLoads(topology: Topology, outage: OutageKind, rates: Rates): LoadShape[] {
  const hosts = topology.groups.map((group) => hostOf(topology, group));
  const [a, b] = [idcOf(topology, lostIdc), idcOf(topology, otherIdc)];
  const { caller = 0, edge = 0 } = rates;
  const main = hosts.slice(0, 1);
  return outage === 'site'
    ? [callerLoad(b, main, caller), callerLoad(a, main, Math.ceil(caller / 5)), edgeLoad([a, b], hosts, edge)]
    : [callerLoad(a, main, caller), edgeLoad([a, b], hosts, edge)];
}

/** Blows in the outage, healing, edits in both steady phases. */
async function play(scene: Scene, kind: OutageKind, crossing: boolean): Promise<OutageFacts> {
  const { stage } = scene;
  const { topology, world } = stage;
  const inside = kind === 'site' ? scene.loads.filter((load) => load.idc === lostIdc) : [];
  const outage = planOutage(kind, world, {
    clients: () => inside.map((load) => load.running),
    ...(stage.network && { network: stage.network }),
  });
  const idc = editedIdc(topology, kind);
  const half = bounds.edits / 2;
  const edit = (phase: string, first: number) => {
    const { from: fromMs, to: toMs } = scene.span(phase);
    return saveEdits({ ...stage, idc, first, count: half, fromMs, toMs }, stage.signal);
  };

  await scene.begin('steady');
  let edits = await edit('steady', 0);

  const { from, to } = await scene.begin('outage');
  const faults: StepFacts[] = [];
  for (const { claim, at, strike, parts } of outage.steps) {
    await scene.until(from + at * (to - from));
    faults.push(await scene.step(claim, strike, parts));
  }
  const blow = faults[0] as StepFacts;
  for (const load of inside) scene.lose(load, blow.moment);
  await scene.until((from + to) / 2);
  const when = 'in the outage';
  scene.found({ [`sidecars ${when}`]: await checkSidecarsKnowOnlyHome(world, ['caller'], when) });

  await scene.begin('recovery');
  const { moment: healed } = await scene.step('healing begins', outage.heal);
  const end = scene.span('steady again').to;
  const healthy = scene.healthy(outage.healed, end - machineClock.now()).then((at) => {
    if (!Number.isNaN(at)) scene.note('all that was lost answers again', at);
    return at;
  });
  const again = inside.length > 0 ? healthy.then(beginAgain) : undefined;

  await scene.begin('steady again');
  edits += await edit('steady again', half);
  const healthyAt = await healthy;
  await again;
  await scene.ended();
  return {
    outage: kind,
    crossing,
    lostIdc,
    hedging: topology.groups.filter(({ hedge }) => hedge).map((group) => hostOf(topology, group)),
    faults,
    healed,
    healthyAt,
    ...(kind === 'site' && { lostSite: { prefix: idcOf(topology, lostIdc).prefix, died: blow.moment } }),
    edits,
    acks: [await collectAcks(idc)],
  };

  /** Callers inside the site come back with it. */
  function beginAgain(at: number): void {
    const from = machineClock.now() + leadMs;
    const [load] = inside;
    if (!load || Number.isNaN(at) || from > end - 1000) return;
    const { hosts, ratePerSecond, stream } = load.plan;
    const shape = callerLoad(idcOf(topology, lostIdc), hosts, ratePerSecond);
    scene.startLoad({ ...shape, stream: `${stream}-again` }, from);
  }
}

/** The IDC whose registry is edited: the one with the main caller, whose control plane lives through the drill. */
function editedIdc(topology: Topology, outage: OutageKind): IdcPlan {
  return idcOf(topology, outage === 'site' ? otherIdc : lostIdc);
}
