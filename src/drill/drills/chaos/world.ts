import { type Random, seededRandom } from '../../../base/random.ts';
import { type Scenario, scenarioVersion } from '../../scenario/document/document.ts';
import { planTopology, type WorldPlan } from '../../world/topology.ts';
import { held, loadsOf, overHttp2, randomMore, worldWords } from './more.ts';
import { randomSteps, type StrikableParts } from './schedule.ts';

/** Lengths of the phases beside the chaos, in seconds. */
const [steadyS, recoveryS, againS] = [4, 12, 3];

/** Shortest run, in minutes: the quiet phases, and a fault or two. */
export const minutesMin = 0.6;

/**
 * Requests a second: low, so that twenty worlds cost no more than twenty minutes of a small machine. `more`:
 * of gRPC and of TCP.
 */
export const chaosRates = { caller: 40, edge: 15, more: 6 } as const;

/** Options of a chaos run besides its seed. */
interface ChaosChoice {
  readonly minutes: number;
  /** Whether packets may be dropped, which needs root; all else of a seed is the same without. */
  readonly drops: boolean;
  /** What the negative control disables. */
  readonly plant: Plant;
}

/** Faults that a control plants: each must be found by the invariant that it breaks. */
export const plants = ['crossing', 'capacity'] as const;
type Plant = (typeof plants)[number];

/**
 * The scenario of a seed: a random world of two or three IDCs, a mixed load, and faults at random moments.
 * The same seed and choice give the same scenario.
 */
export function chaosScenario(seed: number, { minutes, drops, plant }: ChaosChoice): Scenario {
  const random = seededRandom(Math.imul(seed + 1, 0x9e3779b1));
  random();
  const base = randomWorld(random);
  const { idcs: names } = base;
  const extra = seededRandom(Math.imul(seed + 1, 0x85ebca6b));
  extra();
  const more = randomMore(extra, names, names.length + 1, drops);
  const { capacity } = more;
  const world: Scenario['spec']['world'] = {
    ...base,
    groups: [...base.groups, ...more.groups],
    ...(capacity !== undefined && { drGroup: { capacity: { concurrentPerInstance: capacity } } }),
  };
  const chaosS = Math.max(5, Math.round(60 * minutes) - steadyS - recoveryS - againS);
  const mixOf = (i: number) => {
    const drawn = randomMix(random);
    const mix = capacity === undefined ? drawn : [...drawn, held];
    return more.http2[i] ? overHttp2(mix) : mix;
  };
  const to = base.groups.map(({ name }) => name);
  const load = [
    ...names.map((caller, i) => ({ caller, to, rate: 'caller', share: 1 / names.length, mix: mixOf(i) })),
    { edge: names, spread: true, to, rate: 'edge', mix: mixOf(names.length) },
    ...loadsOf(more, names),
  ];
  const steps = randomSteps({ phase: 'chaos', seconds: chaosS, parts: partsOf(world), random, more, extra });
  return {
    apiVersion: scenarioVersion,
    kind: 'Scenario',
    metadata: { name: `chaos-${seed}` },
    spec: {
      title: `random faults, seed ${seed}: ${worldWords(world, more, steps)}`,
      seed,
      world,
      rates: chaosRates,
      load,
      phases: {
        steady: `${steadyS}s`,
        chaos: `${chaosS}s`,
        recovery: `${recoveryS}s`,
        'steady again': `${againS}s`,
      },
      steps: [...steps, { at: 'recovery', heal: 'all' }],
      watch: '3s',
      bounds: {
        avoidable: 0,
        executedTwice: 0,
        ...(capacity !== undefined && { spilled: { concurrentPerInstance: capacity } }),
        loops: 0,
        tries: 8 * (names.length - 1),
        afterLeaving: 0,
        ejections: 0,
        recovered: '30s',
      },
      control: controls[plant],
    },
  };
}

const controls: Readonly<Record<Plant, Scenario['spec']['control']>> = {
  crossing: {
    off: 'requests cannot cross to other IDCs',
    proves: 'without crossings requests fail that another IDC could have served, and the run reports it',
    world: { crossing: false },
    // Of some Groups an IDC has no instance.
    fromTheStart: true,
    misses: ['avoidable'],
    holds: ['loops'],
  },
  capacity: {
    off: 'the declared capacity of instances is a thousand times that of the bounds',
    proves: 'without a limit an IDC gets more work from other IDCs than its capacity, and the run reports it',
    world: { drGroup: { capacity: { concurrentPerInstance: 1000 } } },
    misses: ['spilled'],
    holds: ['loops'],
  },
};

/** The parts of a world, by IDC. */
function partsOf(world: Scenario['spec']['world']): StrikableParts[] {
  const { idcs } = planTopology({ id: '000000', slot: 0, world: world as WorldPlan });
  return idcs.map((idc) => ({
    idc: idc.name,
    instances: Object.fromEntries(
      world.groups.map(({ name }) => [
        name,
        idc.instances.filter((i) => i.group.name === name).map((instance) => instance.name),
      ]),
    ),
    ingress: idc.ingress.map(({ name }) => name),
    egress: idc.egress.map(({ name }) => name),
  }));
}

function randomWorld(random: Random): Scenario['spec']['world'] {
  const upTo = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const idcs = ['sh-a', 'sh-b', 'sh-c'].slice(0, upTo(2, 3));
  const groups = ['checkout', 'catalog', 'cart'].slice(0, upTo(1, 3)).map((name, i) => {
    const counts = idcs.map(() => upTo(0, 2));
    // The first is in each IDC; of the others some may be missing anywhere but in one.
    const some =
      i === 0
        ? counts.map((count) => Math.max(1, count))
        : counts.map((count, k) => (k === i % idcs.length ? Math.max(1, count) : count));
    return {
      name,
      instances: Object.fromEntries(idcs.map((idc, k) => [idc, some[k] ?? 0])),
      ...(random() < 0.25 && { hedge: true }),
    };
  });
  const shuffled = () => {
    const left = [...idcs];
    return idcs.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as string);
  };
  return {
    idcs,
    groups,
    gateways: upTo(1, 2),
    hopLimit: upTo(1, idcs.length - 1),
    exposeOutcome: true,
    order: Object.fromEntries(idcs.map((idc) => [idc, shuffled()])),
  };
}

function randomMix(random: Random) {
  const weight = () => 0.2 + random();
  return [
    { name: 'GET', weight: 3 * weight(), answerBytes: [0, 10_000] as [number, number] },
    { name: 'GET, slow', weight: weight(), workMs: [50, 3000] as [number, number] },
    {
      name: 'POST',
      weight: 2 * weight(),
      method: 'POST',
      workMs: [0, 500] as [number, number],
      bodyBytes: [0, 100_000] as [number, number],
    },
    {
      name: 'PUT',
      weight: weight(),
      method: 'PUT',
      workMs: [0, 500] as [number, number],
      bodyBytes: [0, 10_000] as [number, number],
    },
  ];
}
