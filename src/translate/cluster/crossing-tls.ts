import type { Cluster, envoy } from '../../../protos/gen/envoy.d.ts';
import type { Idc } from '../../model/idc.ts';
import type { OwnScope } from '../../model/node.ts';
import { type KnownPeer, securedCrossing, securedEgress } from '../../plan/peers/peer-tls.ts';
import type { Crossing } from '../../plan/types.ts';
import { packAny } from '../message-parts.ts';
import { certificateOf, nobody, type PeerRole, peerNames, tls13 } from '../peers/identity.ts';

type TransportSocket = envoy.config.core.v3.TransportSocket;

/** The key of endpoints' metadata that says which IDC's certificate a gateway must show. */
const idcKey = 'idc';

/**
 * The transport sockets of a cluster of other IDCs' ingress gateways: for each IDC one that believes its own
 * authority alone, and its ingress gateways alone. An endpoint that none fits gets one that believes nobody:
 * without it Envoy would send plaintext. None where no IDC's crossings are secured.
 */
export function crossingSockets(
  { idcs: crossed }: Crossing,
  idcs: ReadonlyMap<string, Idc>,
): Pick<Cluster, 'transport_socket' | 'transport_socket_matches'> {
  const peers = crossed.map(({ idc }) => ({ idc, peer: securedCrossing(idcs.get(idc)) }));
  const first = peers.find(({ peer }) => peer !== undefined)?.peer;
  if (first === undefined) return {};
  return {
    transport_socket: upstreamTls(first.roots, { exact: nobody }),
    transport_socket_matches: peers.map(({ idc, peer }) => ({
      name: idc,
      match: { [idcKey]: idc },
      transport_socket: peer === undefined ? plaintext : tlsTo(peer, 'ingress'),
    })),
  };
}

/** What chooses an endpoint's socket; none where there is nothing to choose. */
export function crossingMark(
  { idcs: crossed }: Crossing,
  idcs: ReadonlyMap<string, Idc>,
  idc: string,
): Readonly<Record<string, Record<string, string>>> {
  const isSecured = crossed.some((one) => securedCrossing(idcs.get(one.idc)) !== undefined);
  return isSecured ? { 'envoy.transport_socket_match': { [idcKey]: idc } } : {};
}

const plaintext: TransportSocket = {
  name: 'envoy.transport_sockets.raw_buffer',
  typed_config: packAny('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer', {}),
};

/**
 * The transport socket of the cluster of the own IDC's egress gateways, for a proxy that has a certificate;
 * none where they are sent plaintext.
 */
export function egressSocket(
  localIdc: Idc | undefined,
  { identity }: Pick<OwnScope, 'identity'>,
): Pick<Cluster, 'transport_socket'> {
  const own = identity === true ? securedEgress(localIdc) : undefined;
  return own === undefined ? {} : { transport_socket: tlsTo(own, 'egress') };
}

function tlsTo(peer: KnownPeer, role: PeerRole): TransportSocket {
  return upstreamTls(peer.roots, { prefix: peerNames(peer, role) });
}

function upstreamTls(roots: string, name: envoy.type.matcher.v3.StringMatcher): TransportSocket {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: packAny('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
      common_tls_context: {
        tls_params: tls13,
        alpn_protocols: ['h2'],
        tls_certificate_sds_secret_configs: [certificateOf],
        validation_context: {
          trusted_ca: { inline_string: roots },
          match_typed_subject_alt_names: [{ san_type: 'URI', matcher: name }],
        },
      },
      // A resumed session is not checked again.
      max_session_keys: 0,
    }),
  };
}
