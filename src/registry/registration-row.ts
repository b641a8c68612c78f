import { hasErrors, renderPath } from './fault.ts';
import type { Row } from './lease-worker.ts';
import { originOf, parseRegistration, type Registration, type RegistrationState } from './registration.ts';
import type { Problem } from './source.ts';

const states: readonly RegistrationState[] = ['ready', 'draining', 'leaving', 'gone'];

/** A registration as it is kept on disk. */
export function encodeRow(registration: Registration): Row {
  const { namespace, name, ...body } = registration;
  return { namespace, name, body: JSON.stringify(body) };
}

/** Reads a row back; one that another version wrote, or a hand, is told of and left as it is. */
export function decodeRow(row: Row): { registration: Registration } | { problem: Problem } {
  const { namespace, name } = row;
  const where = originOf(row);
  const problem = (path: string, message: string) =>
    ({ problem: { severity: 'error', where, path, message } }) as const;
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(row.body);
  } catch {
    return problem('', 'its row on disk is no JSON: it is left alone; register the instance again.');
  }
  const { generation, state, expired, ttlMs, spec } = body;
  const { input, faults } = parseRegistration(row, { ...(spec as object), generation, ttl: `${ttlMs}ms` });
  const known = states.find((one) => one === state);
  if (input?.generation === undefined || known === undefined || hasErrors(faults)) {
    const [first] = faults;
    const what = first === undefined ? 'its row on disk is not complete' : first.message;
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
    },
  };
}
