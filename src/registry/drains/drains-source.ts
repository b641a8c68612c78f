import { drainKey } from '../../model/drain.ts';
import { RecordStore, type RecordsOptions } from '../records/records-source.ts';
import { type SentRecord, timeMsMax } from '../records/stored-record.ts';
import { noFacets, type Source } from '../source.ts';
import { type DrainFields, drainRecords } from './drain-record.ts';

/** Identifies an instance. */
interface InstanceName {
  readonly namespace: string;
  readonly name: string;
}

/** What an operator says of a drain. */
interface DrainWords {
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
  /** It ends by itself after so many milliseconds; absent: it does not. */
  readonly forMs?: number | undefined;
}

/** Drains put by the API, as a source. */
export interface DrainsSource extends Source {
  /**
   * Drains an instance, declared or not; one that is drained already keeps its begin, and gets the new words
   * and end. Resolves once it is on disk and was pushed. Throws MeshError `exhausted` for a new name when too
   * many were put recently, `unavailable` if the disk fails or before `start`; then nothing has changed.
   */
  drain(instance: InstanceName, words: DrainWords): Promise<void>;
  /** Ends a drain; returns whether there was one. Throws MeshError `unavailable`, as `drain`. */
  undrain(instance: InstanceName): Promise<boolean>;
  /** All records, for peers: also ended ones, as long as an older record could still apply. */
  records(): readonly SentRecord<DrainFields>[];
}

/**
 * How long the end of a drain is remembered, in milliseconds: a control plane that was away for longer still
 * has the drain, and brings it back.
 */
const endRememberedMs = 24 * 3_600_000;

/** Creates the `drains` source. */
export function createDrainsSource(options: RecordsOptions): DrainsSource {
  const { clock } = options;
  const store = new RecordStore(drainRecords, options);
  const standing = (instance: InstanceName) => {
    const record = store.standing(drainKey(instance));
    return record !== undefined && record.until > clock.wall() ? record : undefined;
  };
  return {
    name: drainRecords.plural,
    start: (to, signal) => store.start(to, signal),
    objects: () => store.objects(),
    repair: (batch) => store.repair(batch),
    facets: noFacets,
    drain: (instance, { reason, by, forMs }) =>
      store.put(drainKey(instance), (edit) => {
        const wall = Math.floor(clock.wall());
        const until = forMs === undefined ? timeMsMax : Math.ceil(wall + forMs);
        const spec = {
          since: standing(instance)?.spec.since ?? new Date(wall).toISOString(),
          ...(forMs === undefined ? {} : { until: new Date(until).toISOString() }),
          ...(reason === undefined ? {} : { reason }),
          ...(by === undefined ? {} : { by }),
        };
        return { edit, spec: drainRecords.fieldsOf(drainKey(instance), spec), until };
      }),
    async undrain(instance) {
      if (standing(instance) === undefined) return false;
      const until = Math.floor(clock.wall()) + endRememberedMs;
      await store.put(drainKey(instance), (edit) => ({ edit, spec: null, until }));
      return true;
    },
    records: () => store.records(),
  };
}
