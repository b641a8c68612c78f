import { type Clock, keepProcess, sleep, systemClock } from '../../base/clock.ts';
import type { LogLevel } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { readKubeconfig } from '../../kube/config/kubeconfig.ts';
import { createKubeClient } from '../../kube/kube-client.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import { Registrar } from '../../registrar/registrar.ts';
import { serveRegistrarStatus } from '../../registrar/status-server.ts';
import { type ClosableLogger, createLogger } from '../process/log.ts';
import { nextEnding } from '../process/stop-signals.ts';
import { type ClusterFlags, clusterAccess } from './cluster-access.ts';
import { processIdentity } from './identity.ts';

/** The flags of `isthmus registrar`. */
export interface RegistrarFlags extends ClusterFlags {
  readonly idc: string;
  readonly cluster: string;
  readonly primaryKubeconfig: string;
  readonly primaryContext?: string;
  readonly primaryNamespace: string;
  readonly withdraw?: boolean;
  readonly listen?: ListenAddress;
  readonly logLevel: LogLevel;
}

/** Interval of looks for what is left of a cluster that is withdrawn, in milliseconds. */
const lookMs = 200;

/** Runs until SIGTERM or SIGINT, or until all is withdrawn. Rejects with MeshError if it cannot start. */
export async function runRegistrar(flags: RegistrarFlags): Promise<void> {
  const logger = createLogger(flags.logLevel);
  try {
    await runUntilStopped(flags, logger);
  } finally {
    await logger.close();
  }
}

async function runUntilStopped(flags: RegistrarFlags, logger: ClosableLogger): Promise<void> {
  const clock = systemClock;
  const { idc, cluster, primaryNamespace: namespace, withdraw = false, listen } = flags;
  const primaryAccess = readKubeconfig(
    { file: flags.primaryKubeconfig, context: flags.primaryContext },
    clock,
  );
  const remoteAccess = withdraw ? undefined : clusterAccess(flags, clock);
  const primary = createKubeClient(primaryAccess, { clock });
  const remote = remoteAccess && createKubeClient(remoteAccess, { clock });
  const registrar = new Registrar({
    ...{ idc, cluster, primary, namespace, clock, logger, random: systemRandom },
    ...{ remote: remote ?? 'none', identity: processIdentity() },
  });
  const server = listen && (await serveRegistrarStatus(listen, () => registrar.status));
  if (server !== undefined) logger.info('serving its status', { listen: showAddress(server.address) });
  const letEnd = keepProcess();
  const stop = new AbortController();
  const running = registrar.run(stop.signal);
  const told = nextEnding();
  await (withdraw ? Promise.race([told, withdrawn(registrar, clock, stop.signal)]) : told);
  stop.abort();
  await running;
  for (const client of [primary, remote]) client?.close();
  await server?.close();
  letEnd();
}

/** Resolves once nothing is registered of the cluster any more. */
async function withdrawn(registrar: Registrar, clock: Clock, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { isReady, isActive, entries } = registrar.status;
    if (isReady && isActive && entries === 0) return;
    await sleep(clock, lookMs, signal).catch(() => {});
    if (signal.aborted) return;
  }
}
