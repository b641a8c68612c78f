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
  unsentHeader,
} from '../../model/trail.ts';
import type { ListenerRole } from '../../plan/types.ts';
import { any } from '../any.ts';
import { failHealthHeader, passthroughCluster } from '../names.ts';

/** Every listener of a proxy that speaks HTTP: those with routes, and a sidecar's for its workload. */
export type HttpRole = ListenerRole | 'inbound';

type ResponseMapper = envoy.extensions.filters.network.http_connection_manager.v3.ResponseMapper;
type HeaderOption = envoy.config.core.v3.HeaderValueOption;
type AccessLogFilter = envoy.config.accesslog.v3.AccessLogFilter;

/**
 * What marks an answer of the proxy's own that means "nobody is left, or nobody is healthy", as Envoy's
 * response flags: no healthy host (UH), no connection to the last one that was tried (UF), no cluster (NC).
 */
const nobodyLeft = ['UH', 'UF', 'NC'];

/**
 * Nobody is there at all, as opposed to somebody who could not be reached: whoever asks again gets the same
 * answer.
 */
const nobodyThere = ['UH'];

/**
 * A breaker refused it before anything was sent: at the peer listener what this IDC takes of others is in
 * work already.
 */
const full = ['UO'];

/**
 * Somebody was there, and the try broke: the connection ended (UC), the stream was reset from there (UR) or
 * from here (LR), or what came was no HTTP (UPE).
 */
const broken = ['UC', 'UR', 'LR', 'UPE'];

/**
 * The overload manager refused it (`overload.ts`), before a filter or a route was looked at. The action
 * `stop_accepting_requests` sets no response flag, just the details (Envoy,
 * `StreamInfo::ResponseCodeDetails::Overload`).
 */
const overloaded = hasDetails("== 'overload'");

/** What stands in Envoy's way to a host that a request alone names (`passthrough.ts`). */
const passthroughReplies: readonly ResponseMapper[] = [
  {
    filter: hasDetails(".startsWith('rbac_access_denied')"),
    headers_to_add: [header(outcomeHeader, refusedAddressOutcome)],
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
    headers_to_add: [header(outcomeHeader, noAddressOutcome)],
    body: { inline_string: 'isthmus: no Group has this host, and DNS has no address for it' },
  },
  {
    filter: hasDetails("== 'sub_cluster_warming_timeout'"),
    headers_to_add: [header(outcomeHeader, noAddressOutcome)],
    body: { inline_string: 'isthmus: no Group has this host, and DNS does not answer' },
  },
  {
    filter: hasDetails("== 'sub_cluster_overflow'"),
    headers_to_add: [header(outcomeHeader, overloadedOutcome)],
    body: { inline_string: 'isthmus: this sidecar knows as many hosts as it may' },
  },
];

/**
 * While no try is under way Envoy takes the body on, and answers this when it outgrows what is kept. The
 * client's storage is not meant: to everybody else the request met nobody who could serve it now.
 */
const outgrown = 507;

/** No route: within the mesh it says that this gateway does not know the Group, which another one may. */
const unknownGroup = ['NR'];

/** Listeners to which only proxies of the mesh talk. To them a missing Group is not a missing page. */
const meshListeners: readonly HttpRole[] = ['peer', 'sidecar', 'ingress'];

/** Headers of a listener's own 503s besides the outcome. */
const moreHeaders: Partial<Readonly<Record<HttpRole, readonly HeaderOption[]>>> = {
  // The egress that hears it goes to the next IDC at once, for this Group alone; its checks lead it back.
  peer: [header(failHealthHeader, 'true')],
};

/**
 * How a listener words the answers that it gives itself: `x-isthmus-outcome: no-idc` on its 503s when nobody
 * is left. Between gateways a Group without routes is a 503 too, and not Envoy's 404: the proxy before tries
 * elsewhere. To a gRPC request Envoy turns each of them into 200 with grpc-status 14 and the body as its
 * message. `interrupted` where a try broke after it was sent, `spill-limit` where an IDC takes no more from
 * others, `body-too-large` where a body could not be kept for the next one, `overloaded` where memory is
 * nearly full. What the trail
 * filter refused keeps the outcome that the filter gave it: it has none of these flags. An application that
 * is down behind its sidecar is nobody too, as it would be without one.
 */
export function localReplies(role: HttpRole): Pick<HttpConnectionManager, 'local_reply_config'> {
  const inMesh = meshListeners.includes(role);
  // A proxy comes before it, and may try elsewhere whatever the method: none of these flags stands for a try
  // that was sent.
  const unsent = [
    ...(inMesh || role === 'inbound' ? [header(unsentHeader, 'true')] : []),
    ...(inMesh ? [header(nobodyHeader, role === 'peer' ? nobodyReached : noWayOut)] : []),
  ];
  const headers = [header(outcomeHeader, noIdcOutcome), ...unsent, ...(moreHeaders[role] ?? [])];
  const mappers: ResponseMapper[] = [{ filter: flagged(nobodyLeft), headers_to_add: headers }];
  mappers.push(
    { filter: overloaded, headers_to_add: [header(outcomeHeader, overloadedOutcome), ...unsent] },
    { filter: flagged(broken), headers_to_add: [header(outcomeHeader, interruptedOutcome)] },
    {
      filter: hasStatus(outgrown),
      status_code: 503,
      headers_to_add: [header(outcomeHeader, bodyTooLargeOutcome)],
    },
  );
  if (role === 'outbound') mappers.unshift(...passthroughReplies);
  // The first mapper that fits counts. The proxy that sent it here need not ask again (`nobody-there.ts`).
  if (role === 'peer') {
    const more = [...headers, header(nobodyHeader, nobodyThereMark)];
    mappers.unshift({ filter: flagged(nobodyThere), headers_to_add: more });
    // Nothing here says that anybody is ill: no check fails, and nobody is ejected.
    const taken = [header(outcomeHeader, spillLimitOutcome), ...unsent, header(nobodyHeader, nobodyFree)];
    mappers.push({ filter: flagged(full), headers_to_add: taken });
  }
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
 * A proxy that tries again resets what still comes of the answer before, and HTTP/2 takes 33 resets a second
 * of a connection (1,000 at first), then ends it with all that is on it
 * (docs/decisions/038-told-once-that-nobody-is-there.md). So to what is tried again gateways answer in
 * headers alone. gRPC is not, and takes the body as its message.
 */
function bodyForGrpcAlone(mapper: ResponseMapper): ResponseMapper[] {
  const filters = [mapper.filter ?? {}, isGrpc];
  return [
    { ...mapper, filter: { and_filter: { filters } } },
    { ...mapper, body: { inline_string: '' } },
  ];
}

const isGrpc: AccessLogFilter = {
  header_filter: { header: { name: 'content-type', string_match: { prefix: 'application/grpc' } } },
};

/** A header that replaces any of its name. */
function header(key: string, value: string): HeaderOption {
  return { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

/**
 * Answers of the proxy's own for a reason (Envoy, "Response code details"); `is` goes on with a CEL
 * expression.
 */
function hasDetails(is: string): AccessLogFilter {
  return celFilter(`response.code_details${is.startsWith('.') ? '' : ' '}${is}`);
}

function celFilter(expression: string): AccessLogFilter {
  return {
    extension_filter: {
      name: 'envoy.access_loggers.extension_filters.cel',
      typed_config: any('envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter', { expression }),
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
