import { MeshError } from '../../base/error.ts';
import type { Evacuation } from '../../model/evacuation.ts';
import { ownApiVersion } from '../../model/values/api-version.ts';
import { renderPath } from '../../model/values/field-path.ts';
import type { Fault } from '../parse/fault.ts';
import { parseObject } from '../parse/object.ts';
import { type EvacuationFields, evacuationSpec } from '../parse/own/schema-evacuation.ts';

/** A control plane's record of the evacuation of a name, for its peers and its disk. */
export interface EvacuationRecord {
  readonly name: string;
  /** Of two records the higher one applies. */
  readonly edit: number;
  /**
   * Random id of the writer: of two equal edits the higher one applies. Empty: written by an earlier version.
   */
  readonly by: string;
  /** As in YAML; null: ended. */
  readonly spec: EvacuationFields | null;
  /** When it is over in any case, in milliseconds since the Unix epoch. */
  readonly until: number;
}

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
export function fieldsOf(name: string, spec: unknown): EvacuationFields {
  evacuationOf(name, spec);
  return evacuationSpec.parse(spec);
}

/** A record as sent to a peer: its times are of the sender's clock. */
export interface SentRecord extends EvacuationRecord {
  /** When it was sent, in milliseconds since the Unix epoch. */
  readonly at: number;
}

/**
 * Parses records from a peer, converting times to the clock that is at `now`: the remaining time is the same
 * at both. A peer of an earlier version sends no time; its times are used unchanged.
 */
export function readSentRecords(raw: unknown, now: number): readonly EvacuationRecord[] {
  if (!Array.isArray(raw)) return [];
  return raw.flatMap((one: Partial<SentRecord> | null) => {
    const behindMs = Number.isSafeInteger(one?.at) ? Math.floor(now) - Number(one?.at) : 0;
    return readRecord(one).map((record) => shiftTimes(record, behindMs));
  });
}

/** A record with its times shifted, in milliseconds. */
function shiftTimes(record: EvacuationRecord, byMs: number): EvacuationRecord {
  const until = record.until + byMs;
  if (record.spec === null) return { ...record, until };
  const { starts, expires } = record.spec;
  const shifted = (time: string) => timeText(Date.parse(time) + byMs);
  const times = { expires: shifted(expires), ...(starts !== undefined && { starts: shifted(starts) }) };
  return { ...record, spec: { ...record.spec, ...times }, until };
}

/** RFC 3339 has years of four digits. */
const timeMsMax = Date.UTC(9999, 11, 31);

function timeText(atMs: number): string {
  return new Date(Math.min(Math.max(atMs, 0), timeMsMax)).toISOString();
}

/** Parses records from disk; what this version cannot read is left out. */
export function readRecords(raw: unknown): readonly EvacuationRecord[] {
  return Array.isArray(raw) ? raw.flatMap(readRecord) : [];
}

function readRecord(raw: unknown): readonly EvacuationRecord[] {
  if (typeof raw !== 'object' || raw === null) return [];
  const { name, edit, by = '', spec, until } = raw as Partial<Record<keyof EvacuationRecord, unknown>>;
  if (typeof name !== 'string' || !Number.isSafeInteger(edit) || !Number.isSafeInteger(until)) return [];
  if (typeof by !== 'string') return [];
  const times = { name, edit: edit as number, by, until: until as number };
  if (spec === null) return [{ ...times, spec }];
  try {
    return [{ ...times, spec: fieldsOf(name, spec) }];
  } catch {
    return [];
  }
}

/**
 * Whether `theirs` replaces `ours`; for equal edits a choice on which all control planes agree, whatever
 * their clocks.
 */
export function isNewer(theirs: EvacuationRecord, ours: EvacuationRecord | undefined): boolean {
  if (ours === undefined || theirs.edit !== ours.edit) return theirs.edit > (ours?.edit ?? -1);
  return theirs.by > ours.by;
}
