import type { HttpConnectionManager, Listener } from '../../../protos/gen/envoy.d.ts';
import type { EdgePolicy } from '../../model/idc.ts';
import type { AccessLogScope } from '../../model/node.ts';
import { outcomeHeader, trailHeader, visitedHeader } from '../../model/trail.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import type { ListenerRole } from '../../plan/types.ts';
import { edgeHttp, insideHttp, workloadHttp } from '../leniency.ts';
import { packAny } from '../message-parts.ts';
import { headerPrefix, visitedKey } from '../names.ts';
import type { PeerChain } from '../peers/peer-chains.ts';
import { firstProxyRouter } from '../route/nobody-there.ts';
import { upgrades } from '../upgrades.ts';
import { jsonAccessLog } from './access-log.ts';
import { type ClientChain, clientChains, clientFilters, fromWorkload } from './client-address.ts';
import { outcomeInMetadata } from './edge-filters.ts';
import { scopedRoutes } from './host-filters.ts';
import type { HttpFilter } from './http-filter.ts';
import { type HttpRole, localReplies } from './local-replies.ts';
import { tlsInspector } from './tcp-listener.ts';

/** The last HTTP filter of a chain. */
export const routerFilter: HttpFilter = {
  name: 'envoy.filters.http.router',
  typed_config: packAny('envoy.extensions.filters.http.router.v3.Router', {}),
};

const removeOwn = { remove_on_match: { key_matcher: { prefix: headerPrefix, ignore_case: true } } };

/** Removes every `x-isthmus-*` request header: applications copy headers, and a trail must not be copied. */
export const removeIsthmusHeaders: HttpFilter = {
  name: 'isthmus.remove_headers',
  typed_config: packAny('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
    mutations: { request_mutations: [removeOwn] },
  }),
};

/**
 * Passes the visited set, as named by the trail filter, to the load balancer, which uses only endpoints
 * permitted for that set. Routes do not contain the sets, and do not grow with them
 * (docs/decisions/005-visited-sets-choose-endpoints.md).
 */
export const visitedToMetadata: HttpFilter = {
  name: 'isthmus.visited_to_metadata',
  typed_config: packAny('envoy.extensions.filters.http.header_to_metadata.v3.Config', {
    request_rules: [
      {
        header: visitedHeader,
        on_header_present: { metadata_namespace: 'envoy.lb', key: visitedKey, type: 'STRING' },
      },
    ],
  }),
};

/** An access log of requests, one JSON line each; none without a file. */
export function accessLog(listener: HttpRole, { accessLog: file, accessLogHeaders = [] }: AccessLogScope) {
  const headers = Object.fromEntries(accessLogHeaders.map((name) => [name, `%REQ(${name})%`]));
  const fields = {
    listener,
    method: '%REQ(:METHOD)%',
    path: '%REQ(:PATH)%',
    authority: '%REQ(:AUTHORITY)%',
    status: '%RESPONSE_CODE%',
    flags: '%RESPONSE_FLAGS%',
    details: '%RESPONSE_CODE_DETAILS%',
    duration: '%DURATION%',
    trail: `%REQ(${trailHeader})%`,
    outcome: listener === 'edge' ? outcomeInMetadata : `%RESP(${outcomeHeader})%`,
    request_id: '%REQ(X-REQUEST-ID)%',
    upstream_host: '%UPSTREAM_HOST%',
    upstream_cluster: '%UPSTREAM_CLUSTER%',
    attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
    downstream_remote: '%DOWNSTREAM_REMOTE_ADDRESS%',
    downstream_direct_remote: '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%',
    ...(accessLogHeaders.length === 0 ? {} : { headers }),
  };
  return jsonAccessLog(fields, file);
}

/**
 * TCP keepalive towards clients: an idle stream may last, but one whose client has silently gone must end. A
 * live client's kernel answers, whatever its program does. Numbers are Linux's (tcp(7), socket(7)).
 */
export const clientKeepalive: NonNullable<Listener['socket_options']> = [
  { description: 'SO_KEEPALIVE', level: '1', name: '9', int_value: '1' },
  { description: 'TCP_KEEPIDLE', level: '6', name: '4', int_value: '60' },
  { description: 'TCP_KEEPINTVL', level: '6', name: '5', int_value: '10' },
  { description: 'TCP_KEEPCNT', level: '6', name: '6', int_value: '3' },
];

/** Options of an HTTP listener. */
interface HttpListener {
  readonly role: ListenerRole;
  readonly listen: ListenAddress;
  readonly log: AccessLogScope;
  /** Filters before the router. */
  readonly filters: readonly HttpFilter[];
  /** The Idc's edge policy; for the edge only. */
  readonly edge?: EdgePolicy;
  /** The ways in; default: one for all. */
  readonly ways?: readonly PeerChain[];
}

/** A listener whose routes are found by scope. */
export function buildHttpListener(options: HttpListener): Listener {
  const { role, listen, edge = {}, ways = [] } = options;
  const chains = chainsOf(options);
  // One that tells TLS from plaintext where there is a choice, or will be none.
  const filters =
    role === 'edge' ? clientFilters(edge) : ways.some(({ isTls }) => isTls) ? [tlsInspector] : [];
  return {
    name: role,
    address: { socket_address: { address: listen.address, port_value: listen.port } },
    per_connection_buffer_limit_bytes: 32_768,
    socket_options: clientKeepalive,
    ...(filters.length === 0 ? {} : { listener_filters: filters }),
    filter_chains: chains.map(({ match, manager, socket = {} }) => ({
      ...(match === undefined ? {} : { filter_chain_match: match }),
      ...socket,
      filters: [
        {
          name: 'envoy.filters.network.http_connection_manager',
          typed_config: packAny(
            'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
            { ...buildManager(options), ...manager },
          ),
        },
      ],
    })),
  };
}

interface HttpChain {
  readonly match?: ClientChain['match'];
  readonly manager: Partial<HttpConnectionManager>;
  readonly socket?: PeerChain['socket'];
}

function chainsOf(options: HttpListener): readonly HttpChain[] {
  const { role, edge = {}, filters, ways = [] } = options;
  if (role === 'edge') return clientChains(edge);
  if (ways.length === 0) return [{ manager: role === 'outbound' ? fromWorkload : {} }];
  return ways.map(({ match, socket, filters: before, isTls }) => {
    const { http_filters, stat_prefix } = buildManager({ ...options, filters: [...before, ...filters] });
    return {
      ...(match === undefined ? {} : { match }),
      ...(socket === undefined ? {} : { socket }),
      manager: { ...(http_filters && { http_filters }), stat_prefix: isTls ? `${role}-tls` : stat_prefix },
    };
  });
}

function buildManager({ role, edge, filters, log }: HttpListener): HttpConnectionManager {
  const isFirst = role === 'outbound' || role === 'edge';
  return {
    stat_prefix: role,
    codec_type: 'AUTO',
    ...(role === 'edge'
      ? { ...edgeHttp(edge ?? {}), ...edgeTimes }
      : { ...(role === 'outbound' ? workloadHttp : insideHttp), ...insideTimes }),
    ...accessLog(role, log),
    ...localReplies(role),
    ...scopedRoutes(role),
    upgrade_configs: upgrades,
    http_filters: [...filters, isFirst || role === 'peer' ? firstProxyRouter : routerFilter],
  };
}

/** Timeouts are the first proxy's: an idle stream may stay. */
const insideTimes: Partial<HttpConnectionManager> = { stream_idle_timeout: '0s' };

/** Only headers have a deadline: a slow body is alive. Idle timeouts are in each Group's routes. */
const edgeTimes: Partial<HttpConnectionManager> = {
  request_headers_timeout: '10s',
  stream_idle_timeout: '3600s',
};
