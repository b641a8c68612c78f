import { join } from 'node:path';
import { type AdminServer, serveAdmin } from '../api/admin-server.ts';
import { systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { exitCode } from '../base/exit.ts';
import { createRegistrationClient } from '../client/registration-client.ts';
import { readToken } from '../client/token.ts';
import type { ControlPlaneConfig } from '../config/options.ts';
import { openFailbackStore } from '../failback/store.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { startControlPlane } from '../plane/controlplane.ts';
import { createEvacuationsSource, type EvacuationPeer } from '../registry/evacuations/evacuations-source.ts';
import { keepLastGood } from '../registry/lastgood/last-good-source.ts';
import { openSource } from '../registry/open.ts';
import { createRegistrationsSource } from '../registry/registrations/registrations-source.ts';
import type { PeerLink } from '../registry/registrations/replica.ts';
import { endAtFault } from './process/fault.ts';
import { watchHeap } from './process/heap-use.ts';
import { type ClosableLogger, createLogger } from './process/log.ts';
import { watchEventLoop } from './process/stall.ts';

// A load balancer that looks each second sends nobody here any more.
const noticeMs = 1_000;

/**
 * Serves until SIGTERM or SIGINT, then hands its proxies over to others and ends; a second signal ends it at once, with 130. Rejects with MeshError when it cannot start, and
 * leaves nothing behind then.
 */
export async function serve(config: ControlPlaneConfig): Promise<void> {
  const logger = createLogger(config.log.level);
  endAtFault(logger);
  try {
    await serveUntilTold(config, logger);
  } finally {
    await logger.close();
  }
}

async function serveUntilTold(config: ControlPlaneConfig, logger: ClosableLogger): Promise<void> {
  const clock = systemClock;
  const { idc, registry, state } = config;
  const { tokenFile } = config.admin;
  const token = tokenFile === undefined ? undefined : adminToken(tokenFile);
  const file = registry.registrations;
  const peers = peersOf(config, token);
  const times = { startWait: config.peers.startLimit, keepAlone: config.peers.keepLimit };
  const registrations =
    file === undefined
      ? undefined
      : createRegistrationsSource({
          ...{ file, clock, logger, replication: { idc, links: peers.links, times } },
        });
  const evacuations =
    state.folder === undefined
      ? undefined
      : createEvacuationsSource({
          ...{ file: join(state.folder, 'evacuations.json'), clock, logger },
          peers: peers.evacuations,
        });
  const objects = keepLastGood({
    open: () => openSource(registry.folder, { clock, logger }),
    ...(state.folder === undefined ? {} : { folder: state.folder }),
    ...{ idc, clock, logger },
  });
  let admin: AdminServer | undefined;
  const plane = await startControlPlane({
    idc,
    sources: [objects, ...(registrations ? [registrations] : []), ...(evacuations ? [evacuations] : [])],
    xds: config.xds.listen,
    xdsTools: config.xds.tools,
    hopLimit: config.routing.hopLimit,
    loopPrevention: config.routing.loopPrevention ? 'on' : 'off',
    deletionLimits: {
      ackMsMax: config.deletions.ackLimit,
      reconnectMsMax: config.deletions.reconnectLimit,
    },
    ...(state.filters === undefined ? {} : { filterStore: state.filters }),
    ...(state.folder === undefined ? {} : { failbackStore: openFailbackStore(state.folder, logger) }),
    heap: watchHeap(),
    clock,
    logger,
    async onListening(plane) {
      admin = await serveAdmin(plane, config.admin.listen, token, {
        registrations: registrations && { idc, plane, registrations, clock },
        evacuations: evacuations && { plane, evacuations, clock },
      });
    },
  }).catch(async (reason) => {
    await admin?.close();
    throw reason;
  });
  const watchdog = watchEventLoop(clock, ({ ms, stack }) => {
    plane.metrics.eventLoopStall.observe(ms / 1000);
    logger.warn('the event loop stood still', { ms: Math.round(ms), stack });
  });
  logger.info('serving', {
    idc,
    xds: showAddress(plane.xds),
    admin: showAddress({ ...config.admin.listen, port: admin?.port ?? config.admin.listen.port }),
  });
  const signal = await nextSignal();
  logger.info('stopping: proxies are handed over, and keep what they have', { signal });
  void nextSignal().then(async (second) => {
    logger.warn('a second signal: ending at once', { signal: second });
    await logger.close();
    process.exit(exitCode.interrupted);
  });
  await plane.handOver(noticeMs, config.shutdown.grace);
  await Promise.all([admin?.close(), plane.close(), watchdog.close()]);
}

/** The next SIGTERM or SIGINT. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const heard = (signal: NodeJS.Signals) => {
      for (const one of endings) process.off(one, heard);
      resolve(signal);
    };
    for (const one of endings) process.on(one, heard);
  });
}

const endings = ['SIGTERM', 'SIGINT'] as const;

/** The other control planes, as they are asked: for registrations, and by clients of their own for evacuations. */
function peersOf(
  { peers }: ControlPlaneConfig,
  token: string | undefined,
): { readonly links: readonly PeerLink[]; readonly evacuations: readonly EvacuationPeer[] } {
  // A configuration with peers has a token (`config/cross-check.ts`).
  if (peers.admin === undefined || token === undefined) return { links: [], evacuations: [] };
  const client = (admin: ListenAddress) => createRegistrationClient({ admin, token });
  return {
    links: peers.admin.map((admin) => ({ name: showAddress(admin), pull: client(admin).pull })),
    evacuations: peers.admin.map((admin) => {
      return { name: showAddress(admin), pull: client(admin).pullEvacuations };
    }),
  };
}

function adminToken(file: string): string {
  const token = readToken(file, '--admin-token-file');
  if (token.length < 16) throw new MeshError('invalid', `the token in ${file} is shorter than 16 characters`);
  return token;
}
