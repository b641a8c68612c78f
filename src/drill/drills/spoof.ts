import { sleep } from '../../base/clock.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { hostilePrefix } from '../call/request-id.ts';
import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { callerLoad, edgeLoad, type LoadShape, type Rates } from '../load/loads.ts';
import { collectEntries, collectLines } from '../measure/collect.ts';
import { countedBetween, readTrailCounters } from '../measure/trail-counters.ts';
import type { Scene } from '../scene.ts';
import { machineClock } from '../time.ts';
import { hostOf, type IdcPlan, idcOf, type Topology, type WorldPlan } from '../world/topology.ts';
import { attacks, far, near } from './spoof/attacks.ts';
import { send } from './spoof/client.ts';
import type { Attempt, Door, SpoofFacts } from './spoof/facts.ts';
import { judgeSpoofControl, spoofRows } from './spoof/rows.ts';

/** `make drill-spoof`: clients that forge trails, at the edge and at a sidecar. */
export const spoofDrill: Drill<SpoofFacts> = {
  name: 'spoof',
  summary: 'forge trails over raw sockets, at the edge and at a sidecar',
  description:
    'Start two IDCs with hop limit 2 and send forged, split, oversized, non-ASCII and malformed x-isthmus-* headers over raw sockets, beside a load. Judges that hostile clients are served like all others and get nothing else, that forged trails are counted, and that the load is not affected.',
  unprotected:
    'connect to the listeners that trust trails: the negative control, in which forged trails must have an effect',
  flags: [],
  rates: { caller: 100, edge: 60, attacker: 60 },
  plan,
};

function plan({ unprotected, quick }: Choice): DrillPlan<SpoofFacts> {
  const world: WorldPlan = {
    idcs: [near, far],
    groups: [
      { name: 'checkout', instances: 1 },
      // Nobody near: its requests cross, honestly, once.
      { name: 'remote', instances: { [far]: 1 } },
    ],
    hopLimit: 2,
  };
  return {
    title: 'hostile clients forge trails, beside a load',
    label: unprotected ? 'spoof unprotected' : 'spoof',
    phases: { steady: 3, hostile: quick || unprotected ? 6 : 12, 'steady again': 3 },
    world,
    loads: planLoads,
    play: (scene) => play(scene, unprotected ? believingDoors : outerDoors),
    judge: spoofRows,
    judgeControl: judgeSpoofControl,
    figures: (m) => ({ attempts: summary(m.attempts) }),
    control: {
      off: 'the hostile clients connect where trails are trusted: to the peer listener, and to the egress from inside',
      proves: 'where trails are trusted, forged ones have an effect',
    },
  };
}

function planLoads(topology: Topology, { caller = 0, edge = 0 }: Rates): LoadShape[] {
  const hosts = topology.groups.slice(0, 1).map((group) => hostOf(topology, group));
  const edges = edgeLoad(topology.idcs, hosts, edge);
  return [callerLoad(idcOf(topology, near), hosts, caller), { ...edges, tiers: [edges.tiers.flat()] }];
}

type OpenDoor = Door & { readonly at: ListenAddress };

/** Where clients may come: each gateway of the near IDC, and a sidecar. */
function outerDoors(idc: IdcPlan): OpenDoor[] {
  return [
    ...idc.ingress.map(({ name, edge: at }) => ({
      name: `edge of ${idc.name}/${name}`,
      listener: 'edge',
      at,
    })),
    { name: `sidecar of ${idc.name}/${idc.caller.name}`, listener: 'outbound', at: idc.caller.outbound },
  ];
}

/** Where only gateways may come. */
function believingDoors(idc: IdcPlan): OpenDoor[] {
  return [
    ...idc.ingress.map(({ name, peer: at }) => ({
      name: `peer listener of ${idc.name}/${name}`,
      listener: 'peer',
      at,
    })),
    ...idc.egress.map(({ name, ingress: at }) => ({
      name: `inside of ${idc.name}/${name}`,
      listener: 'ingress',
      at,
    })),
  ];
}

async function play(scene: Scene, doorsOf: (idc: IdcPlan) => OpenDoor[]): Promise<SpoofFacts> {
  const { topology, paths, signal } = scene.stage;
  const doors = doorsOf(idcOf(topology, near));
  const before = await readTrailCounters(topology);
  await scene.begin('steady');
  const { to } = await scene.begin('hostile');
  const attempts: Attempt[] = [];
  await scene.step(
    `${attacks.length} kinds of hostile requests begin, at ${doors.length} doors`,
    async () => undefined,
  );
  const pending: Promise<void>[] = [];
  // All kinds once at each door for each Group; then over and over until the phase ends.
  const [first, kinds] = [machineClock.now(), attacks.length * doors.length * 2];
  const everyMs = 1000 / (scene.rates.attacker ?? 1);
  for (let n = 0; n < kinds || machineClock.now() < to; n += 1) {
    await sleep(machineClock, Math.max(0, first + n * everyMs - machineClock.now()), signal);
    pending.push(attempt(n));
  }
  await Promise.all(pending);
  scene.note(`${attempts.length} hostile requests were sent`, machineClock.now());
  await scene.begin('steady again');
  await scene.ended();
  const isHostile = (id: string) => id.startsWith(hostilePrefix);
  return {
    attempts,
    lines: await collectLines(topology, paths, isHostile),
    reached: collectEntries(topology, paths, isHostile),
    counted: countedBetween(before, await readTrailCounters(topology)),
  };

  async function attempt(n: number): Promise<void> {
    const attack = attacks[n % attacks.length];
    const turn = Math.floor(n / attacks.length);
    const door = doors[turn % doors.length];
    const group = topology.groups[Math.floor(turn / doors.length) % 2];
    if (!attack || !door || !group) return;
    const id = `${hostilePrefix}${n}`;
    const answer = await send(door.at, hostOf(topology, group), id, attack);
    const { at, ...rest } = door;
    attempts.push({ id, attack: attack.name, door: rest, far: group.name === 'remote', answer });
  }
}

/** How often each kind was answered with each status. */
function summary(attempts: readonly Attempt[]): Record<string, Record<string, number>> {
  const table: Record<string, Record<string, number>> = {};
  for (const { attack, answer } of attempts) {
    const row = table[attack] ?? {};
    row[answer.status] = (row[answer.status] ?? 0) + 1;
    table[attack] = row;
  }
  return table;
}
