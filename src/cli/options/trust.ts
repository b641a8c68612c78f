import { InvalidArgumentError, Option } from 'commander';
import { type Identity, parseIdentity, readTrustDomain } from '../../model/values/identity.ts';
import { readArgument } from './argument.ts';

/** Parses an identity, `spiffe://TRUST-DOMAIN/idc/IDC/ROLE/NAME`. Commander's error names the option. */
function parseIdentityUri(text: string): Identity {
  return readArgument(() => parseIdentity(text));
}

/** Parses the name of a trust domain. */
export function parseTrustDomain(text: string): string {
  return readArgument(() => readTrustDomain(text));
}

/** Parses what pins a root. */
export function parsePin(text: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError(
    `'${text}' is no hash: give sha256: and 64 hex digits, as isthmus ca token prints.`,
  );
}

/** `--dir`: the folder of a certificate authority. */
export function caFolderOption(): Option {
  return new Option('--dir <dir>', 'folder of the authority').makeOptionMandatory();
}

/** `--id`: an identity. */
export function identityOption(words: string): Option {
  return new Option(
    '--id <spiffe://...>',
    `${words}: spiffe://TRUST-DOMAIN/idc/IDC/ROLE/NAME, NAME the node id of a proxy`,
  )
    .argParser(parseIdentityUri)
    .makeOptionMandatory();
}
