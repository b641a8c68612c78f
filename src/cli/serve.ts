import { join } from 'node:path';
import { type AdminServer, serveAdmin } from '../api/admin-server.ts';
import { systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { exitCode } from '../base/exit.ts';
import type { Logger } from '../base/log.ts';
import { readToken } from '../client/token.ts';
import type { ControlPlaneConfig } from '../config/options.ts';
import type { Setting } from '../config/setting.ts';
import { shownOptions } from '../config/shown-settings.ts';
import { createEventJournal } from '../events/journal.ts';
import { openJournalFile } from '../events/journal-file.ts';
import { openFailbackStore } from '../failback/store.ts';
import { showAddress } from '../model/values/listen-address.ts';
import { startControlPlane } from '../plane/controlplane.ts';
import { watchTrust } from '../trust/trust-watch.ts';
import { userCacheFolder } from './process/cache-folder.ts';
import { endAtFault } from './process/fault.ts';
import { watchHeap } from './process/heap-use.ts';
import { type ClosableLogger, createLogger } from './process/log.ts';
import { watchEventLoop } from './process/stall.ts';
import { nextEnding } from './process/stop-signals.ts';
import { openSources } from './sources.ts';

// A load balancer that checks each second has stopped sending here.
const noticeMs = 1_000;

/**
 * Serves until SIGTERM or SIGINT, then hands its proxies over and ends; a second signal ends it at once, with
 * 130. `settings`: those of `config`, to show. Rejects with MeshError if it cannot start, and cleans up.
 */
export async function serve(config: ControlPlaneConfig, settings: readonly Setting[]): Promise<void> {
  const logger = createLogger(config.log.level);
  endAtFault(logger);
  try {
    await serveUntilTold({ config, settings, logger });
  } finally {
    await logger.close();
  }
}

/** What is served, and by which settings. */
interface Serving {
  readonly config: ControlPlaneConfig;
  /** Shown at the admin address. */
  readonly settings: readonly Setting[];
  readonly logger: ClosableLogger;
}

async function serveUntilTold(serving: Serving): Promise<void> {
  const { config, logger } = serving;
  const { folder } = config.state;
  if (folder === undefined) return serveLocked(serving);
  // Loaded on demand: SQLite is needed for it alone.
  const { claimStateFolder } = await import('./process/state-folder.ts');
  const claim = await claimStateFolder(folder, { clock: systemClock, logger });
  await serveLocked(serving).finally(claim.release);
}

/** Serves; no other control plane has the folder of state. */
async function serveLocked({ config, settings, logger }: Serving): Promise<void> {
  const clock = systemClock;
  const { idc } = config;
  const { tokenFile, listen } = config.admin;
  const token = tokenFile === undefined ? undefined : adminToken(tokenFile);
  const sources = openSources(config, token, { clock, logger });
  const { objects, registrations, evacuations, drains, remotes } = sources;
  let admin: AdminServer | undefined;
  const { folder } = config.state;
  const plane = await startControlPlane({
    ...planeOptions(config, logger),
    ...(config.xds.trust && { trust: watchTrust(config.xds.trust, { role: 'controlplane', idc }, clock) }),
    sources: [objects, registrations, evacuations, drains, remotes].filter((source) => source !== undefined),
    heap: watchHeap(),
    journal: createEventJournal({
      clock,
      file: folder === undefined ? undefined : openJournalFile({ folder, clock, logger }),
    }),
    clock,
    logger,
    async onListening(plane) {
      admin = await serveAdmin(plane, listen, token, {
        registrations: registrations && { idc, plane, registrations, clock },
        evacuations: evacuations && { plane, evacuations, clock },
        drains: drains && { plane, drains, clock },
        settings: shownOptions(settings),
      });
    },
  }).catch(async (reason) => {
    await admin?.close();
    throw reason;
  });
  const watchdog = watchEventLoop(clock, ({ ms, stack }) => {
    plane.metrics.eventLoopStall.observe(ms / 1000);
    logger.warn('the event loop was stalled', { ms: Math.round(ms), stack });
  });
  logger.info('serving', {
    idc,
    xds: showAddress(plane.xds),
    admin: showAddress({ ...listen, port: admin?.port ?? listen.port }),
  });
  const signal = await toldToStop(logger);
  plane.events.note({ kind: 'controlplane', phase: 'stopping', signal });
  await plane.handOver(noticeMs, config.shutdown.grace);
  await Promise.all([admin?.close(), plane.close(), watchdog.close()]);
}

/** The options of a control plane that follow from its configuration alone. */
function planeOptions({ idc, xds, routing, deletions, state }: ControlPlaneConfig, logger: Logger) {
  const filters = state.filters ?? defaultFilterFolder();
  return {
    idc,
    xds: xds.listen,
    xdsTools: xds.tools,
    ...(xds.connectionAge !== undefined && { connectionAgeMsMax: xds.connectionAge }),
    hopLimit: routing.hopLimit,
    loopPrevention: routing.loopPrevention ? 'on' : 'off',
    deletionGraceMs: deletions.grace,
    deletionLimits: { ackMsMax: deletions.ackLimit, reconnectMsMax: deletions.reconnectLimit },
    ...(filters === undefined ? {} : { filterStore: filters }),
    ...(state.folder === undefined ? {} : { failbackStore: openFailbackStore(state.folder, logger) }),
  } as const;
}

/**
 * Where compiled filters are stored if no option says where; undefined: nowhere. Control planes share it: a
 * file is named by all that it was made of, and is checked before it is used.
 */
function defaultFilterFolder(): string | undefined {
  const cache = userCacheFolder();
  return cache === undefined ? undefined : join(cache, 'filters');
}

/** Resolves at the first SIGTERM or SIGINT. The second ends the process at once. */
async function toldToStop(logger: ClosableLogger): Promise<NodeJS.Signals> {
  const signal = await nextEnding();
  void nextEnding().then(async (second) => {
    logger.warn('a second signal: ending at once', { signal: second });
    await logger.close();
    process.exit(exitCode.interrupted);
  });
  return signal;
}

function adminToken(file: string): string {
  const token = readToken(file, '--admin-token-file');
  if (token.length < 16) throw new MeshError('invalid', `the token in ${file} is shorter than 16 characters`);
  return token;
}
