import type { Bootstrap, Cluster, envoy } from '../../../protos/gen/envoy.d.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import type { Lookup } from '../../plan/types.ts';
import { packAny } from '../message-parts.ts';

/**
 * DNS options of a cluster (docs/decisions/080-names-are-looked-up-by-the-proxy.md). The last addresses stay
 * while no server answers; after a failure it retries soon, while Envoy's default is the refresh rate.
 */
export function dnsLookup(lookup: Lookup): Cluster {
  return {
    type: lookup === 'one' ? 'LOGICAL_DNS' : 'STRICT_DNS',
    dns_lookup_family: 'V4_PREFERRED',
    respect_dns_ttl: true,
    dns_refresh_rate: '5s',
    dns_failure_refresh_rate: { base_interval: '1s', max_interval: '10s' },
  };
}

/**
 * The resolver of a proxy: these servers, or those of its /etc/resolv.conf. A proxy is not ready before each
 * name was queried once, so the timeouts are shorter than c-ares'.
 */
export function dnsResolver(servers: readonly ListenAddress[]): Pick<Bootstrap, 'typed_dns_resolver_config'> {
  const resolvers = servers.map(
    ({ address, port }): envoy.config.core.v3.Address => ({ socket_address: { address, port_value: port } }),
  );
  return {
    typed_dns_resolver_config: {
      name: 'envoy.network.dns_resolver.cares',
      typed_config: packAny('envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig', {
        ...(resolvers.length === 0 ? {} : { resolvers }),
        query_timeout_seconds: '1',
        query_tries: 2,
      }),
    },
  };
}
