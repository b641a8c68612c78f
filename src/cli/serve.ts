import { join } from 'node:path';
import { type AdminServer, serveAdmin } from '../api/admin-server.ts';
import { systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { exitCode } from '../base/exit.ts';
import { createRegistrationClient } from '../client/registration-client.ts';
import { readToken } from '../client/token.ts';
import { openFailbackStore } from '../failback/store.ts';
import { showAddress } from '../model/listen-address.ts';
import type { ListenAddress } from '../model/node.ts';
import type { LoopPrevention } from '../model/trail.ts';
import { startControlPlane } from '../plane/controlplane.ts';
import { createEvacuationsSource, type EvacuationPeer } from '../registry/evacuations/evacuations-source.ts';
import { keepLastGood } from '../registry/lastgood/last-good-source.ts';
import { openSource } from '../registry/open.ts';
import { createRegistrationsSource } from '../registry/registrations/registrations-source.ts';
import type { PeerLink } from '../registry/registrations/replica.ts';
import type { LogLevel } from './options/log-level.ts';
import { endAtFault } from './process/fault.ts';
import { watchHeap } from './process/heap-use.ts';
import { type ClosableLogger, createLogger } from './process/log.ts';
import { watchEventLoop } from './process/stall.ts';

/** What `isthmus serve` was told. */
export interface ServeFlags {
  readonly idc: string;
  readonly config: string;
  readonly registrations?: string;
  readonly state?: string;
  readonly filters?: string;
  readonly xds: ListenAddress;
  readonly xdsTools: 'on' | 'off';
  readonly admin: ListenAddress;
  readonly adminTokenFile?: string;
  readonly peerAdmin?: readonly ListenAddress[];
  /** Milliseconds; see `peerTimes`. */
  readonly peerStartLimit: number;
  readonly peerKeepLimit: number;
  readonly hopLimit: number;
  readonly loopPrevention: LoopPrevention;
  /** Milliseconds; see `GuardLimits`. */
  readonly deletionAckLimit: number;
  readonly deletionReconnectLimit: number;
  /** Milliseconds; see `ControlPlane.handOver`. */
  readonly shutdownGrace: number;
  readonly logLevel: LogLevel;
}

// A load balancer that looks each second sends nobody here any more.
const noticeMs = 1_000;

/** Where compiled filters are kept between starts, if anywhere. */
function filterStore({ filters, state }: ServeFlags): { filterStore?: string } {
  if (filters !== undefined) return { filterStore: filters };
  return state === undefined ? {} : { filterStore: join(state, 'filters') };
}

/**
 * Serves until SIGTERM or SIGINT, then hands its proxies over to others and ends; a second signal ends it at once, with 130. Rejects with MeshError when it cannot start, and
 * leaves nothing behind then.
 */
export async function serve(flags: ServeFlags): Promise<void> {
  const logger = createLogger(flags.logLevel);
  endAtFault(logger);
  try {
    await serveUntilTold(flags, logger);
  } finally {
    await logger.close();
  }
}

async function serveUntilTold(flags: ServeFlags, logger: ClosableLogger): Promise<void> {
  const clock = systemClock;
  const token = flags.adminTokenFile === undefined ? undefined : adminToken(flags.adminTokenFile);
  const { file, links } = { file: flags.registrations, links: linksOf(flags, token) };
  if (file !== undefined && token === undefined)
    throw new MeshError(
      'invalid',
      '--registrations needs --admin-token-file: without a token nobody may register. Give a file with at least 16 characters',
    );
  const times = { startWait: flags.peerStartLimit, keepAlone: flags.peerKeepLimit };
  const registrations =
    file === undefined
      ? undefined
      : createRegistrationsSource({
          ...{ file, clock, logger, replication: { idc: flags.idc, links, times } },
        });
  const evacuations =
    flags.state === undefined
      ? undefined
      : createEvacuationsSource({
          ...{ file: join(flags.state, 'evacuations.json'), clock, logger },
          peers: evacuationPeers(flags, token),
        });
  const config = keepLastGood({
    open: () => openSource(flags.config, { clock, logger }),
    ...(flags.state === undefined ? {} : { folder: flags.state }),
    ...{ idc: flags.idc, clock, logger },
  });
  let admin: AdminServer | undefined;
  const plane = await startControlPlane({
    idc: flags.idc,
    sources: [config, ...(registrations ? [registrations] : []), ...(evacuations ? [evacuations] : [])],
    xds: flags.xds,
    xdsTools: flags.xdsTools === 'on',
    hopLimit: flags.hopLimit,
    loopPrevention: flags.loopPrevention,
    deletionLimits: { ackMsMax: flags.deletionAckLimit, reconnectMsMax: flags.deletionReconnectLimit },
    ...filterStore(flags),
    ...(flags.state === undefined ? {} : { failbackStore: openFailbackStore(flags.state, logger) }),
    heap: watchHeap(),
    clock,
    logger,
    async onListening(plane) {
      admin = await serveAdmin(plane, flags.admin, token, {
        registrations: registrations && { idc: flags.idc, plane, registrations, clock },
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
    idc: flags.idc,
    xds: showAddress(plane.xds),
    admin: showAddress({ ...flags.admin, port: admin?.port ?? flags.admin.port }),
  });
  const signal = await nextSignal();
  logger.info('stopping: proxies are handed over, and keep what they have', { signal });
  void nextSignal().then(async (second) => {
    logger.warn('a second signal: ending at once', { signal: second });
    await logger.close();
    process.exit(exitCode.interrupted);
  });
  await plane.handOver(noticeMs, flags.shutdownGrace);
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

/** The other control planes, as they are asked. Throws MeshError `invalid` when what that needs is not given. */
function linksOf(flags: ServeFlags, token: string | undefined): readonly PeerLink[] {
  const { peerAdmin = [], registrations } = flags;
  if (peerAdmin.length === 0) return [];
  if (registrations === undefined || token === undefined)
    throw new MeshError('invalid', '--peer-admin needs --registrations and --admin-token-file');
  return peerAdmin.map((admin) => {
    const { pull } = createRegistrationClient({ admin, token });
    return { name: showAddress(admin), pull };
  });
}

function evacuationPeers(
  { peerAdmin = [] }: ServeFlags,
  token: string | undefined,
): readonly EvacuationPeer[] {
  return peerAdmin.map((admin) => {
    const { pullEvacuations } = createRegistrationClient({ admin, token });
    return { name: showAddress(admin), pull: pullEvacuations };
  });
}

function adminToken(file: string): string {
  const token = readToken(file, '--admin-token-file');
  if (token.length < 16) throw new MeshError('invalid', `the token in ${file} is shorter than 16 characters`);
  return token;
}
