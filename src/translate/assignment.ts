import type { ClusterLoadAssignment, envoy } from '../../protos/gen/envoy.d.ts';
import type { Idc } from '../model/idc.ts';
import type { Endpoint, GroupPlan } from '../plan/types.ts';
import { egressCluster, idcsCluster, instancesCluster } from './names.ts';

type LocalityEndpoints = envoy.config.endpoint.v3.LocalityLbEndpoints;

/**
 * Below this share of healthy instances (percent of 100) requests begin to spill to the next priority: with
 * 200, when fewer than half are healthy. Envoy's default of 140 sends 30 % away when one of two is gone.
 */
const overprovisioningFactor = 200;

/** Endpoints of a Group in this IDC. */
export function buildInstancesAssignment(plan: GroupPlan): ClusterLoadAssignment {
  return assignment(
    instancesCluster(plan.group),
    plan.instances.map((locality) => ({
      locality: buildLocality(locality.name),
      lb_endpoints: locality.endpoints.map(buildEndpoint),
    })),
  );
}

/** The egress gateways, on the port for sidecars or on the port for ingress gateways. */
export function buildEgressAssignment(
  own: Idc | undefined,
  port: 'sidecarPort' | 'ingressPort',
): ClusterLoadAssignment {
  const gateways = own?.spec.egress ?? [];
  return assignment(
    egressCluster,
    gateways.length === 0
      ? []
      : [
          {
            locality: { region: own?.meta.name },
            lb_endpoints: gateways.map((gateway) =>
              buildEndpoint({ address: gateway.address, port: gateway[port], weight: 1 }),
            ),
          },
        ],
  );
}

/** Other IDCs' ingress gateways for a Group, most preferred IDC at priority 0. */
export function buildIdcsAssignment(plan: GroupPlan, idcs: ReadonlyMap<string, Idc>): ClusterLoadAssignment {
  return assignment(
    idcsCluster(plan.group),
    plan.paths.sidecar.priorities.flatMap((target, priority): LocalityEndpoints[] =>
      target.kind !== 'idc'
        ? []
        : [
            {
              priority,
              locality: { region: target.idc },
              lb_endpoints: (idcs.get(target.idc)?.spec.ingress ?? []).map((gateway) =>
                buildEndpoint({ address: gateway.address, port: gateway.peerPort, weight: 1 }),
              ),
            },
          ],
    ),
  );
}

function assignment(name: string, endpoints: LocalityEndpoints[]): ClusterLoadAssignment {
  return {
    cluster_name: name,
    endpoints,
    policy: { overprovisioning_factor: overprovisioningFactor },
  };
}

function buildLocality(name: string): envoy.config.core.v3.Locality {
  const [region = '', zone = '', ...rest] = name.split('/');
  const subZone = rest.join('/');
  return { region, ...(zone ? { zone } : {}), ...(subZone ? { sub_zone: subZone } : {}) };
}

function buildEndpoint(endpoint: Endpoint): envoy.config.endpoint.v3.LbEndpoint {
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
