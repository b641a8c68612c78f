import type { Test } from 'tap';
import { systemClock as clock } from '../../../src/base/clock.ts';
import type { Logger } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { readKubeconfig } from '../../../src/kube/config/kubeconfig.ts';
import { createKubeClient } from '../../../src/kube/kube-client.ts';
import { Registrar, type RegistrarTiming, registrarTiming } from '../../../src/registrar/registrar.ts';
import { KubeApi } from './kube-api.ts';
import { defineKinds } from './kube-kinds.ts';

/** Short pauses, so that tests do not wait. */
export const quickRegistrar: RegistrarTiming = {
  mirror: { ...registrarTiming.mirror, backOff: { firstMs: 20, maxMs: 200 }, absentMs: 100 },
  writer: { backOff: { firstMs: 20, maxMs: 200 }, refusedMs: 200 },
  lease: { renewMs: 200, durationMs: 4_000 },
  gate: registrarTiming.gate,
};

/** A Primary and a Remote, each a real API server with the namespace `shop`; they end with the test. */
export async function startClusters(t: Test): Promise<{ primary: KubeApi; remote: KubeApi }> {
  const [primary, remote] = await Promise.all([KubeApi.start(t), KubeApi.start(t)]);
  await defineKinds(primary, ['WorkloadEntry', 'ServiceEntry']);
  for (const api of [primary, remote])
    await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  await addNode(remote, 'node-1', 'zone-1');
  return { primary, remote };
}

/** Adds a Node in a zone. */
export async function addNode(api: KubeApi, name: string, zone: string): Promise<void> {
  const labels = { 'topology.kubernetes.io/zone': zone };
  await api.must('POST', '/api/v1/nodes', { metadata: { name, labels } });
}

export interface RegistrarChoice {
  readonly cluster?: string;
  readonly identity?: string;
  readonly timing?: RegistrarTiming;
  /** Kubeconfigs; absent: those of administrators. */
  readonly primary?: string;
  readonly remote?: string;
  readonly withdraw?: boolean;
}

/** A registrar in this process; it ends with the test. */
export function startRegistrar(
  t: Test,
  { primary, remote }: { primary: KubeApi; remote: KubeApi },
  choice: RegistrarChoice = {},
) {
  const { cluster = 'apps-1', identity = 'one', timing = quickRegistrar, withdraw = false } = choice;
  const clientOf = (file: string) => createKubeClient(readKubeconfig({ file }, clock), { clock });
  const toPrimary = clientOf(choice.primary ?? primary.kubeconfig());
  const toRemote = clientOf(choice.remote ?? remote.kubeconfig());
  const lines: string[] = [];
  const note = (message: string) => void lines.push(message);
  const logger: Logger = { debug() {}, info: note, warn: note, error: note };
  const registrar = new Registrar({
    ...{ cluster, identity, idc: 'sh-a', primary: toPrimary, namespace: 'default', timing },
    ...{ remote: withdraw ? 'none' : toRemote, clock, random: seededRandom(1), logger },
  });
  const stop = new AbortController();
  const ended = registrar.run(stop.signal);
  let isOver = false;
  /** Ends it as SIGTERM does. */
  const end = async () => {
    if (isOver) return;
    isOver = true;
    stop.abort();
    await ended;
    for (const client of [toPrimary, toRemote]) client.close();
  };
  /** Ends it as SIGKILL does: nothing more is written, the Lease stays as it is. */
  const kill = () => {
    isOver = true;
    for (const client of [toPrimary, toRemote]) client.close();
    stop.abort();
  };
  t.teardown(end);
  return { registrar, lines, end, kill };
}
