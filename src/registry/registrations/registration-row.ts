import type { Finding } from '../../model/finding.ts';
import { renderPath } from '../../model/values/field-path.ts';
import { hasErrors } from '../parse/fault.ts';
import type { LeaseRow } from './lease-worker.ts';
import {
  parseRegistration,
  type Registration,
  type RegistrationKey,
  type RegistrationState,
  registrationOrigin,
} from './registration.ts';

const states: readonly RegistrationState[] = ['ready', 'draining', 'leaving', 'gone'];

/** A registration in its stored form. */
export function encodeRow(registration: Registration): LeaseRow {
  const { namespace, name, ...body } = registration;
  return { namespace, name, body: JSON.stringify(body) };
}

type Decoded = { readonly registration: Registration } | { readonly problem: Finding };

/** Parses a row; an invalid one, or one of another version, is reported and left as it is. */
export function decodeRow(row: LeaseRow): Decoded {
  try {
    return decodeBody(row, JSON.parse(row.body));
  } catch {
    const message = 'its row on disk is not JSON: it is left unchanged; register the instance again.';
    return { problem: unreadable(row, '', message) };
  }
}

function unreadable(key: RegistrationKey, path: string, message: string): Finding {
  const { namespace, name } = key;
  return {
    ...{ code: 'RegistrationUnreadable', severity: 'error' },
    ...{ ref: { kind: 'WorkloadEntry', namespace, name }, where: registrationOrigin(key), path, message },
  };
}

/** The same for a parsed body; never throws. */
export function decodeBody(key: RegistrationKey, body: Readonly<Record<string, unknown>>): Decoded {
  const { namespace, name } = key;
  const problem = (path: string, message: string) => ({ problem: unreadable(key, path, message) }) as const;
  const { generation, state, expired, ttlMs, spec, edit, knownTo } = body;
  const { input, faults } = parseRegistration(key, { ...(spec as object), generation, ttl: `${ttlMs}ms` });
  const known = states.find((one) => one === state);
  if (input?.generation === undefined || known === undefined || hasErrors(faults)) {
    const [first] = faults;
    const what = first === undefined ? 'its record is incomplete' : first.message;
    return problem(renderPath(first?.path ?? []), `${what} Register the instance again.`);
  }
  const { ttlMs: lease, spec: read } = input;
  return {
    registration: {
      namespace,
      name,
      generation: input.generation,
      state: known,
      expired: expired === true,
      ttlMs: lease,
      spec: read,
      edit: Number.isSafeInteger(edit) ? Number(edit) : 0,
      knownTo: Array.isArray(knownTo) ? knownTo.map(String) : [],
    },
  };
}
