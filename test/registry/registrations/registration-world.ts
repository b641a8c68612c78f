import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/error.ts';
import { renderPath } from '../../../src/model/values/field-path.ts';
import { parseRegistration, type RegistrationKey } from '../../../src/registry/registrations/registration.ts';
import type { ClientOp } from '../../../src/registry/registrations/registrations-source.ts';
import {
  createRegistrationsSource,
  type RegistrationsSource,
} from '../../../src/registry/registrations/registrations-source.ts';
import type { SourceWorld } from '../contract.ts';
import type { RawObject } from '../objects.ts';

/** Reads the body of a registration as the API does. Throws MeshError `invalid`. */
export function readBody(key: RegistrationKey, raw: unknown): ClientOp {
  const { input, faults } = parseRegistration(key, raw);
  if (input !== undefined) return { type: 'register', key, input };
  throw new MeshError(
    'invalid',
    faults.map(({ path, message }) => `${renderPath(path)}: ${message}`).join(' '),
  );
}

/** Puts a row into the file as it is, as another version might have. */
export function writeRow(file: string, { namespace, name }: RegistrationKey, body: unknown): void {
  const db = new DatabaseSync(file, { timeout: 5_000 });
  db.exec(
    'CREATE TABLE IF NOT EXISTS registration (namespace TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (namespace, name)) STRICT, WITHOUT ROWID',
  );
  db.prepare('INSERT OR REPLACE INTO registration VALUES (?, ?, ?)').run(
    namespace,
    name,
    typeof body === 'string' ? body : JSON.stringify(body),
  );
  db.close();
}

/** The contract's world: one file; the source that was started last has it. */
export function registrationWorld(): SourceWorld {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-registrations-'));
  const file = join(folder, 'registrations.db');
  let running: { source: RegistrationsSource; stop: AbortController } | undefined;
  const keyOf = ({ metadata }: RawObject) => ({ namespace: metadata.namespace ?? '', name: metadata.name });
  const live = () => (running?.stop.signal.aborted ? undefined : running?.source);
  return {
    workloadsOnly: true,
    refusesMalformed: true,
    createSource() {
      const source = createRegistrationsSource({ file, clock: systemClock });
      return {
        ...source,
        async start(sink, signal) {
          running?.stop.abort();
          const stop = new AbortController();
          signal.addEventListener('abort', () => stop.abort());
          await source.start(sink, stop.signal);
          running = { source, stop };
        },
      };
    },
    async put(object) {
      const source = live();
      if (source !== undefined) await source.submit(readBody(keyOf(object), object.spec));
      else {
        const row = { generation: 1, state: 'ready', expired: false, ttlMs: 15_000, spec: object.spec };
        writeRow(file, keyOf(object), row);
      }
    },
    async remove(object) {
      await live()?.submit({ type: 'deregister', key: keyOf(object) });
      await live()?.facets.finalizers.release({ kind: 'WorkloadEntry', ...keyOf(object) });
    },
    async close() {
      running?.stop.abort();
      rmSync(folder, { recursive: true });
    },
  };
}
