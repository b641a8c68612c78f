import { createHash } from 'node:crypto';
import { MeshError } from '../../base/error.ts';
import { counted } from '../../base/text/counted.ts';
import { formatIdentity, type Identity, parseIdentity } from '../../model/values/identity.ts';
import { type Bundle, readBundle } from '../bundle.ts';
import { issuerOf, keyHash, parseX509, readCertificate, validity } from '../certificate.ts';
import { databaseOf, makeCaFolder, readRootKey, removeRootKey, writeRootKey } from './ca-folder.ts';
import { type CaFacts, CaStore, type LeafRow, type RootRow } from './ca-store.ts';
import { backdateMs, issueLeaf, loadRoot, makeRoot, readRequest, type SigningRoot } from './issue.ts';
import { isSameHash, newJoinToken, splitJoinToken } from './join-token.ts';
import { maySign, type Rotation, rotationOf, settleMsDefault } from './rotation.ts';

/** What somebody gets who asks for a certificate, in PEM. */
export interface Issued {
  readonly certificate: string;
  readonly bundle: string;
}

/** An authority at a glance. */
export interface CaStatus {
  readonly facts: CaFacts;
  readonly bundle: Pick<Bundle, 'pem' | 'hash'>;
  /** What pins the root that signs. */
  readonly pin: string;
  readonly roots: readonly (Pick<RootRow, 'id' | 'state'> & {
    readonly pin: string;
    readonly notAfter: number;
  })[];
  readonly leaves: readonly LeafRow[];
  readonly openTokens: number;
  readonly rotation: Rotation;
}

/** What somebody says who shows a certificate: the bundle that it has. */
export interface Seen {
  /** The certificate, DER. */
  readonly certificate: Uint8Array;
  readonly bundle: string;
}

// An expired token is told to be expired for a day, and a leaf is listed for a week.
const [tokensKeptMs, leavesKeptMs] = [86_400_000, 7 * 86_400_000];

/** Makes an authority in a new folder. Throws MeshError `conflict` if there is one. */
export async function initAuthority(folder: string, facts: CaFacts, wallMs: number): Promise<void> {
  makeCaFolder(folder);
  const store = new CaStore(databaseOf(folder), { create: true });
  try {
    const { certificate, key } = await makeRoot(facts.trustDomain, wallMs, facts.rootDays);
    writeRootKey(folder, 1, key);
    store.transact(() => {
      store.setFacts(facts);
      store.addRoot({ id: 1, certificate, state: 'signing' });
    });
  } finally {
    store.close();
  }
}

/** A certificate authority in its folder. Times are given, in milliseconds since the Unix epoch. */
export class Authority {
  readonly #folder: string;
  readonly #store: CaStore;
  readonly #facts: CaFacts;
  readonly #settleMs: number;
  #loaded: { readonly id: number; readonly root: SigningRoot } | undefined;

  /** Opens it. Throws MeshError `not-found` or `unavailable`. */
  constructor(folder: string, settleMs = settleMsDefault) {
    this.#folder = folder;
    this.#settleMs = settleMs;
    this.#store = new CaStore(databaseOf(folder), { create: false });
    this.#facts = this.#store.facts();
  }

  close(): void {
    this.#store.close();
  }

  /** All that can be known of it. */
  status(now: number): CaStatus {
    const roots = this.#store.roots();
    const leaves = this.#store.leaves();
    const bundle = this.#bundle(now);
    return {
      facts: this.#facts,
      bundle: { pem: bundle.pem, hash: bundle.hash },
      pin: keyHash(parseX509(this.#signing().certificate)),
      roots: roots.map(({ id, state, certificate }) => {
        const x509 = parseX509(certificate);
        return { id, state, pin: keyHash(x509), notAfter: validity(x509).notAfter };
      }),
      leaves,
      openTokens: this.#store.openTokens(now),
      rotation: rotationOf({ roots, leaves, bundleHash: bundle.hash, now }),
    };
  }

  /**
   * Makes a token with which an identity joins, once, also if it was revoked. Throws MeshError `invalid` for
   * an identity of another trust domain or IDC, or of an authority.
   */
  makeToken(uri: string, lastsMs: number, now: number): string {
    const identity = parseIdentity(uri);
    this.#checkOwn(identity);
    if (identity.role === 'ca')
      throw new MeshError('invalid', `${uri} is an authority: it makes its certificate itself`);
    const { token, id, hash } = newJoinToken();
    this.#store.transact(() => {
      this.#store.dropTokens(now - tokensKeptMs);
      this.#store.dropLeaves(now - leavesKeptMs);
      this.#store.addToken({ id, hash, identity: uri, expiresAt: now + lastsMs });
    });
    return token;
  }

  /**
   * Issues the first certificate of an identity. The same token with the same key gets the same certificate
   * again, as the answer may have been lost. Throws MeshError `forbidden` or `invalid`.
   */
  async join(token: string, request: string, now: number): Promise<Issued> {
    const split = splitJoinToken(token);
    const row = split && this.#store.token(split.id);
    if (split === undefined || !isSameHash(split.hash, row?.hash) || row === undefined)
      throw new MeshError('forbidden', 'this token is unknown: make one with isthmus ca token');
    if (row.expiresAt <= now)
      throw new MeshError('forbidden', `the token of ${row.identity} has expired: make a new one`);
    const publicKey = await readRequest(request);
    const hash = createHash('sha256').update(publicKey).digest('hex');
    if (row.keyHash === null) {
      const { certificate, root } = await this.#issue(parseIdentity(row.identity), publicKey, now);
      const isFirst = this.#store.transact(() => {
        if (!this.#store.useToken(row.id, hash, certificate)) return false;
        this.#note(certificate, root, undefined);
        return true;
      });
      if (isFirst) return this.#answer(certificate, now);
    }
    const used = this.#store.token(row.id);
    if (used === undefined)
      throw new MeshError('forbidden', `${row.identity} was revoked: this token is unknown by now`);
    if (used.keyHash === hash && used.certificate !== null) return this.#answer(used.certificate, now);
    throw new MeshError(
      'forbidden',
      `the token of ${row.identity} was used for another key: make a new one, and find out who used it`,
    );
  }

  /**
   * Issues the next certificate to who shows a valid one. Throws MeshError `forbidden` if its identity was
   * revoked, or the certificate is not of this authority.
   */
  async renew(shown: Uint8Array, request: string, now: number): Promise<Issued> {
    const { identity } = this.#known(shown, now);
    const publicKey = await readRequest(request);
    const { certificate, root } = await this.#issue(identity, publicKey, now);
    this.#store.transact(() => {
      // It may have been revoked while this was signed.
      const { uri } = this.#known(shown, now);
      this.#note(certificate, root, this.#store.leaf(uri));
    });
    return this.#answer(certificate, now);
  }

  /**
   * Notes which certificate and bundle an identity has, and says what it needs: the bundle, and whether it
   * should renew at once. Throws MeshError `forbidden`.
   */
  see({ certificate, bundle: has }: Seen, now: number): { readonly bundle: string; readonly renew: boolean } {
    const { uri, root } = this.#known(certificate, now);
    const { notAfter } = readCertificate(certificate);
    const bundle = this.#bundle(now);
    this.#store.transact(() => {
      const row = this.#store.leaf(uri);
      if (row === undefined) return;
      const isNews = row.bundle !== has;
      const used = { usedRoot: root.id, usedUntil: notAfter };
      this.#store.putLeaf({ ...row, ...used, ...(isNews ? { bundle: has, bundleAt: now } : {}) });
    });
    return { bundle: bundle.pem, renew: root.state === 'outgoing' };
  }

  /** A certificate for the authority's own server. `publicKey`: SPKI, DER. */
  async serverCertificate(publicKey: Uint8Array, now: number): Promise<string> {
    const { trustDomain, idc } = this.#facts;
    const own: Identity = { trustDomain, idc, role: 'ca', name: 'ca' };
    return (await this.#issue(own, publicKey, now)).certificate;
  }

  /**
   * An identity gets no further certificate until it joins again, with a token that is made from now on.
   * Those that it has are refused here for ever: a copy of one stays useless when its owner has joined
   * again. Throws MeshError `not-found`.
   */
  revoke(uri: string, now: number): void {
    this.#store.transact(() => {
      const row = this.#store.leaf(uri);
      if (row === undefined) throw new MeshError('not-found', `${uri} has no certificate of this authority`);
      this.#store.putLeaf({ ...row, revokedAt: now });
      this.#store.refuse(uri, now);
    });
  }

  /** Adds a root that is trusted, and signs nothing yet. Throws MeshError `conflict` during a rotation. */
  async startRotation(now: number): Promise<void> {
    this.#checkNoRotation();
    const { trustDomain, rootDays } = this.#facts;
    const { certificate, key } = await makeRoot(trustDomain, now, rootDays);
    this.#store.transact(() => {
      this.#checkNoRotation();
      const id = Math.max(...this.#store.roots().map((root) => root.id)) + 1;
      writeRootKey(this.#folder, id, key);
      this.#store.addRoot({ id, certificate, state: 'incoming' });
    });
  }

  /** Lets the new root sign, if everybody has said to trust it; returns whether it does so from now on. */
  advance(now: number): boolean {
    return this.#store.transact(() => {
      const roots = this.#store.roots();
      const known = { roots, leaves: this.#store.leaves(), bundleHash: this.#bundle(now).hash, now };
      if (!maySign(known, this.#settleMs)) return false;
      for (const { id, state } of roots)
        this.#store.setRootState(id, state === 'incoming' ? 'signing' : 'outgoing');
      return true;
    });
  }

  /**
   * Removes the old root. Throws MeshError `conflict` that names who depends on it, or on the new root's not
   * signing yet.
   */
  finishRotation(now: number): void {
    const { rotation } = this.status(now);
    if (rotation.phase === 'none') throw new MeshError('conflict', 'no rotation is under way');
    if (rotation.phase === 'spreading')
      throw new MeshError(
        'conflict',
        `the new root signs nothing yet: ${waitText(rotation, 'have not said that they trust it')}`,
      );
    if (rotation.waitingFor.length > 0)
      throw new MeshError(
        'conflict',
        `the old root is needed: ${waitText(rotation, 'have a certificate of it')}; stop them, revoke them, or wait`,
      );
    const old = this.#store.roots().filter(({ state }) => state === 'outgoing');
    this.#store.transact(() => {
      for (const { id } of old) this.#store.dropRoot(id);
    });
    for (const { id } of old) removeRootKey(this.#folder, id);
  }

  #checkNoRotation(): void {
    if (this.#store.roots().length > 1)
      throw new MeshError('conflict', 'a rotation is under way: isthmus ca rotate status says how far it is');
  }

  #checkOwn({ trustDomain, idc }: Identity): void {
    const own = this.#facts;
    if (trustDomain === own.trustDomain && idc === own.idc) return;
    throw new MeshError(
      'invalid',
      `this authority is for spiffe://${own.trustDomain}/idc/${own.idc}/, not for IDC ${idc} of ${trustDomain}`,
    );
  }

  /** Who shows a certificate of this authority. Throws MeshError `forbidden`. */
  #known(shown: Uint8Array, now: number) {
    const { x509, identity, notBefore, notAfter } = readCertificate(shown);
    const uri = formatIdentity(identity);
    const roots = this.#store.roots();
    const issuer = issuerOf(x509, this.#bundle(now).roots);
    const root = roots.find(
      ({ certificate }) => parseX509(certificate).fingerprint256 === issuer?.fingerprint256,
    );
    if (root === undefined || notBefore > now || notAfter <= now)
      throw new MeshError('forbidden', `the certificate of ${uri} is not valid here: join with a new token`);
    if (identity.role === 'ca') throw new MeshError('forbidden', `${uri} is an authority`);
    const row = this.#store.leaf(uri);
    const issuedAt = notBefore + backdateMs;
    if (row === undefined || row.revokedAt !== null || issuedAt <= this.#store.refusedUntil(uri))
      throw new MeshError('forbidden', `${uri} was revoked: join with a new token`);
    return { uri, identity, root };
  }

  #signing(): RootRow {
    const root = this.#store.roots().find(({ state }) => state === 'signing');
    if (root === undefined) throw new MeshError('internal', 'no root of this authority signs');
    return root;
  }

  async #issue(identity: Identity, publicKey: Uint8Array, now: number) {
    this.#checkOwn(identity);
    const row = this.#signing();
    if (this.#loaded?.id !== row.id) {
      const key = readRootKey(this.#folder, row.id);
      this.#loaded = { id: row.id, root: await loadRoot({ certificate: row.certificate, key }) };
    }
    // Times in certificates are of whole seconds: one of the second of a revocation is as of the next.
    const refused = this.#store.refusedUntil(formatIdentity(identity));
    const issuedAt = Math.max(now, refused === 0 ? 0 : (Math.floor(refused / 1000) + 1) * 1000);
    const term = { notBefore: issuedAt - backdateMs, notAfter: now + this.#facts.leafMs };
    return { certificate: await issueLeaf(this.#loaded.root, identity, publicKey, term), root: row.id };
  }

  #note(certificate: string, root: number, before: LeafRow | undefined): void {
    const { x509, identity, notAfter } = readCertificate(certificate);
    this.#store.putLeaf({
      ...{ identity: formatIdentity(identity), serial: x509.serialNumber.toLowerCase(), root, notAfter },
      ...{ usedRoot: before?.usedRoot ?? root, usedUntil: before?.usedUntil ?? notAfter },
      ...{ bundle: before?.bundle ?? null, bundleAt: before?.bundleAt ?? null, revokedAt: null },
    });
  }

  #answer(certificate: string, now: number): Issued {
    return { certificate, bundle: this.#bundle(now).pem };
  }

  #bundle(now: number): Bundle {
    return readBundle(
      this.#store
        .roots()
        .map(({ certificate }) => certificate)
        .join('\n'),
      now,
    );
  }
}

const shownMax = 5;

function waitText({ waitingFor }: Rotation, what: string): string {
  if (waitingFor.length === 0) return 'all trust it since a moment ago, and it signs soon';
  const more = waitingFor.length - shownMax;
  const shown = waitingFor.slice(0, shownMax).join(', ');
  return `${counted(waitingFor.length, 'identity', 'identities')} ${what}: ${shown}${more > 0 ? ` and ${more} more` : ''}`;
}
