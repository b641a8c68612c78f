import type { Route } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import {
  egressPrefix,
  nobodyFree,
  nobodyHeader,
  nobodyThere,
  noIdcOutcome,
  outcomeHeader,
  spillLimitOutcome,
  unsentHeader,
} from '../../model/trail.ts';
import type { GroupPlan } from '../../plan/types.ts';
import { metadataNamespace } from '../listener/edge-filters.ts';
import type { HttpFilter } from '../listener/http-filter.ts';
import { onResponseHeader, proxyMarkFilters, upstreamCodec } from '../listener/marks.ts';
import { packAny, setHeader } from '../message-parts.ts';

/** Saves the answer of a try for the request. Only Lua, of the upstream filters, can write metadata. */
const remember = `function envoy_on_response(handle)
  handle:streamInfo():dynamicMetadata():set("${metadataNamespace}", "nobody", handle:headers():get("${nobodyHeader}"))
end`;

/** An egress's answer after asking all permitted IDCs: no hosts, or none with capacity. */
const askedAll = `(${egressPrefix}-)+(${nobodyThere}|${nobodyFree})`;

/**
 * Upstream filters of a proxy that may try both local instances and its egress; they see each try. They add
 * to a try what an earlier one was answered: that no other IDC has a host. The same header from a client is
 * removed.
 */
const tryFilters: readonly HttpFilter[] = [
  {
    name: 'isthmus.tell_nobody',
    typed_config: packAny('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
      mutations: {
        request_mutations: [
          { remove: nobodyHeader },
          // An empty value adds nothing.
          { append: setHeader(nobodyHeader, `%DYNAMIC_METADATA(${metadataNamespace}:nobody)%`) },
        ],
      },
    }),
  },
  // Conditional: the script costs a sixth of a request's CPU.
  onResponseHeader(
    nobodyHeader,
    { safe_regex: { google_re2: {}, regex: askedAll } },
    {
      name: 'isthmus.remember_nobody',
      typed_config: packAny('envoy.extensions.filters.http.lua.v3.Lua', {
        default_source_code: { inline_string: remember },
      }),
    },
  ),
  ...proxyMarkFilters,
  upstreamCodec,
];

/**
 * Router of the first proxy, and of a peer listener that may hand on. The per-try filters are set on the
 * router, not on the cluster, so that one script serves all Groups.
 */
export const firstProxyRouter: HttpFilter = {
  name: 'envoy.filters.http.router',
  typed_config: packAny('envoy.extensions.filters.http.router.v3.Router', {
    upstream_http_filters: tryFilters,
  }),
};

/**
 * Answers a retry locally when an earlier try found no instance, or none with capacity, in any peer IDC. The
 * previous proxy may still find a local one (docs/decisions/038-told-once-that-nobody-is-there.md).
 */
export function buildNobodyThereRoutes({ crossing }: GroupPlan): readonly Route[] {
  return crossing === undefined || crossing.permits === 'all' ? [] : nobodyThereRoutes;
}

/** One object each for all Groups: encoded once. */
const nobodyThereRoutes: readonly Route[] = [
  answerTo(nobodyFree, spillLimitOutcome),
  answerTo(nobodyThere, noIdcOutcome),
];

function answerTo(told: string, outcome: string): Route {
  return sharedMessage<Route>({
    match: { prefix: '/', headers: [{ name: nobodyHeader, string_match: { suffix: told } }] },
    direct_response: { status: 503 },
    response_headers_to_add: [
      setHeader(outcomeHeader, outcome),
      setHeader(nobodyHeader, told),
      setHeader(unsentHeader, 'true'),
    ],
  });
}
