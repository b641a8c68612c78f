import type { Drill, DrillPlan } from '../definition.ts';
import { callerLoad, type LoadShape, type Rates } from '../load/loads.ts';
import type { Scene } from '../scene.ts';
import { machineClock } from '../time.ts';
import { type Part, partNames } from '../world/parts.ts';
import { type IdcPlan, shopWorld, type Topology } from '../world/topology.ts';
import { markOf, saidAt, untilSaid } from './rolling/life.ts';
import { isRolled, registeringParts, rolledGroup } from './rolling/parts.ts';
import { type Replacement, type RollingFacts, rollingRows, rollingUnprotected } from './rolling/verdict.ts';

/** How many are replaced at a time. */
const together = 2;
/** The most that one replacement may take, in milliseconds; a missed bound is the verdict's to tell. */
const replaceMsMax = 30_000;

/** `make drill-rolling`: every instance of a Group is replaced under load, as a deployment does it. */
export const rollingDrill: Drill<RollingFacts> = {
  name: 'rolling',
  summary: 'replace every instance of checkout, two at a time',
  description:
    'Start two IDCs whose checkout instances run under `isthmus run`, replace each of them, two at a time, under load, and judge that no client is affected.',
  unprotected: 'pass the signal on without waiting for the proxies: the negative control',
  flags: [],
  rates: { caller: 500 },
  plan: ({ unprotected, quick }): DrillPlan<RollingFacts> => ({
    title: 'every checkout instance of both IDCs is replaced, two at a time',
    label: unprotected ? 'rolling unprotected' : 'rolling',
    phases: { steady: 3, rolling: quick ? 30 : 40, 'steady again': 3 },
    world: {
      ...shopWorld,
      groups: [
        { name: rolledGroup, instances: 3 },
        { name: 'catalog', instances: 1 },
      ],
    },
    parts: (parts, context) => registeringParts(parts, context, !unprotected),
    loads,
    play,
    judge: rollingRows,
    judgeControl: rollingUnprotected,
    figures: ({ replacements }) => ({ replacements }),
    control: {
      off: 'instances get the signal at once',
      proves: 'without waiting for the proxies requests are lost',
    },
  }),
};

/**
 * In each IDC half of the load, half of it as POSTs: those that were sent are not repeated, so what is cut
 * off fails.
 */
function loads({ idcs }: Topology, { caller = 0 }: Rates): LoadShape[] {
  const rate = Math.ceil(caller / (2 * idcs.length));
  return idcs.flatMap((idc: IdcPlan) => {
    const load = callerLoad(idc, [`${rolledGroup}.shop`], rate);
    return [load, { ...load, stream: `poster-${idc.name}`, method: 'POST' }];
  });
}

async function play(scene: Scene): Promise<RollingFacts> {
  const rolled = scene.stage.world.parts.filter(isRolled);
  const replacements: Replacement[] = [];
  await scene.begin('steady');
  await scene.begin('rolling');
  for (let first = 0; first < rolled.length; first += together)
    replacements.push(...(await replace(scene, rolled.slice(first, first + together))));
  await scene.begin('steady again');
  await scene.ended();
  return { replacements, instances: partNames(rolled) };
}

/** SIGTERM, the end of the process, the start of the next one, and its confirmation; all of these at once. */
async function replace(scene: Scene, parts: readonly Part[]): Promise<Replacement[]> {
  const { world, signal, paths } = scene.stage;
  const names = partNames(parts).join(' and ');
  const logOf = (part: Part) => paths.log(part.spec.name);
  const marks = new Map(parts.map((part) => [part, markOf(logOf(part))]));
  const markFor = (part: Part) => marks.get(part) ?? 0;
  const facts = new Map<Part, { askedAt: number; endedAt: number; startedAt: number }>();
  await scene.step(`SIGTERM to ${names}, and the next ones started`, async () => {
    await Promise.all(
      parts.map(async (part) => {
        const running = world.running(part);
        running.expectExit();
        const askedAt = machineClock.now();
        running.signal('SIGTERM');
        await running.exited;
        const endedAt = machineClock.now();
        world.start([part]);
        facts.set(part, { askedAt, endedAt, startedAt: endedAt });
      }),
    );
    return undefined;
  });
  return Promise.all(
    parts.map(async (part): Promise<Replacement> => {
      const liveAt = await untilSaid(logOf(part), markFor(part), 'live', replaceMsMax, signal);
      const freeAt = saidAt(logOf(part), markFor(part), 'free');
      const { askedAt, endedAt, startedAt } = facts.get(part) ?? { askedAt: 0, endedAt: 0, startedAt: 0 };
      return { instance: partNames([part]).join(), askedAt, freeAt, endedAt, startedAt, liveAt };
    }),
  );
}
