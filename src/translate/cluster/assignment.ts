import type { ClusterLoadAssignment, envoy } from '../../../protos/gen/envoy.d.ts';
import type { EgressGateway, Idc } from '../../model/idc.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { splitLocality } from '../../model/values/locality.ts';
import { type HungGateway, peersOf } from '../../plan/gateways.ts';
import { factorOf, overprovisioningFactor } from '../../plan/health/priorities.ts';
import type { Crossing, Endpoint, GroupPlan, PlannedLocality } from '../../plan/types.ts';
import { egressMetadata, proxyMetadata } from '../listener/marks.ts';
import { checksCluster, egressCluster, instancesCluster, visitedKey } from '../names.ts';
import { crossingMark } from './crossing-tls.ts';

type LocalityEndpoints = envoy.config.endpoint.v3.LocalityLbEndpoints;
type LbEndpoint = envoy.config.endpoint.v3.LbEndpoint;

/** A Group's endpoints in this IDC. */
export function buildInstancesAssignment(plan: GroupPlan): ClusterLoadAssignment {
  const port = plan.health?.port;
  const asked = port === undefined ? {} : { health_check_config: { port_value: port } };
  return assignment(
    instancesCluster(plan.group),
    localities(plan, (endpoint) => {
      const built = { ...buildEndpoint(endpoint), ...(plan.sidecars ? proxyMetadata : {}) };
      // A unix socket has no other port.
      return endpoint.address.startsWith('unix://')
        ? built
        : { ...built, endpoint: { ...built.endpoint, ...asked } };
    }),
    factorOf(plan),
  );
}

/** The same instances at their health check port, for Groups that have a separate one. */
export function buildChecksAssignment(plan: GroupPlan, port: number): ClusterLoadAssignment {
  return assignment(
    checksCluster(plan.group),
    localities(plan, (endpoint) => buildEndpoint({ ...endpoint, port })),
  );
}

/** Drained instances stay: Envoy lets them finish what they have, and says how much (decision 149). */
function localities(plan: GroupPlan, build: (endpoint: Endpoint) => LbEndpoint): LocalityEndpoints[] {
  const built = plan.instances.map((locality) =>
    localityOf(locality, build, locality.lastResort ? 'DEGRADED' : undefined),
  );
  if (plan.drained === undefined) return built;
  return mergeLocalities([
    ...built,
    ...plan.drained.map((locality) => localityOf(locality, build, 'DRAINING')),
  ]);
}

function localityOf(
  { name, endpoints, priority }: PlannedLocality,
  build: (endpoint: Endpoint) => LbEndpoint,
  health: LbEndpoint['health_status'],
): LocalityEndpoints {
  return {
    ...(priority === undefined ? {} : { priority }),
    locality: buildLocality(name),
    lb_endpoints: endpoints.map((endpoint) =>
      health === undefined ? build(endpoint) : { ...build(endpoint), health_status: health },
    ),
  };
}

/** One entry for each locality of a priority. */
function mergeLocalities(list: readonly LocalityEndpoints[]): LocalityEndpoints[] {
  const byPlace = Map.groupBy(list, ({ priority = 0, locality }) => JSON.stringify([priority, locality]));
  return [...byPlace.values()].map((same): LocalityEndpoints => {
    return { ...same[0], lb_endpoints: same.flatMap((one) => one.lb_endpoints ?? []) };
  });
}

/** The egress gateways, at the port for sidecars or for ingress gateways. */
export function buildEgressAssignment(
  localIdc: Idc | undefined,
  port: 'sidecarPort' | 'ingressPort',
  hungGateways: readonly HungGateway[] = [],
): ClusterLoadAssignment {
  const gateways = egressOf(localIdc, hungGateways);
  return assignment(
    egressCluster,
    gateways.length === 0
      ? []
      : [
          {
            locality: { region: localIdc?.meta.name },
            lb_endpoints: gateways.map((gateway) => ({
              ...buildEndpoint({ address: gateway.address, port: gateway[port], weight: 1 }),
              ...egressMetadata,
            })),
          },
        ],
  );
}

/** The local egress gateways in use. */
export function egressOf(
  localIdc: Idc | undefined,
  hungGateways: readonly HungGateway[] = [],
): readonly EgressGateway[] {
  const all = localIdc?.spec.egress ?? [];
  return all.filter(({ address, sidecarPort: port }) => !isAmong(hungGateways, { address, port }));
}

function isAmong(hungGateways: readonly HungGateway[], at: ListenAddress): boolean {
  return hungGateways.some(({ address, port }) => address === at.address && port === at.port);
}

/** Other IDCs' ingress gateways for requests that begin here, most preferred IDC first. */
export function buildAwayAssignment(
  name: string,
  crossing: Crossing,
  ...where: CrossingSurroundings
): ClusterLoadAssignment {
  return crossingAssignment(name, crossing, () => ({}), ...where);
}

/** The same for requests that were handed on, each gateway with the visited sets that may use it. */
export function buildOnwardAssignment(
  name: string,
  crossing: Crossing,
  ...where: CrossingSurroundings
): ClusterLoadAssignment {
  return crossingAssignment(name, crossing, (idc) => permitMetadata(crossing.permits, idc), ...where);
}

/** Metadata of an endpoint, by who reads it. */
type EndpointMarks = Readonly<Record<string, Record<string, string | string[]>>>;

/** What endpoints of other IDCs depend on besides a crossing. */
type CrossingSurroundings = readonly [
  idcs: ReadonlyMap<string, Idc>,
  hungGateways?: readonly HungGateway[] | undefined,
];

function crossingAssignment(
  name: string,
  crossing: Crossing,
  metadataOf: (idc: string) => EndpointMarks,
  ...[idcs, hungGateways = []]: CrossingSurroundings
): ClusterLoadAssignment {
  return assignment(
    name,
    crossing.idcs.map(({ idc, priority, weight }): LocalityEndpoints => {
      const target = idcs.get(idc);
      const gateways =
        target === undefined ? [] : peersOf(target).filter((one) => !isAmong(hungGateways, one));
      const marks = { ...metadataOf(idc), ...crossingMark(crossing, idcs, idc) };
      const metadata = Object.keys(marks).length === 0 ? {} : { metadata: { filter_metadata: marks } };
      return {
        priority,
        locality: { region: idc },
        lb_endpoints: gateways.map(({ address, port }) => ({
          ...buildEndpoint({ address, port, weight: shareOf(weight, gateways.length) }),
          ...metadata,
        })),
      };
    }),
  );
}

/** The sets of visited IDCs with which a request may go to `idc`. */
function permitMetadata(permits: Crossing['permits'], idc: string): EndpointMarks {
  if (permits === 'all') return {};
  const visited = permits.filter(({ to }) => to.includes(idc)).map((permit) => permit.visited);
  return { 'envoy.lb': { [visitedKey]: visited } };
}

/** Divided among an IDC's gateways; divisible by 1 to 8, so that IDCs of different size compare correctly. */
const weightUnit = 840;

/** A gateway's weight, so that the sum over its IDC's gateways is in proportion to the IDC's weight. */
function shareOf(weight: number | undefined, gateways: number): number {
  return weight === undefined ? 1 : Math.max(1, Math.round((weight * weightUnit) / gateways));
}

function assignment(
  name: string,
  endpoints: LocalityEndpoints[],
  factor = overprovisioningFactor,
): ClusterLoadAssignment {
  return {
    cluster_name: name,
    endpoints,
    policy: { overprovisioning_factor: factor },
  };
}

function buildLocality(name: string): envoy.config.core.v3.Locality {
  const { idc, zone, subzone } = splitLocality(name);
  return { region: idc, ...(zone ? { zone } : {}), ...(subzone ? { sub_zone: subzone } : {}) };
}

function buildEndpoint(endpoint: Endpoint): LbEndpoint {
  const { address, port, weight } = endpoint;
  return {
    endpoint: {
      address: address.startsWith('unix://')
        ? { pipe: { path: address.slice('unix://'.length) } }
        : { socket_address: { address, port_value: port } },
    },
    ...(weight === 1 ? {} : { load_balancing_weight: weight }),
  };
}
