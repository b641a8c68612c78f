import type { Cluster, envoy } from '../../../protos/gen/envoy.d.ts';
import { addressKind } from '../../model/values/address.ts';
import type { GroupPlan, OriginatedTls } from '../../plan/types.ts';
import { packAny } from '../message-parts.ts';

type SanMatcher = envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;

/** The TLS transport socket of a cluster, if its instances need one. */
export function tlsSocket({ tls, protocol }: GroupPlan): Pick<Cluster, 'transport_socket'> {
  if (tls === undefined) return {};
  const { verify, client } = tls;
  return {
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: packAny('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
        ...(tls.serverName === undefined ? {} : { sni: tls.serverName }),
        common_tls_context: {
          // gRPC servers refuse a connection without it.
          ...(protocol === 'tcp' ? {} : { alpn_protocols: [protocol === 'http2' ? 'h2' : 'http/1.1'] }),
          ...(client === undefined
            ? {}
            : {
                tls_certificates: [
                  {
                    certificate_chain: { filename: client.certFile },
                    private_key: { filename: client.keyFile },
                  },
                ],
              }),
          ...(verify === undefined
            ? {}
            : {
                validation_context: {
                  trusted_ca: { filename: verify.caFile },
                  ...(verify.names === undefined
                    ? {}
                    : { match_typed_subject_alt_names: verify.names.map(matcherOf) }),
                },
              }),
        },
      }),
    },
  };
}

/** For SNI and certificate names taken from each request. */
export function tlsByRequest(
  tls: OriginatedTls | undefined,
): envoy.extensions.upstreams.http.v3.HttpProtocolOptions {
  const autoSni = tls !== undefined && tls.serverName === undefined;
  const autoSan = tls?.verify !== undefined && tls.verify.names === undefined;
  if (!autoSni && !autoSan) return {};
  return {
    upstream_http_protocol_options: {
      ...(autoSni ? { auto_sni: true } : {}),
      ...(autoSan ? { auto_san_validation: true } : {}),
    },
  };
}

/** Envoy's DNS matcher handles wildcards of the certificate. */
function matcherOf(name: string): SanMatcher {
  const san_type = name.includes('://') ? 'URI' : addressKind(name) === 'ip' ? 'IP_ADDRESS' : 'DNS';
  return { san_type, matcher: { exact: name } };
}
