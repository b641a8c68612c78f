import type { ServiceEntry, TrafficPolicy } from '../model/service.ts';
import type { OriginatedTls } from './types.ts';

/** Where Debian, Ubuntu, Alpine and Envoy's own images keep the certificates of public authorities. */
const systemCaFile = '/etc/ssl/certs/ca-certificates.crt';

/**
 * The TLS that proxies speak to a Group's instances, as Istio's ClientTLSSettings say. A server shows that it
 * is the host, or one of the names given; a pattern of hosts is no name, so there it is the host of each
 * request.
 */
export function planTls(
  host: string,
  entry: ServiceEntry,
  { tls }: TrafficPolicy,
): { readonly tls?: OriginatedTls } {
  if (tls === undefined) return {};
  const own = host.startsWith('*') ? undefined : host;
  const serverName = tls.sni ?? own;
  const names = tls.subjectAltNames ?? entry.spec.subjectAltNames ?? (own === undefined ? undefined : [own]);
  const { clientCertificate: certFile, privateKey: keyFile } = tls;
  return {
    tls: {
      ...(serverName === undefined ? {} : { serverName }),
      ...(tls.insecureSkipVerify
        ? {}
        : {
            verify: { caFile: tls.caCertificates ?? systemCaFile, ...(names === undefined ? {} : { names }) },
          }),
      ...(certFile === undefined || keyFile === undefined ? {} : { client: { certFile, keyFile } }),
    },
  };
}
