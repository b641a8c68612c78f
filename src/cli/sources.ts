import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { createRegistrationClient } from '../client/registration-client.ts';
import type { ControlPlaneConfig } from '../config/options.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { createDrainsSource } from '../registry/drains/drains-source.ts';
import { createEvacuationsSource } from '../registry/evacuations/evacuations-source.ts';
import { keepLastGood } from '../registry/lastgood/last-good-source.ts';
import { openSource } from '../registry/open.ts';
import type { RecordsPeer } from '../registry/records/records-source.ts';
import { createRegistrationsSource } from '../registry/registrations/registrations-source.ts';
import type { PeerLink } from '../registry/registrations/replica.ts';

/** The configured sources, not yet read. */
interface ConfiguredSources {
  readonly objects: ReturnType<typeof keepLastGood>;
  /** Absent: registrations are off. */
  readonly registrations?: ReturnType<typeof createRegistrationsSource>;
  /** Absent: no state is stored, so that evacuations by the API are off. */
  readonly evacuations?: ReturnType<typeof createEvacuationsSource>;
  /** The same for drains. */
  readonly drains?: ReturnType<typeof createDrainsSource>;
}

/** Opens the configured sources. `token`: for requests to other control planes. */
export function openSources(
  config: ControlPlaneConfig,
  token: string | undefined,
  run: { readonly clock: Clock; readonly logger: Logger },
): ConfiguredSources {
  const { idc, registry, state, deletions } = config;
  const { links, evacuations, drains } = peersOf(config, token);
  const times = { startWait: config.peers.startLimit, keepAlone: config.peers.keepLimit };
  const objects = keepLastGood({
    open: () => openSource(registry.folder, { ...run, soleMs: deletions.grace }),
    soleMs: deletions.grace,
    ...(state.folder === undefined ? {} : { folder: state.folder }),
    ...{ idc, ...run },
  });
  const file = registry.registrations;
  return {
    objects,
    ...(file !== undefined && {
      registrations: createRegistrationsSource({ ...run, file, replication: { idc, links, times } }),
    }),
    ...(state.folder !== undefined && {
      evacuations: createEvacuationsSource({
        ...{ ...run, file: join(state.folder, 'evacuations.json'), peers: evacuations },
      }),
      drains: createDrainsSource({ ...run, file: join(state.folder, 'drains.json'), peers: drains }),
    }),
  };
}

/** Clients for the other control planes, separate ones for each kind of record. */
function peersOf(
  { peers }: ControlPlaneConfig,
  token: string | undefined,
): Readonly<Record<'evacuations' | 'drains', readonly RecordsPeer[]>> & {
  readonly links: readonly PeerLink[];
} {
  // A configuration with peers has a token (`config/cross-check.ts`).
  if (peers.admin === undefined || token === undefined) return { links: [], evacuations: [], drains: [] };
  const client = (admin: ListenAddress) => createRegistrationClient({ admin, token, isPatient: true });
  return {
    links: peers.admin.map((admin) => ({ name: showAddress(admin), pull: client(admin).pull })),
    evacuations: peers.admin.map((admin) => {
      return { name: showAddress(admin), pull: client(admin).pullEvacuations };
    }),
    drains: peers.admin.map((admin) => ({ name: showAddress(admin), pull: client(admin).pullDrains })),
  };
}
