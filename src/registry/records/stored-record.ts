/** A control plane's record of what a client of the API has put under a name, for its peers and its disk. */
export interface StoredRecord<Spec> {
  readonly name: string;
  /** Of two records the higher one applies. */
  readonly edit: number;
  /**
   * Random id of the writer: of two equal edits the higher one applies. Empty: written by an earlier version.
   */
  readonly by: string;
  /** What was put; null: ended. */
  readonly spec: Spec | null;
  /** When it is over in any case, in milliseconds since the Unix epoch. */
  readonly until: number;
}

/** A record as sent to a peer: its times are of the sender's clock. */
export type SentRecord<Spec> = StoredRecord<Spec> & {
  /** When it was sent, in milliseconds since the Unix epoch. */
  readonly at: number;
};

/** How the spec of a record is read, and its times are moved. */
export interface SpecReader<Spec> {
  /** Validates a spec from outside. Throws MeshError `invalid` with all errors. */
  fieldsOf(name: string, spec: unknown): Spec;
  /** The spec with its times moved, in milliseconds. */
  shifted(spec: Spec, byMs: number): Spec;
}

/** RFC 3339 has years of four digits; what has no end ends then. */
export const timeMsMax = Date.UTC(9999, 11, 31);

/** A time as RFC 3339, within the years that it can express. */
export function timeText(atMs: number): string {
  return new Date(Math.min(Math.max(atMs, 0), timeMsMax)).toISOString();
}

/**
 * Parses records from a peer, converting times to the clock that is at `now`: the remaining time is the same
 * at both. A peer of an earlier version sends no time; its times are used unchanged.
 */
export function readSentRecords<Spec>(
  reader: SpecReader<Spec>,
  raw: unknown,
  now: number,
): readonly StoredRecord<Spec>[] {
  if (!Array.isArray(raw)) return [];
  return raw.flatMap((one: Partial<SentRecord<Spec>> | null) => {
    const behindMs = Number.isSafeInteger(one?.at) ? Math.floor(now) - Number(one?.at) : 0;
    return readRecord(reader, one).map((record) => shiftTimes(reader, record, behindMs));
  });
}

function shiftTimes<Spec>(
  reader: SpecReader<Spec>,
  record: StoredRecord<Spec>,
  byMs: number,
): StoredRecord<Spec> {
  const { spec } = record;
  const until = record.until >= timeMsMax ? record.until : record.until + byMs;
  return { ...record, spec: spec && reader.shifted(spec, byMs), until };
}

/** Parses records from disk; what this version cannot read is left out. */
export function readRecords<Spec>(reader: SpecReader<Spec>, raw: unknown): readonly StoredRecord<Spec>[] {
  return Array.isArray(raw) ? raw.flatMap((one) => readRecord(reader, one)) : [];
}

function readRecord<Spec>(reader: SpecReader<Spec>, raw: unknown): readonly StoredRecord<Spec>[] {
  if (typeof raw !== 'object' || raw === null) return [];
  const { name, edit, by = '', spec, until } = raw as Partial<Record<keyof StoredRecord<Spec>, unknown>>;
  if (typeof name !== 'string' || !Number.isSafeInteger(edit) || !Number.isSafeInteger(until)) return [];
  if (typeof by !== 'string') return [];
  const times = { name, edit: edit as number, by, until: until as number };
  if (spec === null) return [{ ...times, spec }];
  try {
    return [{ ...times, spec: reader.fieldsOf(name, spec) }];
  } catch {
    return [];
  }
}

/**
 * Whether `theirs` replaces `ours`; for equal edits a choice on which all control planes agree, whatever
 * their clocks.
 */
export function isNewer(
  theirs: StoredRecord<unknown>,
  ours: Pick<StoredRecord<unknown>, 'edit' | 'by'> | undefined,
): boolean {
  if (ours === undefined || theirs.edit !== ours.edit) return theirs.edit > (ours?.edit ?? -1);
  return theirs.by > ours.by;
}
