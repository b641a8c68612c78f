import type { Cluster, envoy } from '../../../protos/gen/envoy.d.ts';
import { secretFiles } from '../../model/values/secret-files.ts';
import { packAny } from '../message-parts.ts';
import { tls13 } from '../peers/identity.ts';

/** How a proxy proves to a control plane who it is. */
export interface ProxyTls {
  /** The absolute path of the folder that `isthmus identity` keeps. */
  readonly folder: string;
  readonly trustDomain: string;
  /** Whose control planes are believed. */
  readonly idc: string;
}

/**
 * TLS of the control planes' cluster. Its secrets are in files: over ADS they end an Envoy 1.40 at its start,
 * as the cluster is in the bootstrap (envoyproxy/envoy 15517).
 */
export function controlPlaneTls({ folder, trustDomain, idc }: ProxyTls): Pick<Cluster, 'transport_socket'> {
  const secret = ({
    name,
    file,
  }: {
    name: string;
    file: string;
  }): envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig => ({
    name,
    sds_config: { resource_api_version: 'V3', path_config_source: { path: `${folder}/${file}` } },
  });
  return {
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: packAny('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
        common_tls_context: {
          tls_params: tls13,
          alpn_protocols: ['h2'],
          tls_certificate_sds_secret_configs: [secret(secretFiles.identity)],
          combined_validation_context: {
            default_validation_context: {
              match_typed_subject_alt_names: [
                {
                  san_type: 'URI',
                  matcher: { prefix: `spiffe://${trustDomain}/idc/${idc}/controlplane/` },
                },
              ],
            },
            validation_context_sds_secret_config: secret(secretFiles.trust),
          },
        },
        // A resumed session is not checked again.
        max_session_keys: 0,
      }),
    },
  };
}
