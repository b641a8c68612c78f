import type { envoy, HttpConnectionManager } from '../../../protos/gen/envoy.d.ts';
import type { EdgePolicy } from '../../model/idc.ts';
import { nobodyHeader, outcomeHeader, unsentHeader } from '../../model/trail.ts';
import { packAny } from '../message-parts.ts';
import { crossingCheckHeader } from '../names.ts';
import { appHeader } from '../sidecar.ts';

type Filter = envoy.config.listener.v3.ListenerFilter;
type Match = envoy.config.listener.v3.FilterChainMatch;

/** The client's identity at the edge, for matching connections: the listener's filter chains. */
export interface ClientChain {
  readonly match?: Match;
  readonly manager: Partial<HttpConnectionManager>;
}

/** Headers by which a proxy forwards its client's identity. Not with the prefix: RFC 7239, and nginx's. */
const forwardedHeaders = [{ prefix: 'x-forwarded-' }, { exact: 'forwarded' }, { exact: 'x-real-ip' }];

/**
 * Headers that control retries and timeouts, a workload's protocol, health checks, or report outcomes: only
 * the Group and other proxies set them. The trail is checked by its filters.
 */
const proxyHeaders = [
  { prefix: 'x-envoy-' },
  ...[appHeader, crossingCheckHeader, outcomeHeader, nobodyHeader, unsentHeader].map((exact) => ({ exact })),
];

/** Removes headers from requests before anything reads them. */
function without(
  matchers: readonly Pick<envoy.type.matcher.v3.StringMatcher, 'exact' | 'prefix'>[],
): Pick<HttpConnectionManager, 'early_header_mutation_extensions'> {
  // A matcher is compared with every header; a name is looked up.
  const mutations = matchers.map(({ exact, prefix }) =>
    exact === undefined
      ? { remove_on_match: { key_matcher: { prefix, ignore_case: true } } }
      : { remove: exact },
  );
  return {
    early_header_mutation_extensions: [
      {
        name: 'isthmus.untold',
        typed_config: packAny(
          'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
          {
            mutations,
          },
        ),
      },
    ],
  };
}

/** A sidecar's workload is trusted with its clients' identity. */
export const fromWorkload: Partial<HttpConnectionManager> = without(proxyHeaders);

/**
 * The edge's filter chains. Trusted proxies set the client's identity in X-Forwarded-*; it is removed from
 * others' requests. With PROXY protocol and named proxies others are refused, as they could claim any
 * address.
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

/** The edge's listener filters. */
export function clientFilters({ proxyProtocol }: EdgePolicy): readonly Filter[] {
  if (proxyProtocol === undefined) return [];
  return [
    {
      name: 'envoy.filters.listener.proxy_protocol',
      typed_config: packAny('envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol', {
        ...(proxyProtocol === 'optional' ? { allow_requests_without_proxy_protocol: true } : {}),
        stat_prefix: 'edge',
      }),
    },
  ];
}

/** `10.0.0.0/8` or a single address. */
export function prefixRange(text: string): envoy.config.core.v3.CidrRange {
  const [address = '', length] = text.split('/');
  const all = address.includes(':') ? 128 : 32;
  return { address_prefix: address, prefix_len: length === undefined ? all : Number(length) };
}
