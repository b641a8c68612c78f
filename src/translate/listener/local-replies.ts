import type { envoy, HttpConnectionManager } from '../../../protos/gen/envoy.d.ts';
import {
  bodyTooLargeOutcome,
  interruptedOutcome,
  noAddressOutcome,
  nobodyFree,
  nobodyHeader,
  nobodyReached,
  nobodyThere as nobodyThereMark,
  noIdcOutcome,
  noWayOut,
  outcomeHeader,
  overloadedOutcome,
  refusedAddressOutcome,
  spillLimitOutcome,
  unknownHostOutcome,
  unsentHeader,
} from '../../model/trail.ts';
import type { ListenerRole } from '../../plan/types.ts';
import { packAny, setHeader } from '../message-parts.ts';
import { failHealthHeader, passthroughCluster } from '../names.ts';
import { isGrpcContent } from '../route/header-matchers.ts';

/** A proxy's HTTP listeners: those with routes, and a sidecar's inbound one. */
export type HttpRole = ListenerRole | 'inbound';

type ResponseMapper = envoy.extensions.filters.network.http_connection_manager.v3.ResponseMapper;
type HeaderOption = envoy.config.core.v3.HeaderValueOption;
type AccessLogFilter = envoy.config.accesslog.v3.AccessLogFilter;

/**
 * Envoy response flags of local replies without a usable host: no healthy host (UH), connection failure to
 * the last one tried (UF), no cluster (NC).
 */
const nobodyLeft = ['UH', 'UF', 'NC'];

/** No host at all, rather than an unreachable one: a retry gets the same answer. */
const nobodyThere = ['UH'];

/**
 * Refused by a circuit breaker before anything was sent: at the peer listener the limit on requests from
 * other IDCs.
 */
const full = ['UO'];

/**
 * A try that broke after it was sent: connection ended (UC), stream reset by the peer (UR) or locally (LR),
 * or invalid HTTP (UPE).
 */
const broken = ['UC', 'UR', 'LR', 'UPE'];

/**
 * Refused by the overload manager (`overload.ts`) before any filter or route. `stop_accepting_requests` sets
 * no response flag, only the details (Envoy, `StreamInfo::ResponseCodeDetails::Overload`).
 */
const overloaded = hasDetails("== 'overload'");

/** Local replies for hosts named by requests (`passthrough.ts`). */
const passthroughReplies: readonly ResponseMapper[] = [
  {
    filter: hasDetails(".startsWith('rbac_access_denied')"),
    headers_to_add: [setHeader(outcomeHeader, refusedAddressOutcome)],
    body: {
      inline_string:
        "isthmus: the address of this host is this machine's own, link-local, reserved or a proxy's: a sidecar passes nothing on to it",
    },
  },
  {
    filter: {
      and_filter: {
        filters: [flagged(nobodyThere), celFilter(`xds.cluster_name == '${passthroughCluster}'`)],
      },
    },
    headers_to_add: [setHeader(outcomeHeader, noAddressOutcome)],
    body: { inline_string: 'isthmus: no Group has this host, and DNS has no address for it' },
  },
  {
    filter: hasDetails("== 'sub_cluster_warming_timeout'"),
    headers_to_add: [setHeader(outcomeHeader, noAddressOutcome)],
    body: { inline_string: 'isthmus: no Group has this host, and DNS does not answer' },
  },
  {
    filter: hasDetails("== 'sub_cluster_overflow'"),
    headers_to_add: [setHeader(outcomeHeader, overloadedOutcome)],
    body: { inline_string: 'isthmus: this sidecar has reached its limit of unknown hosts' },
  },
];

/**
 * Between two tries Envoy buffers the body, and answers this when it outgrows the buffer. The status means
 * the client's storage: others get one that says that no host could serve it now.
 */
const outgrown = 507;

/** No route: in the mesh, this gateway does not know the Group, and another one may. */
const unknownGroup = ['NR'];

/** Listeners for proxies of the mesh only. To them a missing Group is not a 404. */
const meshListeners: readonly HttpRole[] = ['peer', 'sidecar', 'ingress'];

/** Further headers of a listener's own 503s. */
const moreHeaders: Partial<Readonly<Record<HttpRole, readonly HeaderOption[]>>> = {
  // The egress then uses the next IDC at once, for this Group alone; its health checks end that.
  peer: [setHeader(failHealthHeader, 'true')],
};

/**
 * How a listener rewrites its local replies: `x-isthmus-outcome: no-idc` on 503s without a usable host.
 * Between gateways a Group without routes is a 503 too, not Envoy's 404: the previous proxy tries elsewhere.
 * Envoy converts each for gRPC into 200 with grpc-status 14 and the body as message. `interrupted`: a try
 * broke after it was sent; `spill-limit`: an IDC takes no more from others; `body-too-large`: a body could
 * not be buffered for a retry; `overloaded`: memory is nearly full. Refusals of the trail filter have none of
 * these flags, and keep its outcome. An application that is down behind its sidecar counts as no host, as
 * without a sidecar.
 */
export function localReplies(role: HttpRole): Pick<HttpConnectionManager, 'local_reply_config'> {
  const inMesh = meshListeners.includes(role);
  // A previous proxy may retry these with any method: none of the flags means that a try was sent.
  const unsent = [
    ...(inMesh || role === 'inbound' ? [setHeader(unsentHeader, 'true')] : []),
    ...(inMesh ? [setHeader(nobodyHeader, role === 'peer' ? nobodyReached : noWayOut)] : []),
  ];
  const headers = [setHeader(outcomeHeader, noIdcOutcome), ...unsent, ...(moreHeaders[role] ?? [])];
  const mappers: ResponseMapper[] = [{ filter: flagged(nobodyLeft), headers_to_add: headers }];
  mappers.push(
    { filter: overloaded, headers_to_add: [setHeader(outcomeHeader, overloadedOutcome), ...unsent] },
    { filter: flagged(broken), headers_to_add: [setHeader(outcomeHeader, interruptedOutcome)] },
    {
      filter: hasStatus(outgrown),
      status_code: 503,
      headers_to_add: [setHeader(outcomeHeader, bodyTooLargeOutcome)],
    },
  );
  if (role === 'outbound') mappers.unshift(...passthroughReplies);
  // The first match applies. The sending proxy need not retry here (`nobody-there.ts`).
  if (role === 'peer') {
    const more = [...headers, setHeader(nobodyHeader, nobodyThereMark)];
    mappers.unshift({ filter: flagged(nobodyThere), headers_to_add: more });
    // Not unhealthy: no check fails, and nothing is ejected.
    const taken = [
      setHeader(outcomeHeader, spillLimitOutcome),
      ...unsent,
      setHeader(nobodyHeader, nobodyFree),
    ];
    mappers.push({ filter: flagged(full), headers_to_add: taken });
  }
  // Envoy's own 404. A host that is declared has no route for CONNECT alone.
  if (role === 'edge')
    mappers.push({
      filter: {
        and_filter: { filters: [flagged(unknownGroup), celFilter("request.method != 'CONNECT'")] },
      },
      headers_to_add: [setHeader(outcomeHeader, unknownHostOutcome)],
    });
  if (inMesh) {
    mappers.push({
      filter: flagged(unknownGroup),
      status_code: 503,
      body: { inline_string: `isthmus: no route to this Group at ${role}` },
      headers_to_add: headers,
    });
  }
  return { local_reply_config: { mappers: inMesh ? mappers.flatMap(bodyForGrpcAlone) : mappers } };
}

/**
 * A retrying proxy resets the rest of the previous answer, and HTTP/2 allows a connection 33 resets a second
 * (1,000 at first) before it is closed with all its streams
 * (docs/decisions/038-told-once-that-nobody-is-there.md). So gateways answer retried requests without body.
 * gRPC is not retried, and takes the body as message.
 */
function bodyForGrpcAlone(mapper: ResponseMapper): ResponseMapper[] {
  const filters = [mapper.filter ?? {}, isGrpc];
  return [
    { ...mapper, filter: { and_filter: { filters } } },
    { ...mapper, body: { inline_string: '' } },
  ];
}

const isGrpc: AccessLogFilter = { header_filter: { header: isGrpcContent } };

/**
 * Local replies with certain details (Envoy, "Response code details"); `is`: the rest of a CEL expression.
 */
function hasDetails(is: string): AccessLogFilter {
  return celFilter(`response.code_details${is.startsWith('.') ? '' : ' '}${is}`);
}

function celFilter(expression: string): AccessLogFilter {
  return {
    extension_filter: {
      name: 'envoy.access_loggers.extension_filters.cel',
      typed_config: packAny('envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter', {
        expression,
      }),
    },
  };
}

function hasStatus(status: number): AccessLogFilter {
  const value = { default_value: status, runtime_key: 'isthmus.outgrown_status' };
  return { status_code_filter: { comparison: { op: 'EQ', value } } };
}

function flagged(flags: readonly string[]): AccessLogFilter {
  return { response_flag_filter: { flags } };
}
