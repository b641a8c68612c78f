import type { envoy, HttpConnectionManager } from '../../../protos/gen/envoy.d.ts';
import type { EdgePolicy } from '../../model/idc.ts';
import { nobodyHeader, outcomeHeader, unsentHeader } from '../../model/trail.ts';
import { any } from '../any.ts';
import { crossingCheckHeader } from '../names.ts';
import { appHeader } from '../sidecar.ts';

type Filter = envoy.config.listener.v3.ListenerFilter;
type Match = envoy.config.listener.v3.FilterChainMatch;

/** Who a client of the edge is, for connections that match: the filter chains of its listener. */
interface ClientChain {
  readonly match?: Match;
  readonly manager: Partial<HttpConnectionManager>;
}

/** Request headers by which a proxy says who its client is. Without the prefix: RFC 7239, and nginx's. */
const forwardedHeaders = [{ prefix: 'x-forwarded-' }, { exact: 'forwarded' }, { exact: 'x-real-ip' }];

/**
 * Headers by which a proxy is told how to retry and to time a request, what a workload speaks, that it is
 * asked for health, or what became of a try: the Group and other proxies say that, and nobody else. The trail
 * is the filters' to judge.
 */
const proxyHeaders = [
  { prefix: 'x-envoy-' },
  ...[appHeader, crossingCheckHeader, outcomeHeader, nobodyHeader, unsentHeader].map((exact) => ({ exact })),
];

/** Takes headers off requests before anything reads them. */
function without(
  matchers: readonly Pick<envoy.type.matcher.v3.StringMatcher, 'exact' | 'prefix'>[],
): Pick<HttpConnectionManager, 'early_header_mutation_extensions'> {
  // Each matcher is held against every header; a name is only looked for.
  const mutations = matchers.map(({ exact, prefix }) =>
    exact === undefined
      ? { remove_on_match: { key_matcher: { prefix, ignore_case: true } } }
      : { remove: exact },
  );
  return {
    early_header_mutation_extensions: [
      {
        name: 'isthmus.untold',
        typed_config: any('envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation', {
          mutations,
        }),
      },
    ],
  };
}

/** Of a sidecar's workload: it is trusted in who its clients are. */
export const fromWorkload: Partial<HttpConnectionManager> = without(proxyHeaders);

/**
 * The filter chains of the edge. Trusted proxies say who the client is, in X-Forwarded-*; whatever others say
 * of that is taken off. With PROXY protocol others are not let in where the proxies are named: they would say
 * who they are.
 */
export function clientChains(policy: EdgePolicy): readonly ClientChain[] {
  const { trustedProxies, proxyProtocol } = policy;
  const direct: ClientChain = {
    manager: { use_remote_address: true, ...without([...proxyHeaders, ...forwardedHeaders]) },
  };
  if (trustedProxies === undefined) return [direct];
  const { hops, from } = trustedProxies;
  const behind =
    hops === 0
      ? direct.manager
      : { use_remote_address: true, xff_num_trusted_hops: hops, ...without(proxyHeaders) };
  if (from === undefined) return [{ manager: behind }];
  const match = { direct_source_prefix_ranges: from.map(prefixRange) };
  return [{ match, manager: behind }, ...(proxyProtocol === undefined ? [direct] : [])];
}

/** The listener filters of the edge. */
export function clientFilters({ proxyProtocol }: EdgePolicy): readonly Filter[] {
  if (proxyProtocol === undefined) return [];
  return [
    {
      name: 'envoy.filters.listener.proxy_protocol',
      typed_config: any('envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol', {
        ...(proxyProtocol === 'optional' ? { allow_requests_without_proxy_protocol: true } : {}),
        stat_prefix: 'edge',
      }),
    },
  ];
}

/** `10.0.0.0/8` or one address. */
export function prefixRange(text: string): envoy.config.core.v3.CidrRange {
  const [address = '', length] = text.split('/');
  const all = address.includes(':') ? 128 : 32;
  return { address_prefix: address, prefix_len: length === undefined ? all : Number(length) };
}
