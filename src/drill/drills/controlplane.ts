import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../base/clock.ts';
import type { Drill, DrillPlan } from '../definition.ts';
import { callerLoad, edgeLoad } from '../load/loads.ts';
import type { Scene } from '../scene.ts';
import { machineClock } from '../time.ts';
import { askAdmin } from '../world/envoy.ts';
import type { Part, PartsContext } from '../world/parts.ts';
import type { DrillPaths } from '../world/paths.ts';
import { saveInstance } from '../world/registry-files.ts';
import type { Stage } from '../world/stage.ts';
import { hostOf, type IdcPlan, type InstancePlan, idcOf, shopWorld } from '../world/topology.ts';
import { type ControlPlaneFacts, controlPlaneRows, controlPlaneUnprotected } from './controlplane/verdict.ts';
import { watchEndpoints } from './controlplane/watch.ts';

const killedIdc = 'sh-a';
const group = 'checkout';

/** `make drill-controlplane`: an IDC's control plane dies, twice, the second time with its registry. */
export const controlPlaneDrill: Drill<ControlPlaneFacts> = {
  name: 'controlplane',
  summary: 'kill the control plane of one IDC, then also lose its registry',
  description:
    'Start two IDCs of real Envoys, kill -9 the control plane of one under load, change its registry meanwhile, start it again; then kill it once more and start it over a registry without instances. Judges that no client is affected, that changes arrive, and that no proxy ever has fewer endpoints.',
  unprotected: 'lose the last good state too: the negative control',
  flags: [],
  rates: { caller: 500, edge: 100 },
  plan: ({ unprotected, quick }): DrillPlan<ControlPlaneFacts> => ({
    title: `the control plane of ${killedIdc} is killed, then killed again with its registry lost`,
    label: unprotected ? 'controlplane unprotected' : 'controlplane',
    phases: {
      steady: 3,
      'control plane down': quick ? 3 : 6,
      // A control plane that starts compiles its filters: 2 s, and many times that on a machine that is busy.
      recovery: quick ? 10 : 16,
      'registry lost': quick ? 10 : 16,
      'recovery again': 5,
      'steady again': 3,
    },
    world: shopWorld,
    parts: (parts, context) => parts.map((part) => withState(part, context)),
    loads(topology, { caller = 0, edge = 0 }) {
      const idc = idcOf(topology, killedIdc);
      const hosts = topology.groups.map((one) => hostOf(topology, one));
      return [callerLoad(idc, hosts.slice(0, 1), caller), edgeLoad([idc], hosts, edge)];
    },
    play: (scene) => play(scene, !unprotected),
    judge: controlPlaneRows,
    judgeControl: controlPlaneUnprotected,
    figures: ({ endpoints, readyAt, arrivedAt, restarted, bare }) => ({
      ...{ endpoints, arrivedAfterReadyMs: arrivedAt - readyAt, restarted, bare },
    }),
    control: {
      off: 'the last good state is lost too',
      proves: 'without it a control plane that has lost its registry removes the endpoints',
    },
  }),
};

function withState(part: Part, { paths }: PartsContext): Part {
  if (part.kind !== 'control') return part;
  const args = [...part.spec.args, '--state', stateOf(paths, part.idc)];
  return { ...part, spec: { ...part.spec, args } };
}

const stateOf = ({ dir }: DrillPaths, idc: string) => join(dir, `state-${idc}`);

function saveWeights({ paths, topology }: Stage, instances: readonly InstancePlan[], weight: number): void {
  for (const instance of instances) saveInstance(paths.registry(instance.idc), topology, instance, weight);
}

async function play(scene: Scene, keepsState: boolean): Promise<ControlPlaneFacts> {
  const { stage } = scene;
  const idc = idcOf(stage.topology, killedIdc);
  const control = stage.world.parts.filter((part) => part.kind === 'control' && part.idc === killedIdc);
  const instances = idc.instances.filter((instance) => instance.group.name === group);
  const registry = stage.paths.registry(killedIdc);
  const change = (weight: number) => saveWeights(stage, instances, weight);
  const watch = watchEndpoints(stage, idc, group);
  try {
    await scene.begin('steady');
    const { to } = await scene.begin('control plane down');
    watch.takeFewest();
    await scene.kill(`kill -9 of the control plane of ${killedIdc}`, control);
    await scene.step(`${instances.length} endpoints change meanwhile`, async () => {
      change(3);
      return undefined;
    });
    await scene.until(to);
    const early = watch.having(3);

    const recovery = await scene.begin('recovery');
    await scene.restart('the control plane starts again', control);
    const readyAt = await untilReady(stage, idc, recovery.to);
    const arrivedAt = await watch.weightEverywhere(3, recovery.to);
    if (!Number.isNaN(arrivedAt)) scene.note('the changes are at all proxies', arrivedAt);
    const restarted = watch.takeFewest();

    const lost = await scene.begin('registry lost');
    await scene.kill('kill -9 of the control plane again', control);
    const away = join(stage.paths.dir, 'away');
    await scene.step('the registry loses all instances', async () => {
      moveInstances(registry, away);
      // The filters stay: without them it would not be ready in time to do harm.
      if (!keepsState) rmSync(join(stateOf(stage.paths, killedIdc), 'registry-files.jsonl'));
      return undefined;
    });
    const bareStartedAt = machineClock.now();
    await scene.restart('the control plane starts without them', control);
    const bareReadyAt = await untilReady(stage, idc, lost.to);
    await scene.until(lost.to);
    const bare = watch.takeFewest();

    const again = await scene.begin('recovery again');
    const { moment } = await scene.step('the registry is restored, with a change', async () => {
      moveInstances(away, registry);
      change(2);
      return undefined;
    });
    const backArrivedAt = await watch.weightEverywhere(2, again.to);
    await scene.begin('steady again');
    await scene.ended();
    return {
      ...{ endpoints: instances.length, early, readyAt, arrivedAt, restarted },
      ...{ bareStartedAt, bareReadyAt, bare, backAt: moment.to, backArrivedAt },
    };
  } finally {
    watch.stop();
  }
}

/** When the control plane reports to be ready; NaN if not by `deadlineMs`. */
async function untilReady({ signal }: Stage, { controlAdmin }: IdcPlan, deadlineMs: number): Promise<number> {
  for (;;) {
    try {
      await askAdmin(controlAdmin, '/readyz');
      return machineClock.now();
    } catch {
      if (machineClock.now() > deadlineMs) return Number.NaN;
    }
    await sleep(machineClock, 20, signal);
  }
}

function moveInstances(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from))
    if (name.startsWith('workloadentry-')) renameSync(join(from, name), join(to, name));
}
