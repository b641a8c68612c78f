import { MeshError } from '../../base/error.ts';
import type { Choice, Drill, DrillPlan } from '../definition.ts';
import { failuresInARow } from '../failures-in-a-row.ts';
import { type Grayness, makeGray } from '../gray.ts';
import { callerLoad } from '../loads.ts';
import type { PhaseSeconds } from '../phases.ts';
import type { Scene } from '../scene.ts';
import { hostOf, type InstancePlan, idcOf, type WorldPlan } from '../topology.ts';
import { type GrayFacts, judgeRows, judgeUnprotected, type Sickness } from './gray/verdict.ts';
import { watchEjections } from './gray/watch.ts';

const sickIdc = 'sh-a';
const group = { name: 'checkout', instances: { [sickIdc]: 3, 'sh-b': 2 } };

/** What may be wrong, with which of the three instances. */
const kinds: Readonly<Record<Sickness['kind'], { grayness: Grayness; sick: readonly number[] }>> = {
  errs: { grayness: { errs: 0.05 }, sick: [0] },
  hangs: { grayness: { hangs: 0.1 }, sick: [1] },
  everywhere: { grayness: { errs: 0.01 }, sick: [0, 1, 2] },
};

/** `make drill-gray`: an instance passes its checks and fails a part of its requests. */
export const grayDrill: Drill<GrayFacts> = {
  name: 'gray',
  summary: 'let an instance fail 5 % of its requests, or hang for a tenth of them',
  description:
    'Start two IDCs, three instances in one of them. One fails 5 % of its requests, then another hangs for a tenth, then all fail 1 %; all pass their health checks. Judges that the sick one is out soon and stays out, that nobody else ever is, and that no client noticed.',
  unprotected: 'eject for failures in a row alone: the negative control',
  flags: [
    {
      name: 'kinds',
      value: 'kinds',
      description: 'what is wrong, one after the other, by commas',
      default: Object.keys(kinds).join(','),
    },
  ],
  rates: { caller: 260 },
  plan,
};

function plan({ flags, unprotected, quick }: Choice): DrillPlan<GrayFacts> {
  const wrong = parseKinds(flags.kinds ?? '');
  const world: WorldPlan = {
    idcs: [sickIdc, 'sh-b'],
    groups: [group],
    // Without a time a hung request is a slow one: nobody can tell.
    traffic: { perTryTimeout: '400ms' },
    ...(unprotected && { objects: [failuresInARow(group.name)] }),
  };
  return {
    title: `gray instances of ${sickIdc} (${wrong.join(', ')})`,
    label: unprotected ? 'gray unprotected' : 'gray',
    phases: phasesOf(wrong, quick),
    world,
    loads: (topology, { caller = 0 }) => {
      const host = hostOf(topology, group);
      return [callerLoad(idcOf(topology, sickIdc), [host], caller)];
    },
    play: (scene) => play(scene, wrong),
    judge: judgeRows,
    judgeControl: judgeUnprotected,
    figures: ({ sicknesses }) => ({ sicknesses: sicknesses.map(({ looks, ...rest }) => rest) }),
    control: {
      off: 'instances are ejected for failures in a row alone',
      proves: 'without a share of failures a gray instance stays in',
    },
  };
}

function parseKinds(text: string): Sickness['kind'][] {
  return text.split(',').map((name) => {
    if (Object.hasOwn(kinds, name.trim())) return name.trim() as Sickness['kind'];
    throw new MeshError(
      'invalid',
      `There is no kind '${name}': use some of ${Object.keys(kinds).join(', ')}.`,
    );
  });
}

/** After each the sick one is well, and ejected for a while: nobody else could be ejected beside it. */
function phasesOf(wrong: readonly Sickness['kind'][], quick: boolean): PhaseSeconds {
  const [length, recovery] = quick ? [20, 16] : [30, 26];
  return {
    steady: 5,
    ...Object.fromEntries(
      wrong.flatMap((kind) => [
        [kind, length],
        [`recovery: ${kind}`, recovery],
      ]),
    ),
  };
}

async function play(scene: Scene, wrong: readonly Sickness['kind'][]): Promise<GrayFacts> {
  const { paths, topology } = scene.stage;
  const { instances } = idcOf(topology, sickIdc);
  const sicknesses: Sickness[] = [];
  await scene.begin('steady');
  for (const kind of wrong) {
    const { grayness, sick } = kinds[kind];
    const those = sick.map((i) => instances[i] as InstancePlan);
    const names = those.map(({ name }) => `${sickIdc}/${name}`);
    const set = async (to: Grayness) => {
      await Promise.all(those.map((instance) => makeGray(paths.socket(instance), to)));
      return undefined;
    };
    const phase = await scene.begin(kind);
    const { moment } = await scene.step(`${names.join(', ')}: ${JSON.stringify(grayness)}`, () =>
      set(grayness),
    );
    const looks = await watchEjections(scene, sickIdc, phase);
    sicknesses.push({ kind, sick: names, span: { name: kind, from: moment.to, to: phase.to }, looks });
    await scene.begin(`recovery: ${kind}`);
    await scene.step(`${names.join(', ')}: well again`, () => set({}));
  }
  await scene.ended();
  return { sicknesses, instances: instances.length };
}
