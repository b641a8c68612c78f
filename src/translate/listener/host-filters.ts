import type { HttpConnectionManager, RouteConfiguration, VirtualHost } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import { otherHosts, scopeKeyOf } from '../../plan/routes/route-scope.ts';
import type { ListenerRole } from '../../plan/types.ts';
import { adsSource, packAny } from '../message-parts.ts';
import type { HttpFilter } from './http-filter.ts';
import { onMatch } from './marks.ts';

/*
 * Routes by scope (docs/decisions/160-a-route-table-for-each-host.md). Envoy looks a scope up by the text of
 * the host, up to its port. Requests whose host is no key as it stands come to the filters below, and pay for
 * them; all others find a table that leaves the filters out.
 */

/** The name of the filters, by which tables of hosts leave them out. */
const hostsFilter = 'isthmus.hosts';

/** Marks a table of one host: what it has no route for has none. */
const isOwn = 'own';

/**
 * The table of other hosts, in Lua: a host is a suffix there, for the patterns in it. That table ignores what
 * is after the last colon, so there is always something. A pattern needs something before its dot.
 */
const otherTable = `
    if string.sub(host, 1, 1) == "." then host = "" end
    if not string.find(host, ":[^:%]]*$") then host = host .. ":0" end
    host = "${otherHosts}:" .. host`;

/** Whether the table found so far is that of one host, in Lua. */
const ownFound = `handle:virtualHost():metadata():get("${isOwn}") ~= nil`;

/**
 * Picks the route by another host, and puts the given one back: the next hop and the log see what the client
 * wrote. `metadata` looks the route up, but only once in a filter: hence two.
 */
const pick = `
  headers:replace(":authority", host)
  handle:clearRouteCache()
  handle:metadata()
  if given == nil then headers:remove(":authority") else headers:replace(":authority", given) end
end`;

/** A host without capitals has no table of its own; one with may have one without. */
const first = `function envoy_on_request(handle)
  if ${ownFound} then return end
  local headers = handle:headers()
  local given = headers:get(":authority")
  local host = string.lower(given or "")
  if host == (given or "") then${otherTable}
  end${pick}`;

/** A host with capitals for which there was none. */
const second = `function envoy_on_request(handle)
  local headers = handle:headers()
  local given = headers:get(":authority")
  local host = string.lower(given or "")
  if host == (given or "") or ${ownFound} then return end${otherTable}${pick}`;

/** Filters before the router, and before those that use routes; after those that change headers. */
export const hostFilters: readonly HttpFilter[] = [script(first), onCapitals(script(second))];

function script(inline_string: string): HttpFilter {
  return {
    name: hostsFilter,
    typed_config: packAny('envoy.extensions.filters.http.lua.v3.Lua', {
      default_source_code: { inline_string },
      clear_route_cache: false,
    }),
  };
}

/** The filter, for requests whose host has a capital: a script costs a sixth of a request's time. */
function onCapitals(filter: HttpFilter): HttpFilter {
  const input = {
    name: ':authority',
    typed_config: packAny('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', { header_name: ':authority' }),
  };
  const capitals = { safe_regex: { google_re2: {}, regex: '.*[A-Z].*' } };
  return onMatch({ single_predicate: { input, value_match: capitals } }, filter);
}

/** A manager's routes by scope. The host is in the key up to its port. */
export function scopedRoutes(listener: ListenerRole): Pick<HttpConnectionManager, 'scoped_routes'> {
  const host = { header_value_extractor: { name: ':authority', element_separator: ':', index: 0 } };
  return {
    scoped_routes: {
      name: listener,
      scope_key_builder: { fragments: scopeKeyOf(listener, host) },
      rds_config_source: adsSource(),
      scoped_rds: { scoped_rds_config_source: adsSource() },
    },
  };
}

const leftOut = sharedMessage(packAny('envoy.config.route.v3.FilterConfig', { disabled: true }));

/** What a table of one host leaves out: the filters above, and these. */
export function withoutFilters(
  names: readonly string[],
): Pick<RouteConfiguration, 'typed_per_filter_config'> {
  return {
    typed_per_filter_config: Object.fromEntries([hostsFilter, ...names].map((name) => [name, leftOut])),
  };
}

/** What marks the virtual host of a table of one host. */
export const ownHost: Pick<VirtualHost, 'metadata'> = {
  metadata: sharedMessage({ filter_metadata: { [hostsFilter]: { [isOwn]: true } } }),
};
