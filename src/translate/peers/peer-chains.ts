import type { envoy } from '../../../protos/gen/envoy.d.ts';
import type { Idc } from '../../model/idc.ts';
import { trailHeader } from '../../model/trail.ts';
import {
  egressIntake,
  type KnownPeer,
  knownPeer,
  peerIntake,
  type TlsIntake,
} from '../../plan/peers/peer-tls.ts';
import type { HttpFilter } from '../listener/http-filter.ts';
import { packAny } from '../message-parts.ts';
import { certificateOf, nobody, type PeerRole, peerNames, tls13 } from './identity.ts';

type FilterChain = envoy.config.listener.v3.FilterChain;

/** A way into a gateway's listener. */
export interface PeerChain {
  readonly match?: FilterChain['filter_chain_match'];
  readonly socket?: Pick<FilterChain, 'transport_socket'>;
  /** Filters before all others. */
  readonly filters: readonly HttpFilter[];
  /** Statistics of what came this way are apart. */
  readonly isTls: boolean;
}

/** The ways into the peer listener where TLS is taken; none: all come in the same way. */
export function peerChains(localIdc: Idc | undefined, peers: readonly KnownPeer[]): readonly PeerChain[] {
  return chainsFor(peerIntake(localIdc), peers, 'egress', [lastNameIsTheirs(peers)]);
}

/** The same for a listener of an egress gateway, and its own IDC's proxies of a role. */
export function egressChains(localIdc: Idc | undefined, role: 'sidecar' | 'ingress'): readonly PeerChain[] {
  const own = knownPeer(localIdc);
  return chainsFor(egressIntake(localIdc), own === undefined ? [] : [own], role, []);
}

function chainsFor(
  intake: TlsIntake,
  known: readonly KnownPeer[],
  role: PeerRole,
  filters: readonly HttpFilter[],
): readonly PeerChain[] {
  if (intake === 'plaintext') return [];
  const tls: PeerChain = {
    match: { transport_protocol: 'tls' },
    socket: { transport_socket: downstreamTls(known, role) },
    ...{ filters, isTls: true },
  };
  return intake === 'tls'
    ? [tls]
    : [tls, { match: { transport_protocol: 'raw_buffer' }, filters: [], isTls: false }];
}

/**
 * Only proxies of a role of these IDCs get in, each by the authority of its own IDC: one bundle for all would
 * let the authority of one IDC name the proxies of another. Without any nobody gets in.
 */
function downstreamTls(peers: readonly KnownPeer[], role: PeerRole): envoy.config.core.v3.TransportSocket {
  const names = peers.map((peer) => ({ prefix: peerNames(peer, role) }));
  // Envoy refuses a domain that is named twice, as where two Idcs share one by mistake.
  const domains = Map.groupBy(peers, ({ trustDomain }) => trustDomain);
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: packAny('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
      require_client_certificate: true,
      // A resumed session is not checked again.
      disable_stateless_session_resumption: true,
      disable_stateful_session_resumption: true,
      common_tls_context: {
        tls_params: tls13,
        alpn_protocols: ['h2'],
        tls_certificate_sds_secret_configs: [certificateOf],
        validation_context: {
          match_typed_subject_alt_names: (names.length === 0 ? [{ exact: nobody }] : names).map(
            (matcher) => ({
              san_type: 'URI',
              matcher,
            }),
          ),
          custom_validator_config: {
            name: 'envoy.tls.cert_validator.spiffe',
            typed_config: packAny('envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig', {
              trust_domains: [...domains].map(([name, sharing]) => ({
                name,
                trust_bundle: { inline_string: sharing.map(({ roots }) => roots).join('') },
              })),
            }),
          },
        },
      },
    }),
  };
}

/**
 * Refuses a request whose trail ends with another IDC than that of the certificate: an IDC that is taken over
 * cannot hide that a request has visited it. Health checks have no trail.
 */
function lastNameIsTheirs(peers: readonly KnownPeer[]): HttpFilter {
  const policies = peers.map((peer): [string, envoy.config.rbac.v3.Policy] => [
    peer.idc,
    {
      permissions: [
        {
          or_rules: {
            rules: [
              { header: { name: trailHeader, present_match: false } },
              {
                header: {
                  name: trailHeader,
                  string_match: { safe_regex: { regex: `(?:.*,)?[ \\t]*${peer.idc}` } },
                },
              },
            ],
          },
        },
      ],
      principals: [{ authenticated: { principal_name: { prefix: peerNames(peer, 'egress') } } }],
    },
  ]);
  return {
    name: 'isthmus.peer_identity',
    typed_config: packAny('envoy.extensions.filters.http.rbac.v3.RBAC', {
      rules: { action: 'ALLOW', policies: Object.fromEntries(policies) },
    }),
  };
}
