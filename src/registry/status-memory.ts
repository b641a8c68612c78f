import { type Ref, refKey } from '../model/object.ts';
import type { ObjectStatus, StatusSink } from './source.ts';

/** What became of a source's objects, as it was told last, for those who ask the source. */
interface StatusMemory extends StatusSink {
  /** Undefined: the object is in force and without a finding, or unknown. */
  statusOf(ref: Ref): ObjectStatus | undefined;
}

/** Creates it, empty. */
export function createStatusMemory(): StatusMemory {
  let statuses: ReadonlyMap<string, ObjectStatus> = new Map();
  return {
    statusOf: (ref) => statuses.get(refKey(ref)),
    setStatuses(all) {
      statuses = all;
    },
  };
}
