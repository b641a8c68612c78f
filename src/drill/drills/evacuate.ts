import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../base/clock.ts';
import type { Drill, DrillPlan } from '../definition.ts';
import { callerLoad, edgeLoad, type LoadShape, type Rates } from '../load/loads.ts';
import { measureBareStart } from '../measure/bare-start.ts';
import { entryPoint } from '../process/process.ts';
import type { Scene } from '../scene.ts';
import { machineClock } from '../time.ts';
import { type Part, type PartsContext, workloadsOf } from '../world/parts.ts';
import { removeInstance, saveInstance } from '../world/registry-files.ts';
import type { Stage } from '../world/stage.ts';
import { hostOf, idcOf, shopWorld, type Topology } from '../world/topology.ts';
import {
  type EvacuateFacts,
  judgeEvacuate,
  judgeEvacuateControl,
  type ShareFacts,
} from './evacuate/verdict.ts';

const [left, standIn] = ['sh-a', 'sh-b'] as const;
const steps = [10, 50, 100] as const;

/** The least time for which the last step is looked at, in milliseconds. */
const lookMsMin = 2_000;

/**
 * `make drill-evacuate`: an IDC is evacuated step by step, and its requests come home when the stand-in dies.
 */
export const evacuateDrill: Drill<EvacuateFacts> = {
  name: 'evacuate',
  summary: 'evacuate an IDC step by step, then kill the stand-in',
  description:
    'Start two IDCs of real Envoys, evacuate 10, 50 and 100 % of the requests of one of them by `isthmus evacuate`, kill everything that serves in the other, start it again, and end the evacuation. Judges the shares, how soon the last request has left, that all requests come home, and that no request fails except POSTs in work on what was killed.',
  unprotected: 'at 100 % take the instances out of the registry instead: the negative control',
  flags: [],
  rates: { caller: 220, post: 70, edge: 70 },
  plan: ({ unprotected, quick }): DrillPlan<EvacuateFacts> => ({
    title: `${left} is evacuated, then ${standIn} is killed`,
    label: unprotected ? 'evacuate unprotected' : 'evacuate',
    phases: {
      steady: 3,
      '10 %': quick ? 4 : 6,
      '50 %': quick ? 4 : 6,
      '100 %': quick ? 4 : 6,
      'stand-in dead': quick ? 4 : 6,
      // All of it must start again, and the command that ends the evacuation, before what it did is looked
      // at.
      recovery: quick ? 12 : 14,
      'steady again': 3,
    },
    world: shopWorld,
    parts: (parts, context) => parts.map((part) => withState(part, context)),
    loads,
    play: (scene) => play(scene, unprotected),
    judge: judgeEvacuate,
    judgeControl: judgeEvacuateControl,
    figures: ({ shares, home, died, revivedAt }) => ({ shares, home, died, revivedAt }),
    control: {
      off: 'at 100 % the instances are taken out of the registry',
      proves: 'deregistered instances are no last resort: no request comes home',
    },
  }),
};

const tokenOf = ({ paths }: Pick<PartsContext, 'paths'>) => join(paths.dir, 'token');

/** A control plane that keeps evacuations, and takes them. */
function withState(part: Part, { paths }: PartsContext): Part {
  if (part.kind !== 'control') return part;
  mkdirSync(paths.dir, { recursive: true });
  writeFileSync(tokenOf({ paths }), 'the token of the drill\n');
  const more = ['--state', join(paths.dir, `state-${part.idc}`), '--admin-token-file', tokenOf({ paths })];
  return { ...part, spec: { ...part.spec, args: [...part.spec.args, ...more] } };
}

function loads(topology: Topology, { caller = 0, post = 0, edge = 0 }: Rates): LoadShape[] {
  const idc = idcOf(topology, left);
  const hosts = topology.groups.map((group) => hostOf(topology, group));
  return [
    callerLoad(idc, hosts, caller),
    { ...callerLoad(idc, hosts, post), stream: `caller-${left}-post`, method: 'POST' },
    edgeLoad([idc], hosts, edge),
  ];
}

async function play(scene: Scene, unprotected: boolean): Promise<EvacuateFacts> {
  const { stage } = scene;
  const { parts } = stage.world;
  const instances = idcOf(stage.topology, left).instances;
  const registry = stage.paths.registry(left);
  await scene.begin('steady');
  const done: (Done & { readonly percent: number })[] = [];
  const bareStarts: number[] = [];
  for (const percent of steps) {
    await scene.begin(`${percent} %`);
    const isTakenOut = unprotected && percent === 100;
    if (percent === 100) bareStarts.push(await measureBareStart(stage));
    const one = isTakenOut
      ? await takenOut(scene, async () => {
          for (const instance of instances) removeInstance(registry, instance);
          await confirmDeletes(stage);
        })
      : await evacuate(scene, `${percent} % leave ${left}`, ['--percent', String(percent)]);
    done.push({ ...one, percent });
    if (percent === 100) bareStarts.push(await measureBareStart(stage));
  }
  const dead = await scene.begin('stand-in dead');
  // On a busy machine the command ends late: it is looked at for as long all the same.
  await scene.until((done.at(-1)?.to ?? 0) + lookMsMin);
  const gateways = parts.filter(
    ({ kind, idc }) => idc === standIn && (kind === 'ingress' || kind === 'egress'),
  );
  const struck = [...workloadsOf(parts, standIn), ...gateways];
  const { moment: died } = await scene.kill(`kill -9 of all that serves in ${standIn}`, struck);
  await scene.until(dead.to);
  const recovery = await scene.begin('recovery');
  if (unprotected) for (const instance of instances) saveInstance(registry, stage.topology, instance, 1);
  const { moment: revived } = await scene.restart(`${standIn} starts again`, struck);
  await scene.healthy(struck, recovery.to - machineClock.now());
  const ended = await evacuate(scene, `the evacuation of ${left} ends`, ['--undo']);
  const again = await scene.begin('steady again');
  await scene.ended();
  const home = { ...ended, percent: 0, until: again.to };
  const shares = done.map((one, i) => ({ ...one, until: done[i + 1]?.from ?? died.from }));
  const bareStartMs = Math.max(...bareStarts);
  return { ...{ left, standIn, shares, home }, died, revivedAt: revived.from, bareStartMs };
}

type Done = Omit<ShareFacts, 'percent' | 'until'>;

async function takenOut(scene: Scene, act: () => Promise<void>): Promise<Done> {
  const { moment } = await scene.step(`the instances of ${left} are taken out of its registry`, async () => {
    await act();
    return undefined;
  });
  return { startedAt: moment.from, from: moment.from, to: moment.to, code: 0 };
}

/** A registry that loses all instances is not accepted before somebody confirms. */
async function confirmDeletes({ topology, paths, signal }: Stage): Promise<void> {
  const { address, port } = idcOf(topology, left).controlAdmin;
  const headers = { authorization: `Bearer ${readFileSync(tokenOf({ paths }), 'utf8').trim()}` };
  for (let released = 0; released === 0; ) {
    await sleep(machineClock, 100, signal);
    const answer = await fetch(`http://${address}:${port}/confirm-deletes`, { method: 'POST', headers });
    ({ released } = (await answer.json()) as { released: number });
  }
}

/** Runs `isthmus evacuate` as an operator would. */
async function evacuate(scene: Scene, claim: string, args: readonly string[]): Promise<Done> {
  const startedAt = machineClock.now();
  let from = Number.NaN;
  let code: number | null = null;
  const { moment } = await scene.step(claim, async () => {
    const running = scene.stage.crew.start({
      name: `evacuate-${Math.round(startedAt)}`,
      command: process.execPath,
      args: commandOf(scene.stage, args),
      logFile: scene.stage.paths.log('evacuate'),
      lines(line) {
        if (Number.isNaN(from)) from = machineClock.now();
        scene.say(`  ${line}`);
      },
      ends: true,
    });
    // Its failure is judged, not thrown.
    running.expectExit();
    ({ code } = await running.exited);
    return undefined;
  });
  return { startedAt, from: Number.isNaN(from) ? moment.to : from, to: moment.to, code };
}

function commandOf({ topology, paths }: Stage, args: readonly string[]): string[] {
  const admins = topology.idcs.flatMap(({ controlAdmin: { address, port } }) => [
    '--admin',
    `${address}:${port}`,
  ]);
  const command = [entryPoint('../cli/main'), 'evacuate', left, ...args, '--for', '10m'];
  return [...command, ...admins, '--token-file', tokenOf({ paths })];
}
