import { MeshError } from '../../base/error.ts';
import type { Evacuation } from '../../model/evacuation.ts';
import { ownApiVersion } from '../../model/values/api-version.ts';
import { renderPath } from '../../model/values/field-path.ts';
import type { Fault } from '../parse/fault.ts';
import { parseObject } from '../parse/object.ts';
import { type EvacuationFields, evacuationSpec } from '../parse/own/schema-evacuation.ts';
import type { RecordKind } from '../records/records-source.ts';
import { timeText } from '../records/stored-record.ts';

/** The location of an evacuation from the API, for messages. */
function evacuationOrigin(name: string): string {
  return `evacuation ${name}`;
}

/** The object of a name and a spec, or all errors; never throws. */
export function parseEvacuationSpec(name: string, spec: unknown): Evacuation | readonly Fault[] {
  const raw = { apiVersion: ownApiVersion, kind: 'Evacuation', metadata: { name }, spec };
  const { object, faults } = parseObject(raw, evacuationOrigin(name));
  return object?.kind === 'Evacuation' ? object : faults;
}

/** All errors of an evacuation, as text. */
export function describeEvacuationFaults(name: string, faults: readonly Fault[]): string {
  const words = faults.map(({ path, message }) => `${renderPath(path)}: ${message}`).join(' ');
  return `${evacuationOrigin(name)}: ${words}`;
}

/** The object of a name and a spec. Throws MeshError `invalid` with all errors. */
export function evacuationOf(name: string, spec: unknown): Evacuation {
  const parsed = parseEvacuationSpec(name, spec);
  if ('kind' in parsed) return parsed;
  throw new MeshError('invalid', describeEvacuationFaults(name, parsed));
}

/** A spec from outside, validated. Throws MeshError `invalid` with all errors. */
function fieldsOf(name: string, spec: unknown): EvacuationFields {
  evacuationOf(name, spec);
  return evacuationSpec.parse(spec);
}

/** Evacuations as records. */
export const evacuationRecords: RecordKind<EvacuationFields> = {
  plural: 'evacuations',
  unreadable: 'EvacuationsUnreadable',
  most: 1_000,
  // Their percentages change by the clock, too.
  endsByClock: false,
  objectOf: evacuationOf,
  refOf: (name) => ({ kind: 'Evacuation', namespace: '', name }),
  fieldsOf,
  shifted(spec, byMs) {
    const { starts, expires } = spec;
    const shift = (time: string) => timeText(Date.parse(time) + byMs);
    return { ...spec, expires: shift(expires), ...(starts !== undefined && { starts: shift(starts) }) };
  },
};
