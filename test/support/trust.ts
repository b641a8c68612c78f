import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseIdentity } from '../../src/model/values/identity.ts';
import {
  type IssuedPair,
  issueLeaf,
  loadRoot,
  makeRequest,
  makeRoot,
  readRequest,
} from '../../src/trust/ca/issue.ts';
import { makeTrustFolder, writeTrustFolder } from '../../src/trust/trust-folder.ts';

export const trustDomain = 'sh-a.example';

/** The URI of an identity of sh-a. */
export const identityUri = (role: string, name: string) => `spiffe://${trustDomain}/idc/sh-a/${role}/${name}`;

/** From when until when, relative to now, in milliseconds. */
export interface LeafTerm {
  readonly fromMs?: number;
  readonly untilMs?: number;
}

/** Roots, certificates and folders of a test. */
export interface TestTrust {
  /** A folder as `isthmus identity` keeps it, without a certificate yet. */
  folder(name: string): string;
  /** Of the authority of an IDC: that of sh-a by default. */
  root(domain?: string): Promise<IssuedPair>;
  leaf(root: IssuedPair, uri: string, term?: LeafTerm): Promise<IssuedPair>;
  /** Issues a certificate and puts it in force in a folder, with these roots. */
  put(
    folder: string,
    root: IssuedPair,
    uri: string,
    roots?: readonly IssuedPair[],
    term?: LeafTerm,
  ): Promise<void>;
  close(): void;
}

/** Makes certificates with the code of the authority, of any time. */
export function createTestTrust(): TestTrust {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-trust-'));
  async function leaf(root: IssuedPair, uri: string, term: LeafTerm = {}): Promise<IssuedPair> {
    const { fromMs = -60_000, untilMs = 3_600_000 } = term;
    const { request, key } = await makeRequest();
    const now = Date.now();
    const times = { notBefore: now + fromMs, notAfter: now + untilMs };
    const signing = await loadRoot(root);
    return {
      certificate: await issueLeaf(signing, parseIdentity(uri), await readRequest(request), times),
      key,
    };
  }
  return {
    folder(name) {
      const folder = join(dir, name);
      makeTrustFolder(folder);
      return folder;
    },
    root: (domain = trustDomain) => makeRoot(domain, Date.now(), 30),
    leaf,
    async put(folder, root, uri, roots = [root], term = {}) {
      const bundle = roots.map(({ certificate }) => certificate).join('');
      writeTrustFolder(folder, { ...(await leaf(root, uri, term)), bundle });
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}
