import type { envoy, Route } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import {
  egress,
  nobodyFree,
  nobodyHeader,
  nobodyThere,
  noIdcOutcome,
  outcomeHeader,
  spillLimitOutcome,
  unsentHeader,
} from '../../model/trail.ts';
import type { GroupPlan } from '../../plan/types.ts';
import { any } from '../any.ts';
import { metadataNamespace } from '../listener/edge-filters.ts';
import type { HttpFilter } from '../listener/http-filter.ts';
import { believeProxies, upstreamCodec, whereAnswered } from '../listener/marks.ts';

type HeaderOption = envoy.config.core.v3.HeaderValueOption;

/**
 * Keeps for a request what one of its tries was told. Of the filters that see each try just Lua can write
 * metadata.
 */
const remember = `function envoy_on_response(handle)
  handle:streamInfo():dynamicMetadata():set("${metadataNamespace}", "nobody", handle:headers():get("${nobodyHeader}"))
end`;

/** What an egress says that has asked all IDCs it may: nobody is there, or nobody with room. */
const askedAll = `(${egress}-)+(${nobodyThere}|${nobodyFree})`;

/**
 * Filters of a proxy that may try both at home and by its egress; they see each try, and not just the
 * request. They tell the next try what an earlier one was told: that nobody is in any other IDC. What a
 * client sends under that name is taken off.
 */
const tryFilters: readonly HttpFilter[] = [
  {
    name: 'isthmus.tell_nobody',
    typed_config: any('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
      mutations: {
        request_mutations: [
          { remove: nobodyHeader },
          // Nothing is added while nothing was told.
          { append: set(nobodyHeader, `%DYNAMIC_METADATA(${metadataNamespace}:nobody)%`) },
        ],
      },
    }),
  },
  // The script costs a sixth of a request's CPU.
  whereAnswered(
    nobodyHeader,
    { safe_regex: { google_re2: {}, regex: askedAll } },
    {
      name: 'isthmus.remember_nobody',
      typed_config: any('envoy.extensions.filters.http.lua.v3.Lua', {
        default_source_code: { inline_string: remember },
      }),
    },
  ),
  ...believeProxies,
  upstreamCodec,
];

/**
 * The router of a first proxy, and of a peer listener, which may hand on. Its filters for tries stand here,
 * one script for all Groups: those of a cluster would count where they are the route's own, which is one for
 * each Group.
 */
export const tryingRouter: HttpFilter = {
  name: 'envoy.filters.http.router',
  typed_config: any('envoy.extensions.filters.http.router.v3.Router', { upstream_http_filters: tryFilters }),
};

/**
 * The egress's answers to a try that needs not cross, since an earlier one asked every IDC and found nobody
 * there, or nobody with room. The proxy before may still find somebody at home
 * (docs/decisions/038-told-once-that-nobody-is-there.md).
 */
export function buildVainRoutes({ crossing }: GroupPlan): readonly Route[] {
  return crossing === undefined || crossing.permits === 'all' ? [] : vainRoutes;
}

function set(key: string, value: string): HeaderOption {
  return { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

/** One object each for all Groups: encoded once. */
const vainRoutes: readonly Route[] = [
  answerTo(nobodyFree, spillLimitOutcome),
  answerTo(nobodyThere, noIdcOutcome),
];

function answerTo(told: string, outcome: string): Route {
  return sharedMessage<Route>({
    match: { prefix: '/', headers: [{ name: nobodyHeader, string_match: { suffix: told } }] },
    direct_response: { status: 503 },
    response_headers_to_add: [
      set(outcomeHeader, outcome),
      set(nobodyHeader, told),
      set(unsentHeader, 'true'),
    ],
  });
}
