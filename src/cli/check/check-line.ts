/** What is looked at, in the order of the output. */
export const checkTopics = [
  ...(['configuration', 'ports', 'addresses', 'tokens', 'clocks', 'gateways', 'versions'] as const),
] as const;

/** A part of what is looked at. */
type CheckTopic = (typeof checkTopics)[number];

/** `not seen`: it could not be looked at. */
type CheckResult = 'ok' | 'warn' | 'fail' | 'not seen';

/** One thing that was looked at. */
export interface CheckLine {
  readonly topic: CheckTopic;
  readonly result: CheckResult;
  /** The address, file or program that it is about. */
  readonly what: string;
  /** How it was looked at. */
  readonly tried: string;
  readonly found: string;
  /** What to do about it. */
  readonly todo?: string;
}

/** What a topic found, before it is told of which. */
export type Found = Omit<CheckLine, 'topic'>;

/** How many lines have each result. */
export function countResults(lines: readonly CheckLine[]): Readonly<Record<CheckResult, number>> {
  const of = (result: CheckResult) => lines.filter((line) => line.result === result).length;
  return { ok: of('ok'), warn: of('warn'), fail: of('fail'), 'not seen': of('not seen') };
}
