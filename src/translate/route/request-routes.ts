import type { envoy, Route } from '../../../protos/gen/envoy.d.ts';
import { atOnce } from '../../plan/retries/retry.ts';
import type { Path, RetryPlan } from '../../plan/types.ts';
import { protoDuration } from '../any.ts';
import { mirroredHeader } from '../names.ts';
import { buildRetry } from './retry.ts';

type RouteMatch = envoy.config.route.v3.RouteMatch;
type RouteAction = envoy.config.route.v3.RouteAction;
export type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;

/** What the routes of one path have in common. */
interface Common {
  readonly cluster: string;
  readonly retry: RetryPlan;
  readonly idempotent: RouteAction;
  readonly other: RouteAction;
  /** For requests whose body is larger than what is kept. */
  readonly large: RouteAction;
  readonly isLarge: HeaderMatcher;
  /** Further headers that a request must have. */
  readonly headers: readonly HeaderMatcher[];
  /** What the instance is chosen by. */
  readonly hashing: RouteAction;
  /** Absent at the proxies after the first: its limit ends what they have too. */
  readonly idleTimeoutMs?: number;
  /** Whether the bound on what comes from other IDCs does not hold. */
  readonly isOwn: boolean;
  readonly mirror?: RequestRoutes['mirror'];
}

/** Which requests to route, and how. */
interface RequestRoutes {
  readonly cluster: string;
  readonly path: Path;
  /** Whether a further try may go to another priority. */
  readonly movesOn: boolean;
  /** Headers that a request must have, whatever else it is. */
  readonly headers?: readonly HeaderMatcher[];
  /** The retries of the virtual host: routes that have none of their own get them. */
  readonly inherited: RouteAction;
  /** What the instance is chosen by. */
  readonly hashing: RouteAction;
  /** A stream without a byte in either direction, at the first proxy; 0: no limit. */
  readonly idleTimeoutMs: number;
  /** A body that is said to be larger than this cannot be sent again once it was sent. */
  readonly retryBodyBytes: number;
  /**
   * Where reads are sent as well, their answers thrown away, and which share of them, percent; absent:
   * nowhere.
   */
  readonly mirror?: { readonly cluster: string; readonly percent: number };
}

/**
 * Routes by what a request allows, first match wins: idempotent methods may be sent twice, anything else only
 * when it was never sent. Only the first proxy holds the time; the others have fewer kinds to tell apart.
 */
export function buildRequestRoutes(options: RequestRoutes): Route[] {
  const { cluster, path, movesOn, headers = [], inherited, idleTimeoutMs } = options;
  const own = (action: RouteAction) => (action === inherited ? {} : action);
  const common: Common = {
    cluster,
    retry: path.retry,
    idempotent: own(buildRetry(path.retry.idempotent, movesOn)),
    other: own(buildRetry(path.retry.other, movesOn)),
    large: buildRetry(atOnce(path.retry.other), movesOn),
    isLarge: isLongerThan(options.retryBodyBytes),
    headers,
    hashing: options.hashing,
    isOwn: path.listener === 'edge',
    ...(options.mirror && { mirror: options.mirror }),
  };
  const isFirst = path.listener === 'outbound' || path.listener === 'edge';
  return isFirst ? firstProxy({ ...common, idleTimeoutMs }) : laterProxy(common);
}

const wantsEvents: HeaderMatcher = { name: 'accept', string_match: { contains: 'text/event-stream' } };
const isUpgrade: HeaderMatcher = { name: 'upgrade', present_match: true };
/** What gRPC's own matcher leaves out. */
const isGrpcWeb: HeaderMatcher = {
  name: 'content-type',
  string_match: { prefix: 'application/grpc-web' },
};
const isGrpc: HeaderMatcher = { name: 'content-type', string_match: { prefix: 'application/grpc' } };

/** By what the request says of itself: of a chunked body nobody knows. */
function isLongerThan(bytes: number): HeaderMatcher {
  return { name: 'content-length', range_match: { start: String(bytes + 1), end: String(2n ** 63n - 1n) } };
}

function isOneOf(methods: readonly string[]): HeaderMatcher {
  return { name: ':method', string_match: { safe_regex: { regex: methods.join('|') } } };
}

/** What changes nothing, and may be sent to somebody more. */
const readMethods = ['GET', 'HEAD'] as const;

/**
 * Sends a share of the requests to this cluster as well, marked; whose answers are thrown away. The host
 * stays as it is.
 */
function mirrorTo({ cluster, percent }: NonNullable<RequestRoutes['mirror']>): RouteAction {
  const header = { key: mirroredHeader, value: 'isthmus' };
  return {
    request_mirror_policies: [
      {
        cluster,
        runtime_fraction: { default_value: { numerator: percent, denominator: 'HUNDRED' } },
        disable_shadow_host_suffix_append: true,
        request_headers_mutations: [{ append: { header, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' } }],
      },
    ],
  };
}

/**
 * The whole request's limit, where a Group has one, does not hold for gRPC, gRPC-Web, upgrades and event
 * streams.
 */
function firstProxy(common: Common): Route[] {
  const { idempotent, other, large, isLarge, retry, mirror } = common;
  const { idempotentMethods: methods, timeoutMs } = retry;
  // Event streams, and gRPC-Web, have routes of their own for just that; nor are they mirrored, as nobody
  // would end the second one.
  const streams = timeoutMs === 0 && mirror === undefined ? [] : [wantsEvents, isGrpcWeb];
  const reads = readMethods.filter((method) => methods.includes(method));
  return [
    // The client's grpc-timeout holds instead.
    route(common, { grpc: {} }, { ...other, max_stream_duration: { grpc_timeout_header_max: '0s' } }, 0),
    route(common, { headers: [isUpgrade] }, other, 0),
    route(common, { headers: [isLarge] }, large, timeoutMs),
    ...(methods.length === 0
      ? []
      : [
          ...streams.map((stream) => route(common, { headers: [isOneOf(methods), stream] }, idempotent, 0)),
          ...(mirror === undefined || reads.length === 0
            ? []
            : [
                route(
                  common,
                  { headers: [isOneOf(reads)] },
                  { ...idempotent, ...mirrorTo(mirror) },
                  timeoutMs,
                ),
              ]),
          route(common, { headers: [isOneOf(methods)] }, idempotent, timeoutMs),
        ]),
    ...streams.map((stream) => route(common, { headers: [stream] }, other, 0)),
    route(common, {}, other, timeoutMs),
  ];
}

/** Without time limits, all that is not idempotent is alike. */
function laterProxy(common: Common): Route[] {
  const { idempotent, other, large, isLarge, retry } = common;
  const methods = retry.idempotentMethods;
  const first = route(common, { headers: [isLarge] }, large, 0);
  const rest = route(common, {}, other, 0);
  if (methods.length === 0 || idempotent === other) return [first, rest];
  // What may last long without an answer is not started a second time: upgrades, and gRPC where POST counts
  // as idempotent.
  const but = [isUpgrade, ...(methods.includes('POST') ? [isGrpc] : [])];
  const headers = [isOneOf(methods), ...but.map((header) => ({ ...header, invert_match: true }))];
  return [first, route(common, { headers }, idempotent, 0), rest];
}

function route(
  { cluster, headers, hashing, idleTimeoutMs, isOwn }: Common,
  match: Pick<RouteMatch, 'grpc' | 'headers'>,
  action: RouteAction,
  timeoutMs: number,
): Route {
  const all = [...headers, ...(match.headers ?? [])];
  return {
    match: {
      prefix: '/',
      ...(match.grpc === undefined ? {} : { grpc: match.grpc }),
      ...(all.length === 0 ? {} : { headers: all }),
    },
    route: {
      cluster,
      timeout: protoDuration(timeoutMs),
      // Breakers of its own: clients of this IDC find room whatever other IDCs send.
      ...(isOwn ? { priority: 'HIGH' } : {}),
      ...(idleTimeoutMs === undefined ? {} : { idle_timeout: protoDuration(idleTimeoutMs) }),
      ...hashing,
      ...action,
    },
  };
}
