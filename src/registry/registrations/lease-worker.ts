import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** A stored row. `body` is JSON. */
export interface LeaseRow {
  readonly namespace: string;
  readonly name: string;
  readonly body: string;
}

/** Changes of one transaction. */
export interface Commit {
  readonly puts: readonly LeaseRow[];
  readonly drops: readonly { readonly namespace: string; readonly name: string }[];
  /** Node ids of proxies, and whether to remember them. */
  readonly proxies: readonly (readonly [node: string, known: boolean])[];
  /** The file is complete from now on: see `Opened`. */
  readonly isComplete: boolean;
}

/** The content of a file when opened. */
export interface Opened {
  readonly rows: readonly LeaseRow[];
  readonly proxies: readonly string[];
  /** Identifies the file among those of other control planes; created with it. */
  readonly id: string;
  /** Whether it has once had the complete state, so that a missing registration was removed, or is new. */
  readonly isComplete: boolean;
}

/** Messages of the thread: first that it is open, then one answer per commit. */
export type StoreAnswer =
  | Opened
  | { readonly done: true }
  | { readonly fault: { readonly code: string; readonly message: string } };

/** The form of the table, in `PRAGMA user_version`: another form is another program's. */
const schemaVersion = 1;

function open(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 0 });
  // One control plane per file: two would overwrite each other's data.
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  db.exec('PRAGMA journal_mode = WAL');
  // Each commit is on the disk before it is acknowledged.
  db.exec('PRAGMA synchronous = FULL');
  db.exec('BEGIN EXCLUSIVE');
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version ?? 0);
  if (version !== 0 && version !== schemaVersion) {
    throw new Error(`the file has the form ${version}, this version of Isthmus reads ${schemaVersion}`);
  }
  const hadFacts = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'fact'").get() !== undefined;
  db.exec(
    'CREATE TABLE IF NOT EXISTS registration (namespace TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (namespace, name)) STRICT, WITHOUT ROWID',
  );
  db.exec('CREATE TABLE IF NOT EXISTS proxy (node TEXT PRIMARY KEY) STRICT, WITHOUT ROWID');
  db.exec(
    'CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID',
  );
  const note = db.prepare('INSERT OR IGNORE INTO fact VALUES (?, ?)');
  note.run('id', randomUUID());
  // A file from before this fact existed has served alone.
  if (version !== 0 && !hadFacts) note.run('complete', 'yes');
  db.exec(`PRAGMA user_version = ${schemaVersion}`);
  db.exec('COMMIT');
  return db;
}

function faultOf(reason: unknown): StoreAnswer {
  const { message, code, errcode } = reason as Error & { code?: string; errcode?: number };
  // SQLITE_BUSY, with its extended codes.
  const isBusy = errcode !== undefined && (errcode & 0xff) === 5;
  return { fault: { code: isBusy ? 'busy' : String(code ?? ''), message } };
}

function main(port: NonNullable<typeof parentPort>, file: string): void {
  let db: DatabaseSync;
  try {
    db = open(file);
    const rows = db.prepare('SELECT namespace, name, body FROM registration').all() as unknown as LeaseRow[];
    const proxies = (db.prepare('SELECT node FROM proxy').all() as { node: string }[]).map(
      ({ node }) => node,
    );
    const facts = new Map(
      (db.prepare('SELECT name, value FROM fact').all() as { name: string; value: string }[]).map(
        ({ name, value }) => [name, value],
      ),
    );
    const isComplete = facts.has('complete');
    port.postMessage({ rows, proxies, id: facts.get('id') ?? '', isComplete } satisfies StoreAnswer);
  } catch (reason) {
    port.postMessage(faultOf(reason));
    return;
  }
  const put = db.prepare('INSERT OR REPLACE INTO registration VALUES (?, ?, ?)');
  const drop = db.prepare('DELETE FROM registration WHERE namespace = ? AND name = ?');
  const know = db.prepare('INSERT OR IGNORE INTO proxy VALUES (?)');
  const forget = db.prepare('DELETE FROM proxy WHERE node = ?');
  const complete = db.prepare("INSERT OR IGNORE INTO fact VALUES ('complete', 'yes')");
  port.on('message', (commit: Commit | 'close') => {
    if (commit === 'close') {
      db.close();
      port.close();
      return;
    }
    try {
      db.exec('BEGIN IMMEDIATE');
      for (const { namespace, name, body } of commit.puts) put.run(namespace, name, body);
      for (const { namespace, name } of commit.drops) drop.run(namespace, name);
      for (const [node, known] of commit.proxies) (known ? know : forget).run(node);
      if (commit.isComplete) complete.run();
      db.exec('COMMIT');
      port.postMessage({ done: true } satisfies StoreAnswer);
    } catch (reason) {
      if (db.isTransaction) db.exec('ROLLBACK');
      port.postMessage(faultOf(reason));
    }
  });
}

if (parentPort !== null) main(parentPort, workerData as string);
