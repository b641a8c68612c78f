import type { ServiceEntry, TrafficPolicy } from '../model/service.ts';
import type { OriginatedTls } from './types.ts';

/** Where Debian, Ubuntu, Alpine and Envoy's own images keep the certificates of public authorities. */
const systemCaFile = '/etc/ssl/certs/ca-certificates.crt';

/**
 * TLS from proxies to a Group's instances, from Istio's ClientTLSSettings. The server's certificate must
 * match the host or one of the names given; for a pattern of hosts, the host of each request.
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
