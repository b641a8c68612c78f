import { chmodSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { MeshError } from '../../base/error.ts';

/** Whether a root is trusted only, signs, or is trusted still. */
type RootState = 'incoming' | 'signing' | 'outgoing';

/** A root of the authority; its key is in a file of its own. */
export interface RootRow {
  readonly id: number;
  readonly certificate: string;
  readonly state: RootState;
}

/** The last certificate of an identity. Times in milliseconds since the Unix epoch. */
export interface LeafRow {
  readonly identity: string;
  readonly serial: string;
  readonly root: number;
  readonly notAfter: number;
  /** The root of the certificate that it showed last, or joined with, and how long that one is valid. */
  readonly usedRoot: number;
  readonly usedUntil: number;
  /** The hash of the bundle that it said to have, and when it said so first; null: none yet. */
  readonly bundle: string | null;
  readonly bundleAt: number | null;
  /** When it was revoked: no renewals; null: it was not. */
  readonly revokedAt: number | null;
}

/** A token: once, for one identity. `keyHash`: of the key that it was used for. */
interface TokenRow {
  readonly id: string;
  readonly hash: Uint8Array;
  readonly identity: string;
  readonly expiresAt: number;
  readonly keyHash: string | null;
  readonly certificate: string | null;
}

/** What an authority is for. */
export interface CaFacts {
  readonly idc: string;
  readonly trustDomain: string;
  /** How long leaves and roots are valid. */
  readonly leafMs: number;
  readonly rootDays: number;
}

const schemaVersion = 1;
const tables = [
  'fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID',
  'root (id INTEGER PRIMARY KEY, certificate TEXT NOT NULL, state TEXT NOT NULL) STRICT',
  'token (id TEXT PRIMARY KEY, hash BLOB NOT NULL, identity TEXT NOT NULL, expiresAt INTEGER NOT NULL, keyHash TEXT, certificate TEXT) STRICT',
  'leaf (identity TEXT PRIMARY KEY, serial TEXT NOT NULL, root INTEGER NOT NULL, notAfter INTEGER NOT NULL, usedRoot INTEGER NOT NULL, usedUntil INTEGER NOT NULL, bundle TEXT, bundleAt INTEGER, revokedAt INTEGER) STRICT',
  'refused (identity TEXT PRIMARY KEY, issuedUntil INTEGER NOT NULL) STRICT, WITHOUT ROWID',
];
// Another process of this authority, such as `isthmus ca token`, holds the file for some milliseconds.
const busyMs = 5_000;

/** The database of a certificate authority. Several processes may have it open. */
export class CaStore {
  readonly #db: DatabaseSync;

  /** Opens the file; `create`: makes it. Throws MeshError `not-found`, `conflict` or `unavailable`. */
  constructor(file: string, how: { readonly create: boolean }) {
    const isThere = statSync(file, { throwIfNoEntry: false }) !== undefined;
    if (how.create && isThere)
      throw new MeshError('conflict', `${file} is there already: another authority needs another folder`);
    if (!how.create && !isThere)
      throw new MeshError('not-found', `${file} does not exist: isthmus ca init makes an authority`);
    try {
      this.#db = new DatabaseSync(file, { timeout: busyMs });
      chmodSync(file, 0o600);
      this.#db.exec('PRAGMA journal_mode = WAL');
      this.#db.exec('PRAGMA synchronous = FULL');
      this.transact(() => this.#prepare());
    } catch (cause) {
      if (cause instanceof MeshError) throw cause;
      const { message } = cause as Error;
      throw new MeshError('unavailable', `${file} cannot be opened: ${message}`, { cause, ref: file });
    }
  }

  #prepare(): void {
    const version = Number(this.#db.prepare('PRAGMA user_version').get()?.user_version ?? 0);
    if (version !== 0 && version !== schemaVersion)
      throw new MeshError(
        'unsupported',
        `the database has the form ${version}, this version of Isthmus reads ${schemaVersion}`,
      );
    for (const table of tables) this.#db.exec(`CREATE TABLE IF NOT EXISTS ${table}`);
    this.#db.exec(`PRAGMA user_version = ${schemaVersion}`);
  }

  /** Runs `work`, all or nothing. */
  transact<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (reason) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw reason;
    }
  }

  close(): void {
    this.#db.close();
  }

  setFacts(facts: CaFacts): void {
    this.#run("INSERT INTO fact VALUES ('authority', ?)", JSON.stringify(facts));
  }

  /** Throws MeshError `not-found` if `init` did not end. */
  facts(): CaFacts {
    const row = this.#db.prepare("SELECT value FROM fact WHERE name = 'authority'").get();
    if (row === undefined)
      throw new MeshError('not-found', 'the authority was not made to the end: remove its folder, and init');
    return JSON.parse(String(row.value)) as CaFacts;
  }

  roots(): RootRow[] {
    return this.#db
      .prepare('SELECT id, certificate, state FROM root ORDER BY id')
      .all() as unknown as RootRow[];
  }

  addRoot({ id, certificate, state }: RootRow): void {
    this.#run('INSERT INTO root VALUES (?, ?, ?)', id, certificate, state);
  }

  setRootState(id: number, state: RootState): void {
    this.#run('UPDATE root SET state = ? WHERE id = ?', state, id);
  }

  dropRoot(id: number): void {
    this.#run('DELETE FROM root WHERE id = ?', id);
  }

  addToken({
    id,
    hash,
    identity,
    expiresAt,
  }: Pick<TokenRow, 'id' | 'hash' | 'identity' | 'expiresAt'>): void {
    this.#run('INSERT INTO token VALUES (?, ?, ?, ?, NULL, NULL)', id, hash, identity, expiresAt);
  }

  token(id: string): TokenRow | undefined {
    return this.#db.prepare('SELECT * FROM token WHERE id = ?').get(id) as unknown as TokenRow | undefined;
  }

  /** Uses a token; false: it was used meanwhile. */
  useToken(id: string, keyHash: string, certificate: string): boolean {
    const sql = 'UPDATE token SET keyHash = ?, certificate = ? WHERE id = ? AND keyHash IS NULL';
    return this.#run(sql, keyHash, certificate, id) === 1;
  }

  dropTokens(expiredBefore: number): void {
    this.#run('DELETE FROM token WHERE expiresAt < ?', expiredBefore);
  }

  /** Refuses, from now on, what an identity got until then: its certificates, and tokens. */
  refuse(identity: string, issuedUntil: number): void {
    this.#run('INSERT OR REPLACE INTO refused VALUES (?, ?)', identity, issuedUntil);
    this.#run('DELETE FROM token WHERE identity = ?', identity);
  }

  /** Certificates of an identity that were issued until then are refused; 0: none is. */
  refusedUntil(identity: string): number {
    const row = this.#db.prepare('SELECT issuedUntil FROM refused WHERE identity = ?').get(identity);
    return Number(row?.issuedUntil ?? 0);
  }

  /** How many tokens can still be used. */
  openTokens(now: number): number {
    const sql = 'SELECT count(*) AS n FROM token WHERE expiresAt > ? AND keyHash IS NULL';
    return Number(this.#db.prepare(sql).get(now)?.n ?? 0);
  }

  leaves(): LeafRow[] {
    return this.#db.prepare('SELECT * FROM leaf ORDER BY identity').all() as unknown as LeafRow[];
  }

  leaf(identity: string): LeafRow | undefined {
    return this.#db.prepare('SELECT * FROM leaf WHERE identity = ?').get(identity) as unknown as
      | LeafRow
      | undefined;
  }

  putLeaf(row: LeafRow): void {
    const { identity, serial, root, notAfter, usedRoot, usedUntil, bundle, bundleAt, revokedAt } = row;
    this.#run(
      'INSERT OR REPLACE INTO leaf VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      ...[identity, serial, root, notAfter, usedRoot, usedUntil, bundle, bundleAt, revokedAt],
    );
  }

  dropLeaves(expiredBefore: number): void {
    this.#run('DELETE FROM leaf WHERE notAfter < ? AND usedUntil < ?', expiredBefore, expiredBefore);
  }

  #run(sql: string, ...values: (string | number | Uint8Array | null)[]): number {
    return Number(this.#db.prepare(sql).run(...values).changes);
  }
}
