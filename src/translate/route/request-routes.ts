import type { envoy, Route } from '../../../protos/gen/envoy.d.ts';
import { withoutPause } from '../../plan/retries/retry.ts';
import type { Path, RetryPlan } from '../../plan/types.ts';
import { protoDuration, setHeader } from '../message-parts.ts';
import { mirroredHeader } from '../names.ts';
import { type HeaderMatcher, isGrpcContent } from './header-matchers.ts';
import { buildRetry } from './retry.ts';

type RouteMatch = envoy.config.route.v3.RouteMatch;
type RouteAction = envoy.config.route.v3.RouteAction;

/** Common properties of a path's routes. */
interface Common {
  readonly cluster: string;
  readonly retry: RetryPlan;
  readonly idempotent: RouteAction;
  readonly other: RouteAction;
  /** For requests with a body larger than the retry buffer. */
  readonly large: RouteAction;
  readonly isLarge: HeaderMatcher;
  /** Further required headers. */
  readonly headers: readonly HeaderMatcher[];
  /** The hash policy. */
  readonly hashing: RouteAction;
  /** Absent after the first proxy, whose timeout applies to all. */
  readonly idleTimeoutMs?: number;
  /** Whether the limit on requests from other IDCs does not apply. */
  readonly isOwn: boolean;
  readonly mirror?: RequestRoutes['mirror'];
}

/** Which requests to route, and how. */
interface RequestRoutes {
  readonly cluster: string;
  readonly path: Path;
  /** Whether a retry may use another priority. */
  readonly movesOn: boolean;
  /** Required headers of all requests. */
  readonly headers?: readonly HeaderMatcher[];
  /** The virtual host's retry policy, for routes without one. */
  readonly inherited: RouteAction;
  /** The hash policy. */
  readonly hashing: RouteAction;
  /** Stream idle timeout at the first proxy; 0: none. */
  readonly idleTimeoutMs: number;
  /** A body with a declared length above this cannot be retried once it was sent. */
  readonly retryBodyBytes: number;
  /** Where reads are mirrored, and which percentage; absent: nowhere. */
  readonly mirror?: { readonly cluster: string; readonly percent: number };
}

/**
 * Routes by kind of request, first match applies: idempotent methods may be retried after being sent, others
 * only if never sent. Only the first proxy has timeouts; the others distinguish fewer kinds.
 */
export function buildRequestRoutes(options: RequestRoutes): Route[] {
  const { cluster, path, movesOn, headers = [], inherited, idleTimeoutMs } = options;
  const own = (action: RouteAction) => (action === inherited ? {} : action);
  const common: Common = {
    cluster,
    retry: path.retry,
    idempotent: own(buildRetry(path.retry.idempotent, movesOn)),
    other: own(buildRetry(path.retry.other, movesOn)),
    large: buildRetry(withoutPause(path.retry.other), movesOn),
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
/** Not covered by the gRPC matcher. */
const isGrpcWeb: HeaderMatcher = {
  name: 'content-type',
  string_match: { prefix: 'application/grpc-web' },
};

/** By declared length; the length of a chunked body is unknown. */
function isLongerThan(bytes: number): HeaderMatcher {
  return { name: 'content-length', range_match: { start: String(bytes + 1), end: String(2n ** 63n - 1n) } };
}

function isOneOf(methods: readonly string[]): HeaderMatcher {
  return { name: ':method', string_match: { safe_regex: { regex: methods.join('|') } } };
}

/** Safe to send to a second host. */
const readMethods = ['GET', 'HEAD'] as const;

/**
 * Mirrors a percentage of requests to this cluster, marked; answers are dropped. The host header is
 * unchanged.
 */
function mirrorTo({ cluster, percent }: NonNullable<RequestRoutes['mirror']>): RouteAction {
  return {
    request_mirror_policies: [
      {
        cluster,
        runtime_fraction: { default_value: { numerator: percent, denominator: 'HUNDRED' } },
        disable_shadow_host_suffix_append: true,
        request_headers_mutations: [{ append: setHeader(mirroredHeader, 'isthmus') }],
      },
    ],
  };
}

/** A Group's request timeout does not apply to gRPC, gRPC-Web, upgrades and event streams. */
function firstProxy(common: Common): Route[] {
  const { idempotent, other, large, isLarge, retry, mirror } = common;
  const { idempotentMethods: methods, timeoutMs } = retry;
  // Event streams and gRPC-Web need their own routes for that alone; they are not mirrored, as the mirrored
  // stream would never end.
  const streams = timeoutMs === 0 && mirror === undefined ? [] : [wantsEvents, isGrpcWeb];
  const reads = readMethods.filter((method) => methods.includes(method));
  return [
    // The client's grpc-timeout applies instead.
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

/** Without timeouts all non-idempotent requests are alike. */
function laterProxy(common: Common): Route[] {
  const { idempotent, other, large, isLarge, retry } = common;
  const methods = retry.idempotentMethods;
  const first = route(common, { headers: [isLarge] }, large, 0);
  const rest = route(common, {}, other, 0);
  if (methods.length === 0 || idempotent === other) return [first, rest];
  // Requests that may last long without an answer are not hedged: upgrades, and gRPC where POST counts as
  // idempotent.
  const but = [isUpgrade, ...(methods.includes('POST') ? [isGrpcContent] : [])];
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
      // Separate circuit breakers: local clients have capacity whatever other IDCs send.
      ...(isOwn ? { priority: 'HIGH' } : {}),
      ...(idleTimeoutMs === undefined ? {} : { idle_timeout: protoDuration(idleTimeoutMs) }),
      ...hashing,
      ...action,
    },
  };
}
