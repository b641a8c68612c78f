import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, as files in PEM. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority of a test's own. */
export interface Authority extends Certificate {
  /** Issues a certificate for DNS names. */
  issue(name: string, ...dnsNames: readonly string[]): Certificate;
  close(): void;
}

/** Makes an authority with the machine's `openssl` (3.0 or later). */
export function createAuthority(): Authority {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-ca-'));
  const make = (name: string, ...more: readonly string[]): Certificate => {
    const [certFile, keyFile] = [join(dir, `${name}.pem`), join(dir, `${name}.key`)];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
    const args = ['req', '-x509', '-days', '2', ...key, '-out', certFile, '-subj', `/CN=${name}`, ...more];
    try {
      execFileSync('openssl', args, { stdio: 'pipe' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new Error('There is no openssl on PATH, and tests make their certificates with it: install it.');
    }
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  };
  const ca = make('ca');
  return {
    ...ca,
    issue(name, ...dnsNames) {
      const names = [name, ...dnsNames].map((one) => `DNS:${one}`).join(',');
      return make(
        name.replaceAll('*', '_'),
        ...['-CA', ca.certFile, '-CAkey', ca.keyFile, '-addext', `subjectAltName=${names}`],
        ...['-addext', 'basicConstraints=critical,CA:FALSE'],
      );
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}
