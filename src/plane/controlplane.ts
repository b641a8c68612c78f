import { sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { packageVersion } from '../base/package/version.ts';
import { showAddress } from '../model/values/listen-address.ts';
import { connectParts } from './connect.ts';
import { makeParts } from './parts.ts';
import { readNodeConfig } from './reading/node-config.ts';
import { readRegistryState } from './reading/registry-state.ts';
import type { ControlPlane, ControlPlaneOptions, ControlPlaneSeams } from './types.ts';

/**
 * Starts a control plane: resolves once it serves ADS and the sources have been read; it answers proxies when
 * it is ready, which may still wait for filters. Throws MeshError `unavailable` if an address is in use or a
 * source cannot be read.
 */
export async function startControlPlane(
  options: ControlPlaneOptions,
  seams: ControlPlaneSeams = {},
): Promise<ControlPlane> {
  const { clock, sources } = options;
  const parts = makeParts(options, seams);
  const { metrics, xds, gate, pipeline, deletions, failback } = parts;
  const connected = connectParts(parts, options, seams);
  const { status, readers, drains, events, problems, feed } = connected;
  const stop = new AbortController();

  async function close(): Promise<void> {
    stop.abort(new MeshError('unavailable', 'the control plane is closing'));
    const { ledger, startOrder, failovers, evacuationWatch: evacuations } = parts;
    for (const one of [ledger, gate.readiness, startOrder, parts.wholeTables]) one.close();
    for (const one of [connected, deletions, failback]) one.close();
    for (const one of [failovers, evacuations, ...(parts.memory ? [parts.memory] : [])]) one.close();
    await Promise.all([xds.close(), pipeline.close()]);
    parts.streamTrust?.close();
    await parts.journal.close();
  }

  const { before, lastHeardAt } = parts.earlier;
  const port = await xds.listen(showAddress(options.xds), parts.streamTrust?.tls());
  events.note({
    ...{ kind: 'controlplane', phase: 'started', version: packageVersion },
    ...(before && { before }),
    ...(lastHeardAt && { lastHeardAt }),
  });
  const plane: ControlPlane = {
    ...status,
    ...readers,
    metrics,
    xds: { address: options.xds.address, port },
    problems: () => [...problems(), ...status.twins()],
    config: (node, question) => readNodeConfig(node, question, { xds, clock }),
    registry: () => readRegistryState(options, parts.roster.connected()),
    disagreementsOf: (ref) => pipeline.index.disagreementsOf(ref),
    confirmDeletes: () => confirmDeletes(sources),
    events,
    deletions,
    drains,
    evacuations: { ...pipeline.evacuations, limitedShares: () => failback.limitedShares() },
    async handOver(noticeMs, overMs) {
      gate.readiness.turnAway('stop', 'this control plane stops: proxies are handed over to others');
      metrics.ready.set(0);
      if (xds.stats.streams > 0) await sleep(clock, noticeMs);
      await xds.handOver(overMs);
    },
    close,
  };
  try {
    await options.onListening?.(plane);
    await feed.start(stop.signal);
  } catch (reason) {
    await close();
    throw reason;
  }
  return plane;
}

/** Confirms the deletions that the sources hold; returns how many. */
function confirmDeletes(sources: ControlPlaneOptions['sources']): number {
  const guards = sources.map(({ facets: { deletionGuard } }) => deletionGuard);
  return guards.reduce((sum, guard) => sum + (guard === 'none' ? 0 : guard.confirm()), 0);
}
