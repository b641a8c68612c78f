import { createPrivateKey, type KeyObject } from 'node:crypto';
import { mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MeshError } from '../base/error.ts';
import { readBounded } from '../base/files/bounded-file.ts';
import { makeFolder } from '../base/files/make-folder.ts';
import { replaceFileSync } from '../base/files/replace-file.ts';
import { describeSystemError } from '../base/system-error.ts';
import { secretFiles } from '../model/values/secret-files.ts';
import { type Bundle, readBundle } from './bundle.ts';
import { type Certificate, readCertificate } from './certificate.ts';

/** A certificate with its key and the roots that are trusted, in PEM. */
interface TrustFiles {
  readonly certificate: string;
  readonly key: string;
  readonly bundle: string;
}

/** The same, read and found to fit together. */
export interface TrustMaterial {
  readonly files: TrustFiles;
  readonly own: Certificate;
  readonly bundle: Bundle;
}

const names = { certificate: 'cert.pem', key: 'key.pem', bundle: 'ca.pem' } as const;
const current = 'cur';
const fileBytesMax = 2 ** 20;

/**
 * Makes the folder in which a proxy has its identity, with the files by which an Envoy finds it: one that
 * starts before there is a certificate waits for it. Throws MeshError `unavailable`.
 *
 * Each certificate is in a folder `vN` of its own; `cur`, a symbolic link to the newest, is replaced by a
 * rename, the only change that an Envoy reads (`watched_directory`): it never sees a key without its
 * certificate.
 */
export function makeTrustFolder(folder: string): void {
  const base = resolve(folder);
  const source = (file: string) => ({ filename: join(base, current, file) });
  const watched = { watched_directory: { path: base } };
  const identity = {
    name: secretFiles.identity.name,
    tls_certificate: {
      certificate_chain: source(names.certificate),
      private_key: source(names.key),
      ...watched,
    },
  };
  const trust = {
    name: secretFiles.trust.name,
    validation_context: { trusted_ca: source(names.bundle), ...watched },
  };
  trying(base, () => {
    makeFolder(base);
    writeIfNew(join(base, secretFiles.identity.file), discoveryText(identity));
    writeIfNew(join(base, secretFiles.trust.file), discoveryText(trust));
  });
}

/** Puts a certificate, its key and roots in force, all at once. Throws MeshError `unavailable`. */
export function writeTrustFolder(folder: string, files: TrustFiles): void {
  const base = resolve(folder);
  trying(base, () => {
    const number = Math.max(0, ...versionsIn(base)) + 1;
    const version = join(base, `v${number}`);
    mkdirSync(version, { mode: 0o700 });
    for (const [part, name] of Object.entries(names))
      replaceFileSync(join(version, name), files[part as keyof TrustFiles], { isDurable: true });
    const link = join(base, '.cur.new');
    rmSync(link, { force: true });
    symlinkSync(`v${number}`, link);
    renameSync(link, join(base, current));
    // The one before stays: somebody may be reading it.
    for (const old of versionsIn(base))
      if (old < number - 1) rmSync(join(base, `v${old}`), { recursive: true, force: true });
  });
}

/**
 * What is in force in a folder; undefined: nothing yet. Throws MeshError `unavailable` if it cannot be read,
 * `invalid` if the parts do not fit together. `wallMs`: now, milliseconds since the Unix epoch.
 */
export function readTrustFolder(folder: string, wallMs: number): TrustMaterial | undefined {
  const base = resolve(folder);
  const version = versionOf(base);
  if (version === undefined) return undefined;
  const read = (name: string) => {
    const file = join(base, version, name);
    try {
      return readBounded(file, fileBytesMax).toString('utf8');
    } catch (cause) {
      throw new MeshError('unavailable', `${file} cannot be read: ${describeSystemError(cause)}`, { cause });
    }
  };
  const files = { certificate: read(names.certificate), key: read(names.key), bundle: read(names.bundle) };
  try {
    return checkTrust(files, wallMs);
  } catch (cause) {
    const { code, message } = MeshError.from(cause);
    throw new MeshError(code, `${join(base, version)}: ${message}`, { cause, ref: base });
  }
}

/**
 * What names the version in force; undefined: none is. It is a folder that `cur` points to, or `cur` itself,
 * where that is a folder. Changes with each rename onto `cur`.
 */
export function versionOf(folder: string): string | undefined {
  const link = join(resolve(folder), current);
  try {
    return readlinkSync(link);
  } catch {
    return statSync(link, { throwIfNoEntry: false })?.isDirectory() === true ? current : undefined;
  }
}

/** Reads a certificate, key and roots. Throws MeshError `invalid` if they do not fit together. */
function checkTrust(files: TrustFiles, wallMs: number): TrustMaterial {
  const own = readCertificate(files.certificate);
  if (!own.x509.checkPrivateKey(readKey(files.key)))
    throw new MeshError('invalid', 'the key is not that of the certificate: replace both by one rename');
  return { files, own, bundle: readBundle(files.bundle, wallMs) };
}

function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The system's words may quote the key.
    throw new MeshError('invalid', 'the key cannot be read: give one in PEM, not encrypted');
  }
}

function versionsIn(base: string): number[] {
  return readdirSync(base).flatMap((name) =>
    /^v[1-9][0-9]{0,14}$/.test(name) ? [Number(name.slice(1))] : [],
  );
}

function discoveryText(secret: object): string {
  const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
  return `${JSON.stringify({ resources: [{ '@type': type, ...secret }] }, null, 2)}\n`;
}

function writeIfNew(file: string, text: string): void {
  const isThere = statSync(file, { throwIfNoEntry: false }) !== undefined;
  if (!isThere || readBounded(file, fileBytesMax).toString('utf8') !== text) replaceFileSync(file, text);
}

function trying(folder: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    throw new MeshError('unavailable', `${folder} cannot be written: ${describeSystemError(cause)}`, {
      cause,
    });
  }
}
