import { isMap } from '../../base/raw-map.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import type { WorkloadEntry, WorkloadSpec } from '../../model/service.ts';
import { durationMeant, parseDurationMs } from '../../model/values/duration.ts';
import { type Fault, hasErrors, show } from '../parse/fault.ts';
import { Fields } from '../parse/fields.ts';
import { parseObject } from '../parse/object.ts';

/** Identifies an instance among all registrations. */
export interface RegistrationKey {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The state of a registration. `ready`: takes requests; `draining`: takes none, and stays registered;
 * `leaving`: deregistered, and some proxy may still have it; `gone`: no proxy has it, remembered for a while
 * so that a late request of the same generation cannot restore it.
 */
export type RegistrationState = 'ready' | 'draining' | 'leaving' | 'gone';

/** One generation of an instance. */
export interface Registration extends RegistrationKey {
  /** A higher number is a newer start. */
  readonly generation: number;
  readonly state: RegistrationState;
  /** Why it leaves: only a generation whose lease expired may register again. */
  readonly expired: boolean;
  /** The lease, in milliseconds. */
  readonly ttlMs: number;
  readonly spec: WorkloadSpec;
  /** Counts changes within this generation, to order replicas. */
  readonly edit: number;
  /** Ids of the other control planes that have, or had, this generation. */
  readonly knownTo: readonly string[];
}

/** The input of a registration. */
export interface RegistrationInput {
  /** Absent: a new generation, numbered by the control plane. */
  readonly generation?: number;
  readonly ttlMs: number;
  readonly spec: WorkloadSpec;
}

/** Bounds of a lease, in milliseconds. */
const ttlMsRange = { min: 1_000, max: 3_600_000, default: 15_000 } as const;

const workloadFields = ['address', 'ports', 'labels', 'locality', 'weight', 'network'] as const;
const ownFields = ['ttl', 'generation'] as const;
const known: readonly string[] = [...workloadFields, ...ownFields];

/** A parsed registration. All errors are found at once. */
interface ParsedRegistration {
  /** Absent if there is an error. */
  readonly input?: RegistrationInput;
  /** Paths are those of the request's body; `name` and `namespace` are from its path. */
  readonly faults: readonly Fault[];
}

/** Parses the body of a registration; never throws. An instance's fields are a WorkloadEntry's. */
export function parseRegistration(key: RegistrationKey, raw: unknown): ParsedRegistration {
  if (!isMap(raw)) {
    const message = `must be a JSON object with at least address, not ${show(raw)}.`;
    return { faults: [{ code: 'NotAnObject', severity: 'error', path: [], message }] };
  }
  const spec = Object.fromEntries(
    workloadFields.filter((field) => raw[field] !== undefined).map((field) => [field, raw[field]]),
  );
  const parsed = parseObject(
    { apiVersion: 'networking.istio.io/v1', kind: 'WorkloadEntry', metadata: { ...key }, spec },
    registrationOrigin(key),
  );
  // In the body the fields are at the top, and the name is in the path.
  const faults: Fault[] = parsed.faults.map((fault) => ({ ...fault, path: fault.path.slice(1) }));
  const fields = new Fields(raw, faults);
  for (const field in raw) {
    if (!known.includes(field))
      fields.unknown(`unknown field: correct or remove it.${didYouMean(field, known)}`, field);
  }
  const generation = fields.integer('generation', 1, Number.MAX_SAFE_INTEGER);
  const ttlMs = parseTtl(fields);
  if (hasErrors(faults) || parsed.object?.kind !== 'WorkloadEntry') return { faults };
  const input = { ttlMs, spec: parsed.object.spec, ...(generation === undefined ? {} : { generation }) };
  return { input, faults };
}

function parseTtl(fields: Fields): number {
  if (!fields.has('ttl')) return ttlMsRange.default;
  const { ttl: text } = fields.raw;
  const ttlMs = typeof text === 'string' ? parseDurationMs(text) : undefined;
  if (ttlMs === undefined)
    fields.error(`${show(text)} is not a duration: write it as '15s'.${durationMeant(text)}`, 'ttl');
  else if (ttlMs < ttlMsRange.min || ttlMs > ttlMsRange.max)
    fields.error(`${show(text)} is out of range: give 1s to 1h.`, 'ttl');
  return ttlMs ?? ttlMsRange.default;
}

/** The WorkloadEntry of a registration. Without a locality it is in `idc`, the control plane's. */
export function workloadOf(registration: Registration, idc: string): WorkloadEntry {
  const { namespace, name, spec } = registration;
  const meta = { namespace, name, labels: {}, annotations: {}, origin: registrationOrigin(registration) };
  const located = spec.locality !== undefined || idc === '' ? spec : { ...spec, locality: idc };
  return { kind: 'WorkloadEntry', meta, spec: located };
}

/** The name of a registration in messages. */
export function registrationOrigin({ namespace, name }: RegistrationKey): string {
  return `registration ${namespace}/${name}`;
}

/** The key of a registration as text. */
export function keyText({ namespace, name }: RegistrationKey): string {
  return `${namespace}/${name}`;
}

/** Parses the result of `keyText`. */
export function keyOfText(text: string): RegistrationKey {
  const at = text.indexOf('/');
  return { namespace: text.slice(0, at), name: text.slice(at + 1) };
}
