import { MeshError } from '../../base/error.ts';
import { safeExcerpt } from '../../base/text/safe-excerpt.ts';
import { idcNamePattern } from '../idc.ts';

/** Who may have a certificate: proxies by their role, control planes, and the authority itself. */
const identityRoles = ['sidecar', 'ingress', 'egress', 'grpc', 'controlplane', 'ca'] as const;
type IdentityRole = (typeof identityRoles)[number];

/**
 * Who a certificate is for: `spiffe://TRUST DOMAIN/idc/IDC/ROLE/NAME` (SPIFFE-ID, section 2). `name`: of a
 * proxy its node id.
 */
export interface Identity {
  readonly trustDomain: string;
  readonly idc: string;
  readonly role: IdentityRole;
  readonly name: string;
}

/** The longest name of a trust domain, in characters, as DNS has it. */
export const trustDomainMax = 253;

/**
 * A trust domain: labels of `a-z 0-9 -` with dots between them; SPIFFE allows `_` as well, DNS does not. As
 * it stands in a CRD, it has nothing that RE2 has not.
 */
export const trustDomainPattern =
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** A segment of a SPIFFE path; `.` and `..` are none. */
const namePattern = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}$/;

const form = 'spiffe://TRUST-DOMAIN/idc/IDC/ROLE/NAME';

/** Validates the name of a trust domain. Throws MeshError `invalid`. */
export function readTrustDomain(text: string): string {
  if (text.length <= trustDomainMax && trustDomainPattern.test(text)) return text;
  throw new MeshError(
    'invalid',
    `'${safeExcerpt(text, 80)}' is not a trust domain: give a name such as sh-a.example, of a-z, 0-9, - and dots, at most 253.`,
  );
}

/** The URI of an identity. Throws MeshError `invalid` if a part of it cannot be in one. */
export function formatIdentity({ trustDomain, idc, role, name }: Identity): string {
  const uri = `spiffe://${trustDomain}/idc/${idc}/${role}/${name}`;
  parseIdentity(uri);
  return uri;
}

/** Parses the URI of an identity. Throws MeshError `invalid` that says which part is wrong. */
export function parseIdentity(uri: string): Identity {
  const shown = safeExcerpt(uri, 200);
  const fault = (what: string) => new MeshError('invalid', `${shown} is not an identity: ${what}.`);
  const [, trustDomain = '', idc = '', role = '', name = ''] =
    /^spiffe:\/\/([^/]*)\/idc\/([^/]*)\/([^/]*)\/([^/]*)$/.exec(uri) ?? [];
  if (trustDomain === '') throw fault(`write ${form}`);
  if (!trustDomainPattern.test(trustDomain))
    throw fault('its trust domain is not a name of a-z, 0-9, - and dots');
  if (!idcNamePattern.test(idc)) throw fault('its IDC is not a name of a-z, 0-9 and -, at most 32');
  if (!isRole(role)) throw fault(`its role is none of ${identityRoles.join(', ')}`);
  if (!namePattern.test(name))
    throw fault('its name, the id of a node, may have A-Z, a-z, 0-9, dots, _ and -, at most 200');
  return { trustDomain, idc, role, name };
}

function isRole(text: string): text is IdentityRole {
  return (identityRoles as readonly string[]).includes(text);
}
