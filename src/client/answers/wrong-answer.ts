import type { OperationId } from '../../contract/operations.ts';

/** An answer that was taken for one of a control plane by a few of its fields (`mayAnswer`). */
interface HeardAnswer {
  /** The address of the control plane. */
  readonly admin: string;
  readonly id: OperationId;
  readonly status: number;
  readonly body: unknown;
}

/** What is used of a schema. */
interface Checked {
  safeParse(body: unknown): {
    readonly error?: {
      readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
    };
  };
}

/** The last answer of each control plane to each question, in this process. */
const heard = new Map<string, HeardAnswer>();

/** More are not kept: a command asks some control planes a few questions. */
const heardMax = 200;

/** Keeps an answer, for `wrongAnswer`. */
export function noteAnswer(answer: HeardAnswer): void {
  const key = `${answer.admin} ${answer.id}`;
  heard.delete(key);
  heard.set(key, answer);
  const [oldest] = heard.keys();
  if (heard.size > heardMax && oldest !== undefined) heard.delete(oldest);
}

/**
 * After a fault of this process, which a wrong answer may have caused: the answer that is not as the contract
 * has it, in words; undefined: all are. Answers are not checked before, as commands would start later with
 * all schemas. `admin`: of this control plane alone.
 */
export async function wrongAnswer(admin?: string): Promise<string | undefined> {
  if (heard.size === 0) return undefined;
  const { contract } = await import('../../contract/contract.ts');
  const asked = [...heard.values()].filter((one) => admin === undefined || one.admin === admin);
  for (const { admin: where, id, status, body } of asked.reverse()) {
    const answers = contract[id].answers as Readonly<Record<number, object>>;
    const answer = answers[status] ?? {};
    if (!('schema' in answer)) continue;
    const { error } = (answer.schema as Checked).safeParse(body);
    const [issue] = error?.issues ?? [];
    if (issue === undefined) continue;
    const field = issue.path.length === 0 ? '' : `${issue.path.map(String).join('.').slice(0, 200)}: `;
    return `${where} is not the admin address of a control plane, or of one of another version: it answers ${id} with what none says (${field}${issue.message.slice(0, 200)}). Give its address with --admin, and run the isthmus of its version`;
  }
  return undefined;
}
