import type { envoy } from '../../../protos/gen/envoy.d.ts';
import { secretFiles } from '../../model/values/secret-files.ts';
import type { KnownPeer } from '../../plan/peers/peer-tls.ts';

/**
 * A proxy's own certificate, where everybody's configuration is the same: the file is relative to the folder
 * that Envoy was started in, the one that `isthmus identity` keeps. These bytes must never change: Envoy has
 * a provider of secrets for each name and source, and a new one may never ask (envoyproxy/envoy 47309).
 */
export const certificateOf: envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig = {
  name: secretFiles.identity.name,
  sds_config: {
    resource_api_version: 'V3',
    // Envoy takes no path without a slash.
    path_config_source: { path: `./${secretFiles.identity.file}` },
    initial_fetch_timeout: '0s',
  },
};

/** A name that no certificate has. */
export const nobody = 'spiffe://nobody';

/** What is spoken between our own proxies. */
export const tls13: envoy.extensions.transport_sockets.tls.v3.TlsParameters = {
  tls_minimum_protocol_version: 'TLSv1_3',
  tls_maximum_protocol_version: 'TLSv1_3',
};

/** Roles of proxies that others know by certificates. */
export type PeerRole = 'sidecar' | 'ingress' | 'egress';

/** How the names of an IDC's proxies of a role begin (`formatIdentity`). */
export function peerNames({ trustDomain, idc }: KnownPeer, role: PeerRole): string {
  return `spiffe://${trustDomain}/idc/${idc}/${role}/`;
}
