import { MeshError } from '../base/error.ts';
import type { Evacuation } from '../model/evacuation.ts';
import { renderPath } from './fault.ts';
import { parseObject } from './parse.ts';
import { ownApiVersion } from './schema.ts';

/** What was asked of a control plane about the evacuation of a name, as its peers and its disk have it. */
export interface EvacuationRecord {
  readonly name: string;
  /** Of two records the higher counts. */
  readonly edit: number;
  /** As in YAML; null: it was ended. */
  readonly spec: Readonly<Record<string, unknown>> | null;
  /** When it is over, whatever becomes of it, in milliseconds since the Unix epoch. */
  readonly until: number;
}

/** Where an evacuation that came by the API was read, for messages. */
export function originOf(name: string): string {
  return `evacuation ${name}`;
}

/** The object of a name and a spec. Throws MeshError `invalid` with all that is wrong. */
export function evacuationOf(name: string, spec: unknown): Evacuation {
  const raw = { apiVersion: ownApiVersion, kind: 'Evacuation', metadata: { name }, spec };
  const { object, faults } = parseObject(raw, originOf(name));
  if (object?.kind === 'Evacuation') return object;
  const words = faults.map(({ path, message }) => `${renderPath(path)}: ${message}`).join(' ');
  throw new MeshError('invalid', `${originOf(name)}: ${words}`);
}

/** Reads records that a peer or the disk has; what this version cannot read is left out. */
export function readRecords(raw: unknown): readonly EvacuationRecord[] {
  return Array.isArray(raw) ? raw.flatMap(readRecord) : [];
}

function readRecord(raw: unknown): readonly EvacuationRecord[] {
  if (typeof raw !== 'object' || raw === null) return [];
  const { name, edit, spec, until } = raw as Partial<Record<keyof EvacuationRecord, unknown>>;
  if (typeof name !== 'string' || !Number.isSafeInteger(edit) || !Number.isSafeInteger(until)) return [];
  const times = { name, edit: edit as number, until: until as number };
  if (spec === null) return [{ ...times, spec }];
  try {
    evacuationOf(name, spec);
    return [{ ...times, spec: spec as Record<string, unknown> }];
  } catch {
    return [];
  }
}

/** Whether `theirs` counts and not `ours`; of two equal edits one that all control planes agree on. */
export function isNewer(theirs: EvacuationRecord, ours: EvacuationRecord | undefined): boolean {
  if (ours === undefined || theirs.edit !== ours.edit) return theirs.edit > (ours?.edit ?? -1);
  return JSON.stringify(theirs.spec) > JSON.stringify(ours.spec);
}
