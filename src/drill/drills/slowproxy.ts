import { sleep } from '../../base/clock.ts';
import type { Drill, DrillPlan } from '../definition.ts';
import { callerLoad } from '../load/loads.ts';
import type { Scene } from '../scene.ts';
import { machineClock } from '../time.ts';
import { saveEdits } from '../world/edits.ts';
import { askAdmin } from '../world/envoy.ts';
import { hostOf, type InstancePlan, idcOf, shopWorld } from '../world/topology.ts';
import {
  type AckMean,
  type SlowProxyFacts,
  slowProxyRows,
  slowProxyUnprotected,
} from './slowproxy/verdict.ts';
import { callRegistrations, readMetrics, withFleet } from './slowproxy/world.ts';

const slowIdc = 'sh-a';
/** A gateway without load in this drill: nobody misses it. */
const stopped = 'ingress-2';
const lightClients = 200;
const edits = 40;
/** Endpoints are edited for this long, from the beginning of a phase. */
const editMs = 8_000;

/** `make drill-slowproxy`: one proxy stops reading, with two hundred others connected. */
export const slowProxyDrill: Drill<SlowProxyFacts> = {
  name: 'slowproxy',
  summary: 'stop one proxy with 200 others connected',
  description:
    'Start two IDCs of real Envoys and 200 light ADS clients, SIGSTOP one gateway, change endpoints and deregister an instance. Judges that the others get changes as fast as before, that memory stays flat, and that the deregistration waits for the stopped one, but not for ever.',
  unprotected: 'do not wait for proxies when deregistering: the negative control',
  flags: [],
  rates: { caller: 50 },
  plan: ({ unprotected }): DrillPlan<SlowProxyFacts> => ({
    title: `${slowIdc}/${stopped} stopped, with ${lightClients} others connected`,
    label: unprotected ? 'slowproxy unprotected' : 'slowproxy',
    phases: { steady: 11, stopped: 48, recovery: 8 },
    world: shopWorld,
    parts: (parts, context) => withFleet(parts, context, slowIdc, lightClients),
    loads: (topology, { caller = 0 }) => [
      callerLoad(
        idcOf(topology, slowIdc),
        topology.groups.map((one) => hostOf(topology, one)).slice(0, 1),
        caller,
      ),
    ],
    play: (scene) => play(scene, !unprotected),
    judge: slowProxyRows,
    judgeControl: slowProxyUnprotected,
    figures: ({ before, during, deregisteredMs, forgiven }) => ({ before, during, deregisteredMs, forgiven }),
    control: {
      off: 'a deregistration waits for no proxy',
      proves: 'a deregistration that does not wait is detected',
    },
  }),
};

async function play(scene: Scene, waits: boolean): Promise<SlowProxyFacts> {
  const { stage } = scene;
  const idc = idcOf(stage.topology, slowIdc);
  const parts = stage.world.parts.filter(({ proxy }) => proxy?.idc === slowIdc && proxy.name === stopped);
  const twin = idc.instances.find(({ group }) => group.name === 'catalog') as InstancePlan;
  const edit = async (phase: string, first: number): Promise<AckMean> => {
    const { from } = scene.span(phase);
    const then = await readMetrics(idc);
    const fromMs = Math.max(from, machineClock.now());
    await saveEdits({ ...stage, idc, first, count: edits, fromMs, toMs: fromMs + editMs }, stage.signal);
    await sleep(machineClock, 1_000, stage.signal);
    const now = await readMetrics(idc);
    const count = now.count - then.count;
    return { edits, count, meanMs: (now.sumMs - then.sumMs) / count };
  };

  await connected(scene);
  await callRegistrations(idc, 'PUT', '/shop/twin', {
    ...{ address: twin.inbound.address, ports: { http: twin.inbound.port }, labels: { app: 'catalog' } },
    ...{ locality: `${slowIdc}/zone-1`, ttl: '10m' },
  });
  await scene.begin('steady');
  const before = await edit('steady', 0);
  const { memory: memoryBefore } = await readMetrics(idc);

  const { to } = await scene.begin('stopped');
  await scene.pause(`SIGSTOP to ${slowIdc}/${stopped}`, parts);
  const asked = machineClock.now();
  const path = `/shop/twin${waits ? '?wait=acked&timeout=60s' : ''}`;
  const answered = callRegistrations(idc, 'DELETE', path).then((answer) => {
    scene.note('the deregistration is answered', machineClock.now());
    return { ms: machineClock.now() - asked, forgiven: answer.forgiven ?? [] };
  });
  const during = await edit('stopped', edits);
  // What is unanswered at the end of the phase is late, by whatever time.
  const late = sleep(machineClock, Math.max(0, to - machineClock.now()), stage.signal);
  const result = await Promise.race([answered, late.then(() => undefined)]);
  late.catch(() => {});
  const { memory: memoryAfter } = await readMetrics(idc);

  await scene.begin('recovery');
  await scene.resume(`SIGCONT to ${slowIdc}/${stopped}`, parts);
  answered.catch(() => {});
  await scene.ended();
  return {
    ...{ stopped, others: lightClients + idc.ingress.length, before, during, memoryBefore, memoryAfter },
    deregisteredMs: result?.ms ?? Number.NaN,
    forgiven: result?.forgiven ?? [],
  };
}

/** Resolves when all light clients are connected and in sync. */
async function connected({ stage }: Scene): Promise<void> {
  const { controlAdmin } = idcOf(stage.topology, slowIdc);
  for (;;) {
    const { proxies } = JSON.parse(await askAdmin(controlAdmin, '/status', 20_000));
    const light = proxies.filter(({ id }: { id: string }) => id.startsWith('light-'));
    const isSynced = ({ types }: { types: Record<string, { state: string }> }) =>
      types.EDS?.state === 'SYNCED';
    if (light.filter(isSynced).length === lightClients) return;
    await sleep(machineClock, 200, stage.signal);
  }
}
