import { MeshError } from '../../base/error.ts';
import type { Evacuation } from '../../model/evacuation.ts';
import type { EvacuationFields } from '../parse/own/schema-evacuation.ts';
import { RecordStore, type RecordsOptions } from '../records/records-source.ts';
import type { SentRecord } from '../records/stored-record.ts';
import { noFacets, type Source } from '../source.ts';
import { evacuationOf, evacuationRecords } from './evacuation-record.ts';

/** Evacuations put by the API, as a source. */
export interface EvacuationsSource extends Source {
  /**
   * Puts or replaces an evacuation; resolves once it is on disk and was pushed. Throws MeshError `invalid`
   * for an invalid spec, `exhausted` for a new name when too many were put recently, `unavailable` if the
   * disk fails or before `start`; then nothing has changed. With `mustBeInForce` it throws `not-found` if
   * none of the name is in force: one that has ended, here or at a peer, is not restored.
   */
  put(name: string, spec: unknown, mustBeInForce?: boolean): Promise<Evacuation>;
  /**
   * Makes one in force end this many milliseconds from now. Throws MeshError `not-found` if there is none,
   * and as `put`.
   */
  renew(name: string, forMs: number): Promise<void>;
  /** Ends an evacuation; returns whether there was one. Throws MeshError `unavailable`, as `put`. */
  end(name: string): Promise<boolean>;
  /** All records, for peers: also ended ones, as long as an older record could still apply. */
  records(): readonly SentRecord<EvacuationFields>[];
  has(name: string): boolean;
}

/** Creates the `evacuations` source. */
export function createEvacuationsSource(options: RecordsOptions): EvacuationsSource {
  const { clock } = options;
  const store = new RecordStore(evacuationRecords, options);

  /** The evacuation in force of a name. Throws MeshError `not-found`. */
  function inForceNow(name: string) {
    const record = store.standing(name);
    if (record !== undefined && record.until > clock.wall()) return record;
    throw new MeshError('not-found', `evacuation ${name} is not in force: it has ended, or was ended`);
  }

  return {
    name: evacuationRecords.plural,
    start: (to, signal) => store.start(to, signal),
    objects: () => store.objects(),
    repair: (batch) => store.repair(batch),
    facets: noFacets,
    async put(name, spec, mustBeInForce = false) {
      const object = evacuationOf(name, spec);
      const fields = evacuationRecords.fieldsOf(name, spec);
      const { expiresAt: until } = object.spec;
      await store.put(name, (edit) => {
        // The next edit number without the clock: somebody who ended it at a peer meanwhile has a later one.
        return { edit: mustBeInForce ? inForceNow(name).edit + 1 : edit, spec: fields, until };
      });
      return object;
    },
    renew: (name, forMs) =>
      store.put(name, () => {
        const { spec: before, edit } = inForceNow(name);
        const until = Math.ceil(clock.wall() + forMs);
        const spec = { ...before, expires: new Date(until).toISOString() };
        evacuationOf(name, spec);
        return { edit: edit + 1, spec, until };
      }),
    async end(name) {
      const was = store.standing(name);
      if (was === undefined) return false;
      await store.put(name, (edit) => ({ edit, spec: null, until: was.until }));
      return true;
    },
    records: () => store.records(),
    has: (name) => store.standing(name) !== undefined,
  };
}
