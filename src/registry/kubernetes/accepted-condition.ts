import type { KubeObject } from '../../kube/watch/watch-events.ts';
import type { Finding } from '../../model/finding.ts';

/** `meta/v1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
}

/** What an object's condition is about, and what it is now. */
export interface ReadStatus {
  readonly uid: string;
  readonly generation: number;
  readonly accepted: Condition | undefined;
  readonly programmed: Condition | undefined;
  /** Equal for versions of the object that differ only in status, or in what only the API server needs. */
  readonly content: string;
}

/** Reads it; undefined: the API server keeps no generations of the object. */
export function readStatus(object: KubeObject): ReadStatus | undefined {
  const { metadata, status } = object as StatusObject;
  const { uid, generation, labels, annotations } = metadata ?? {};
  if (uid === undefined || generation === undefined) return undefined;
  const conditions = Array.isArray(status?.conditions) ? status.conditions : [];
  return {
    ...{ uid, generation, accepted: conditions.find((one) => one?.type === acceptedType) },
    programmed: conditions.find((one) => one?.type === programmedType),
    content: JSON.stringify([uid, generation, labels, annotations]),
  };
}

interface StatusObject {
  readonly metadata?: KubeObject['metadata'] & {
    readonly generation?: number;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

const acceptedType = 'Accepted';

export const programmedType = 'Programmed';

/** Longest message of a condition, in characters. */
const messageMax = 4_096;

/** A finding as a condition tells of it. */
export type ConditionFinding = Pick<Finding, 'code' | 'severity' | 'path' | 'message'>;

/**
 * The condition that follows from all findings of an object. The same ones make the same condition, in
 * whatever order they were found: another process has nothing to write.
 */
export function acceptedCondition(
  findings: readonly ConditionFinding[],
  { generation, accepted }: ReadStatus,
  wallMs: number,
): Condition {
  const sorted = sortedOnce(findings.filter(({ severity }) => severity !== 'note'));
  const [refusal] = sorted.filter(refuses);
  const status = refusal === undefined ? 'True' : 'False';
  return {
    ...{ type: acceptedType, status, reason: refusal?.code ?? acceptedType },
    message: messageOf(sorted.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))),
    observedGeneration: generation,
    lastTransitionTime: sinceOf(accepted, status, wallMs),
  };
}

/** Since when a condition has its status; `before`: what it was. */
export function sinceOf(before: Condition | undefined, status: Condition['status'], wallMs: number): string {
  if (before?.status === status && before.lastTransitionTime) return before.lastTransitionTime;
  return new Date(wallMs).toISOString().replace(/\.\d+/, '');
}

/** Whether findings keep an object from having effect. */
export function isRefused(findings: readonly ConditionFinding[]): boolean {
  return findings.some(refuses);
}

/** Whether two conditions say the same. */
export function isSameCondition(a: Condition | undefined, b: Condition): boolean {
  return (
    a !== undefined &&
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration
  );
}

/** Whether a finding keeps an object from having effect. */
function refuses({ severity, code }: ConditionFinding): boolean {
  return severity === 'error' || code === 'OtherSourceCounts';
}

/** Those that refuse first, then by field; each once. */
function sortedOnce(findings: readonly ConditionFinding[]): readonly ConditionFinding[] {
  const texts = new Map(
    findings.map((one) => {
      const { path, code, message } = one;
      return [JSON.stringify([refuses(one) ? 0 : 1, path, code, message]), one];
    }),
  );
  return [...texts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** The lines that there is room for, and how many more there are. */
function messageOf(lines: readonly string[]): string {
  if (lines.length === 0) return 'It is in force.';
  let text = '';
  for (const [at, line] of lines.entries()) {
    const room = messageMax - 80 - text.length;
    if (line.length > room && at > 0) return `${text}\nAnd ${lines.length - at} more: see /problems.`;
    text += `${at === 0 ? '' : '\n'}${line.length > room ? `${line.slice(0, room)}…` : line}`;
  }
  return text;
}
