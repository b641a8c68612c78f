import type { Bootstrap, Cluster, envoy, Listener } from '../../protos/gen/envoy.d.ts';
import { MeshError } from '../base/error.ts';
import {
  type AccessLogScope,
  clustersField,
  type NodeScope,
  nodeMetadataKey,
  parseNodeScope,
} from '../model/node.ts';
import { ownHeaders } from '../model/trail.ts';
import { addressKind, isLoopback } from '../model/values/address.ts';
import { formatIdentity } from '../model/values/identity.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { showAddress } from '../model/values/listen-address.ts';
import { httpUpstream } from './cluster/cluster.ts';
import { controlPlaneTls, type ProxyTls } from './cluster/control-plane-tls.ts';
import { dnsLookup, dnsResolver } from './cluster/dns.ts';
import { insideHttp, upstreamCommon, upstreamHttp1, upstreamHttp2 } from './leniency.ts';
import { accessLog, clientKeepalive, removeIsthmusHeaders, routerFilter } from './listener/http-listener.ts';
import { localReplies } from './listener/local-replies.ts';
import { type PodSide, podClusters, podListeners } from './listener/pod-listener.ts';
import { adsSource, packAny } from './message-parts.ts';
import { maxHeapBytesDefault, overloadManager } from './overload.ts';
import { runtimeInBootstrap } from './runtime.ts';
import { appHeader, appHttp1 } from './sidecar.ts';
import { upgrades } from './upgrades.ts';

/** Where the workload of a sidecar listens. */
export type AppAddress = ListenAddress | { readonly path: string };

/** Input of `isthmus bootstrap`. */
export interface BootstrapOptions {
  readonly id: string;
  readonly scope: NodeScope;
  /** Control planes, most preferred first: IP addresses, or names that DNS has. */
  readonly xds: readonly ListenAddress[];
  /** Envoy's admin interface; keep it on loopback. Absent: none. */
  readonly admin?: ListenAddress;
  /** ADS variant, default `delta`. */
  readonly mode?: 'delta' | 'sotw';
  /** DNS servers for names of instances; absent: the machine's. */
  readonly dns?: readonly ListenAddress[];
  /** TLS to the control planes; absent: plaintext. */
  readonly tls?: Pick<ProxyTls, 'folder' | 'trustDomain'>;
  /** Heap limit in bytes, at which Envoy sheds load. */
  readonly maxHeapBytes?: number;
  /** Sidecar only: the inbound listener, and the workload's address. */
  readonly inbound?: { readonly listen: ListenAddress; readonly app: AppAddress };
  /** Sidecar in a Pod only, which has an admin interface. */
  readonly pod?: PodSide;
}

const xdsCluster = 'isthmus-xds';
const appCluster = 'isthmus-app';
/** The same workload for requests marked as HTTP/1.1: the caller's proxy speaks HTTP/2 to this one. */
const appCluster1 = 'isthmus-app-http1';

/**
 * An Envoy bootstrap, as JSON for `envoy -c` (config.bootstrap.v3.Bootstrap).
 *
 * A sidecar's inbound side is in the bootstrap, not in xDS: it depends only on the workload. An Envoy that
 * starts opens no listener before its first clusters have come, so a workload whose sidecar starts while no
 * control plane answers is reachable once one does.
 */
export function buildBootstrap(options: BootstrapOptions): Bootstrap {
  // Validates here, where a person reads the error, what the control plane would refuse.
  const given = parseNodeScope({ [nodeMetadataKey]: options.scope });
  const known: NodeScope = options.tls === undefined ? given : { ...given, identity: true };
  const scope: NodeScope = known.role === 'ingress' ? { ...known, runtime: true } : known;
  checkNode(options);
  if (scope.role === 'grpc') throw new MeshError('invalid', 'a gRPC client needs a gRPC bootstrap');
  if (options.inbound !== undefined && scope.role !== 'sidecar') {
    throw new MeshError('invalid', `only a sidecar has an inbound listener, not an ${scope.role} gateway`);
  }
  checkAdmin(scope, options.admin);
  return {
    node: nodeOf(options.id, scope, options.admin),
    ...(options.admin === undefined ? {} : { admin: { address: socketAddress(options.admin) } }),
    dynamic_resources: {
      ads_config: {
        api_type: options.mode === 'sotw' ? 'GRPC' : 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: xdsCluster,
              // Envoy's default backs off up to 30 s: a recovering site would wait that long for its
              // configuration.
              retry_policy: { retry_back_off: { base_interval: '0.2s', max_interval: '2s' } },
            },
          },
        ],
      },
      // Waiting is better than becoming ready with a part of the configuration (Istio 31825).
      cds_config: adsSource(),
      lds_config: adsSource(),
    },
    ...(scope.role === 'ingress' ? runtimeInBootstrap() : {}),
    // An egress resolves no names: gateways have addresses.
    ...(scope.role === 'egress' ? {} : dnsResolver(options.dns ?? [])),
    static_resources: staticResources(options, scope),
    // Names of the filter's counters contain listener and peer (docs/trail.md); these become Prometheus
    // labels.
    stats_config: {
      stats_tags: [
        { tag_name: 'isthmus_listener', regex: '^wasmcustom\\.isthmus_trail\\.(([a-z-]+)\\.)' },
        {
          tag_name: 'isthmus_peer',
          regex: '^wasmcustom\\.isthmus_trail\\.[a-z-]+\\.(peer\\.([a-z0-9_-]+)\\.)',
        },
      ],
    },
    ...overloadManager(options.maxHeapBytes ?? maxHeapBytesDefault),
  };
}

function staticResources(options: BootstrapOptions, scope: NodeScope): Bootstrap['static_resources'] {
  const { xds, inbound, pod, admin } = options;
  return {
    clusters: [
      { ...controlPlaneCluster(xds), ...tlsOf(options) },
      ...(inbound ? workloadClusters(inbound.app) : []),
      ...(pod && admin ? podClusters(pod, admin, outboundOf(scope)) : []),
    ],
    listeners: [
      ...(inbound ? [inboundListener(inbound.listen, scope)] : []),
      ...(pod ? podListeners(pod) : []),
    ],
  };
}

function tlsOf({ id, scope, tls }: BootstrapOptions): Pick<Cluster, 'transport_socket'> {
  if (tls === undefined) return {};
  const { idc, role } = scope;
  // A node id that no certificate can have would be refused by every control plane.
  formatIdentity({ trustDomain: tls.trustDomain, idc, role, name: id });
  return controlPlaneTls({ ...tls, idc });
}

/** Throws MeshError `invalid` without a node id or an xDS address. */
function checkNode({ id, xds }: Pick<BootstrapOptions, 'id' | 'xds'>): void {
  if (id === '') throw new MeshError('invalid', 'a bootstrap needs a node id');
  if (xds.length === 0) throw new MeshError('invalid', 'a bootstrap needs at least one xDS address');
}

/**
 * The client's node in requests to the control plane (config.core.v3.Node). `clusters`: where it shows its
 * clusters.
 */
function nodeOf(id: string, scope: NodeScope, clusters?: ListenAddress) {
  return {
    id,
    cluster: `${scope.role}.${scope.idc}`,
    locality: {
      region: scope.idc,
      ...(scope.role === 'egress' || scope.zone === undefined ? {} : { zone: scope.zone }),
    },
    metadata: { [nodeMetadataKey]: JSON.parse(JSON.stringify({ ...scope, [clustersField]: clusters })) },
  };
}

/**
 * A gRPC client's bootstrap, as JSON for the file named by GRPC_XDS_BOOTSTRAP (gRFC A27; A71 for several
 * control planes: the first that answers is used).
 */
export function buildGrpcBootstrap({
  id,
  scope,
  xds,
}: Pick<BootstrapOptions, 'id' | 'scope' | 'xds'>): object {
  checkNode({ id, xds });
  return {
    xds_servers: xds.map((address) => ({
      server_uri: showAddress(address),
      channel_creds: [{ type: 'insecure' }],
      server_features: ['xds_v3'],
    })),
    node: nodeOf(id, parseNodeScope({ [nodeMetadataKey]: scope })),
  };
}

/**
 * A sidecar that passes unknown hosts through must not forward to its own admin interface; it can refuse
 * loopback only.
 */
function checkAdmin(scope: NodeScope, admin: ListenAddress | undefined): void {
  if (scope.role !== 'sidecar' || scope.unknownHosts !== 'pass' || admin === undefined) return;
  if (isLoopback(admin.address)) return;
  throw new MeshError(
    'invalid',
    `the admin interface at ${admin.address} would be reachable through a sidecar that passes unknown hosts through: put it on 127.0.0.1`,
  );
}

function outboundOf(scope: NodeScope): ListenAddress | undefined {
  return scope.role === 'sidecar' ? scope.outbound : undefined;
}

function controlPlaneCluster(addresses: readonly ListenAddress[]): Cluster {
  return {
    name: xdsCluster,
    ...(addresses.every(({ address }) => addressKind(address) === 'ip')
      ? { type: 'STATIC' as const }
      : dnsLookup('every')),
    connect_timeout: '1s',
    ...httpUpstream({
      explicit_http_config: {
        http2_protocol_options: { connection_keepalive: { interval: '10s', timeout: '4s' } },
      },
    }),
    load_assignment: {
      cluster_name: xdsCluster,
      // One priority each: the second control plane is used only if the first does not answer.
      endpoints: addresses.map((address, priority) => ({
        priority,
        lb_endpoints: [{ endpoint: { address: socketAddress(address) } }],
      })),
    },
    ...(addresses.length > 1
      ? {
          outlier_detection: {
            // A hung control plane accepts connections: each counts as a success in between.
            consecutive_local_origin_failure: 1,
            split_external_local_origin_errors: true,
            // Of two, Envoy's default of 10 % ejects none: a new Envoy would try the first for ever.
            max_ejection_percent: 100,
            base_ejection_time: '5s',
            max_ejection_time: '30s',
          },
        }
      : {}),
  };
}

function workloadClusters(app: AppAddress): Cluster[] {
  const http1 = { explicit_http_config: { http_protocol_options: upstreamHttp1 } };
  // Keeps the HTTP version of the request: gRPC needs HTTP/2 trailers.
  const asItComes = {
    use_downstream_protocol_config: {
      http_protocol_options: upstreamHttp1,
      http2_protocol_options: upstreamHttp2,
    },
  };
  return [workloadCluster(appCluster, app, asItComes), workloadCluster(appCluster1, app, http1)];
}

function workloadCluster(
  name: string,
  app: AppAddress,
  protocol: Parameters<typeof httpUpstream>[0],
): Cluster {
  const address = 'path' in app ? { pipe: { path: app.path } } : socketAddress(app);
  return {
    name,
    type: 'STATIC',
    connect_timeout: '0.25s',
    ...httpUpstream({
      // Node's servers close after 5 s of idleness, most others later: close first, or requests meet a
      // closing connection.
      common_http_protocol_options: { ...upstreamCommon, idle_timeout: '4s' },
      ...protocol,
    }),
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function inboundListener(listen: ListenAddress, log: AccessLogScope): Listener {
  return {
    name: 'inbound',
    address: socketAddress(listen),
    socket_options: clientKeepalive,
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: packAny(
              'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              {
                stat_prefix: 'inbound',
                ...insideHttp,
                // Timeouts are the caller's; one here would cut requests that it still waits for.
                stream_idle_timeout: '0s',
                ...accessLog('inbound', log),
                ...localReplies('inbound'),
                route_config: {
                  name: 'inbound',
                  // Outcome headers come from proxies only; the same names in an application's answer are
                  // copies.
                  response_headers_to_remove: [...ownHeaders],
                  virtual_hosts: [
                    {
                      name: 'app',
                      domains: ['*'],
                      routes: [
                        {
                          match: {
                            prefix: '/',
                            headers: [{ name: appHeader, string_match: { exact: appHttp1 } }],
                          },
                          route: { cluster: appCluster1, timeout: '0s' },
                        },
                        { match: { prefix: '/' }, route: { cluster: appCluster, timeout: '0s' } },
                      ],
                    },
                  ],
                },
                upgrade_configs: upgrades,
                http_filters: [removeIsthmusHeaders, routerFilter],
              },
            ),
          },
        ],
      },
    ],
  };
}

function socketAddress(listen: ListenAddress): envoy.config.core.v3.Address {
  return { socket_address: { address: listen.address, port_value: listen.port } };
}
