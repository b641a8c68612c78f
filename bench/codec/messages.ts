/** A message to measure. */
export interface Sample {
  readonly name: string;
  readonly type: string;
  /** New objects each time, so that no cache has them. */
  make(change: number): object;
  /** How often it is encoded and decoded in a round. */
  readonly times: number;
}

function assignment(endpoints: number, change: number): object {
  const address = (e: number) => `10.${(change >> 8) & 255}.${e >> 8}.${e & 255}`;
  const lb_endpoints = Array.from({ length: endpoints }, (_, e) => ({
    endpoint: { address: { socket_address: { address: address(e), port_value: 8443 } } },
    health_status: 'HEALTHY',
    metadata: { filter_metadata: { isthmus: { via: 'egress' } } },
    load_balancing_weight: 1 + (e % 3),
  }));
  const locality = { region: 'region-1', zone: 'zone-1' };
  return {
    cluster_name: 'checkout.shop',
    endpoints: [{ locality, lb_endpoints, priority: 1 }],
    policy: { overprovisioning_factor: 140 },
  };
}

/** A virtual host of a gateway; it has one for each host. */
export function virtualHost(i: number, change: number): object {
  const routes = [0, 1, 2].map((r) => ({
    match: { prefix: `/v${r}`, headers: [{ name: 'x-zone', string_match: { exact: `zone-${r}` } }] },
    route: {
      cluster: `instances/svc-${i}.mesh.example`,
      timeout: '15s',
      retry_policy: {
        retry_on: 'connect-failure,reset-before-request',
        num_retries: 2,
        retry_back_off: { base_interval: '0.010s', max_interval: '0.100s' },
        retry_host_predicate: [
          {
            name: 'envoy.retry_host_predicates.previous_hosts',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
            },
          },
        ],
      },
    },
    request_headers_to_add: [
      { header: { key: 'x-change', value: String(change) }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
    ],
  }));
  return { name: `svc-${i}`, domains: [`svc-${i}.mesh.example`, `svc-${i}.mesh.example:*`], routes };
}

export const routeType = 'envoy.config.route.v3.RouteConfiguration';
const assignmentType = 'envoy.config.endpoint.v3.ClusterLoadAssignment';

export const samples: readonly Sample[] = [
  { name: 'endpoints of 1', type: assignmentType, make: (change) => assignment(1, change), times: 4_000 },
  {
    name: 'endpoints of 1,000',
    type: assignmentType,
    make: (change) => assignment(1_000, change),
    times: 10,
  },
  {
    name: 'routes of 1,000 hosts',
    type: routeType,
    make: (change) => ({
      name: 'edge',
      virtual_hosts: Array.from({ length: 1_000 }, (_, i) => virtualHost(i, change)),
    }),
    times: 3,
  },
];
