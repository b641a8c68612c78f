import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { createRegistrationClient } from '../client/registration-client.ts';
import type { ControlPlaneConfig } from '../config/options.ts';
import { inClusterAccess } from '../kube/config/in-cluster.ts';
import type { KubeAccess } from '../kube/config/kube-access.ts';
import { readKubeconfig } from '../kube/config/kubeconfig.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { createRemotesSource } from '../registrar/remotes/remotes-source.ts';
import { createDrainsSource } from '../registry/drains/drains-source.ts';
import { createEvacuationsSource } from '../registry/evacuations/evacuations-source.ts';
import { createKubernetesSource } from '../registry/kubernetes/kubernetes-source.ts';
import { keepLastGood } from '../registry/lastgood/last-good-source.ts';
import { openSource } from '../registry/open.ts';
import type { RecordsPeer } from '../registry/records/records-source.ts';
import { createRegistrationsSource } from '../registry/registrations/registrations-source.ts';
import type { PeerLink } from '../registry/registrations/replica.ts';
import type { Source } from '../registry/source.ts';
import { processIdentity } from './kube/identity.ts';

/** The configured sources, not yet read. */
interface ConfiguredSources {
  readonly objects: ReturnType<typeof keepLastGood>;
  /** Absent: registrations are off. */
  readonly registrations?: ReturnType<typeof createRegistrationsSource>;
  /** Absent: no state is stored, so that evacuations by the API are off. */
  readonly evacuations?: ReturnType<typeof createEvacuationsSource>;
  /** The same for drains. */
  readonly drains?: ReturnType<typeof createDrainsSource>;
  /** Absent: Remotes are none of its business. */
  readonly remotes?: Source;
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
    open: () => openRegistry(config, run),
    // An API server is waited for as long as it takes, but not by those that can do without.
    ...(registry.folder === undefined && { startMs: kubernetesStartMs }),
    soleMs: deletions.grace,
    ...(state.folder === undefined ? {} : { folder: state.folder }),
    ...{ idc, ...run },
  });
  const file = registry.registrations;
  const secrets = registry.remotes;
  return {
    objects,
    ...(secrets !== undefined && {
      remotes: createRemotesSource({
        ...{ ...run, idc, secrets, identity: processIdentity(), random: systemRandom },
        access: () => primaryAccess(config, run.clock),
      }),
    }),
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

/** How long a start waits for an API server before it uses the last good state, in milliseconds. */
const kubernetesStartMs = 15_000;

/** How to get to the API server that objects are read from. */
function primaryAccess({ registry }: ControlPlaneConfig, clock: Clock): KubeAccess {
  const { kubeconfig: file, kubeContext: context } = registry;
  return file === undefined ? inClusterAccess(clock) : readKubeconfig({ file, context }, clock);
}

/** The source of objects: a folder, or an API server of Kubernetes. */
function openRegistry(
  config: ControlPlaneConfig,
  run: { readonly clock: Clock; readonly logger: Logger },
): Source {
  const { idc, registry, deletions } = config;
  if (registry.folder !== undefined) return openSource(registry.folder, { ...run, soleMs: deletions.grace });
  const access = () => primaryAccess(config, run.clock);
  const conditions = { idc, identity: processIdentity() };
  const { discoveryNamespaces } = registry;
  return createKubernetesSource({ ...run, access, random: systemRandom, conditions, discoveryNamespaces });
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
