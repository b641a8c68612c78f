import type { ClientTls } from '../../../model/service.ts';
import { isDnsName } from '../../../model/values/hostname.ts';
import { show } from '../fault.ts';
import type { Fields, FieldTable } from '../fields.ts';

/** ClientTLSSettings as of Istio 1.30. */
const tlsFields: FieldTable = {
  mode: '',
  clientCertificate: '',
  privateKey: '',
  caCertificates: '',
  sni: '',
  subjectAltNames: '',
  insecureSkipVerify: '',
  credentialName: 'there are no Kubernetes Secrets here: name files of the machine where the proxy runs.',
  caCrl: 'revoked certificates are accepted.',
};

const modes = ['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'] as const;

/** Parses `tls` of a traffic policy. Undefined: plain text. */
export function parseClientTls(fields: Fields | undefined): ClientTls | undefined {
  if (fields === undefined) return undefined;
  fields.checkKnown(tlsFields);
  const mode = fields.oneOf('mode', modes) ?? 'DISABLE';
  if (mode === 'DISABLE') return undefined;
  if (mode === 'ISTIO_MUTUAL') {
    fields.warn(
      'ISTIO_MUTUAL is not supported: requests are sent without TLS. Give MUTUAL, with files.',
      'mode',
    );
    return undefined;
  }
  const sni = fields.string('sni');
  if (sni && !isDnsName(sni)) fields.error(`${show(sni)} is not a DNS name: correct it.`, 'sni');
  const file = (key: 'caCertificates' | 'clientCertificate' | 'privateKey') =>
    fields.string(key) || undefined;
  const [caCertificates, clientCertificate, privateKey] = [
    file('caCertificates'),
    file('clientCertificate'),
    file('privateKey'),
  ];
  const subjectAltNames = parseSubjectAltNames(fields);
  const insecureSkipVerify = fields.boolean('insecureSkipVerify');
  if (mode === 'MUTUAL') {
    for (const key of ['clientCertificate', 'privateKey'] as const)
      if (!fields.has(key) && !fields.has('credentialName'))
        fields.missing('is required for MUTUAL: give a file of the machine where the proxy runs.', key);
  } else if (clientCertificate !== undefined || privateKey !== undefined) {
    const key = clientCertificate === undefined ? 'privateKey' : 'clientCertificate';
    fields.warn('is for MUTUAL: with SIMPLE the proxy presents no certificate.', key);
  }
  return {
    mode,
    ...(sni ? { sni } : {}),
    ...(subjectAltNames.length === 0 ? {} : { subjectAltNames }),
    ...(caCertificates === undefined ? {} : { caCertificates }),
    ...(mode === 'MUTUAL' && clientCertificate !== undefined ? { clientCertificate } : {}),
    ...(mode === 'MUTUAL' && privateKey !== undefined ? { privateKey } : {}),
    ...(insecureSkipVerify === undefined ? {} : { insecureSkipVerify }),
  };
}

/** Accepted certificate names, of a ServiceEntry or its DestinationRule. */
export function parseSubjectAltNames(fields: Fields): string[] {
  return fields.strings('subjectAltNames').map(({ text }) => text);
}
