import { contract } from '../../../src/contract/contract.ts';
import type { AnswerSchema, Operation } from '../../../src/contract/operation.ts';
import { type OperationId, operations } from '../../../src/contract/operations.ts';
import { problem, problemType } from '../../../src/contract/problem.ts';

/** The operation that a request is of; undefined: there is none. */
export function operationOf(method: string, path: string): OperationId | undefined {
  const [bare = ''] = path.split('?');
  const ids = Object.keys(operations) as OperationId[];
  return ids.find((id) => {
    const pattern = operations[id].path.replaceAll(/\{\w+\}/g, '[^/]+');
    return operations[id].method === method && new RegExp(`^${pattern}$`).test(bare);
  });
}

/** What in an answer of the admin API is not as its contract has it; empty: nothing. */
export function contractFaults(
  method: string,
  path: string,
  answer: { readonly status: number; readonly type: string; readonly text: string },
): string[] {
  const id = operationOf(method, path);
  const answers: Readonly<Record<number, AnswerSchema>> =
    id === undefined ? {} : (contract[id] as Operation).answers;
  const said = answers[answer.status];
  if (said === undefined) return problemFaults(answer);
  if ('text' in said) return answer.type.startsWith('text/plain') ? [] : [`it is ${answer.type}, no text`];
  if (answer.type !== 'application/json') return [`it is ${answer.type}, no JSON`];
  const read = said.schema.safeParse(JSON.parse(answer.text));
  return read.success ? [] : read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

/** What in a refusal is no problem detail. */
export function problemFaults(answer: {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}): string[] {
  if (answer.status < 400) return [`${answer.status} is not in the contract`];
  if (answer.type !== problemType) return [`it is ${answer.type}, no ${problemType}`];
  const read = problem.safeParse(JSON.parse(answer.text));
  if (!read.success) return read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return read.data.status === answer.status ? [] : [`it says ${read.data.status}, not ${answer.status}`];
}
