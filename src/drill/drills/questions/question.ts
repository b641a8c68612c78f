import type { Requests } from './requests.ts';
import type { Witnesses } from './witnesses.ts';

/** What a command answered. */
export interface CommandOutput {
  /** Its exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** When a question is asked; also the name of the phase. */
export type When = 'steady' | 'half dead' | 'nobody' | 'recovery';

/** What answers of commands are held against. */
export interface QuestionEvidence {
  readonly envoys: Witnesses;
  readonly requests: Requests;
}

/**
 * A question that an operator has, and the command that answers it. Both sides are put into the same words:
 * equal words agree.
 */
export interface Question {
  readonly id: string;
  readonly when: When;
  /** As an operator asks it. */
  readonly question: string;
  /** The command after `isthmus`, without `--admin` and `-o json`; `DIR` is a folder of proposed objects. */
  readonly command: string;
  /** The IDCs whose control planes are asked; default the one that is half dead. */
  readonly at?: readonly string[];
  /** It is asked before the step whose effect it foretells, and not again. */
  readonly isAhead?: boolean;
  /** What is done while the command runs, until it has ended: requests that it is to count. */
  during?(evidence: QuestionEvidence, ended: Promise<unknown>): Promise<void>;
  /** Where Envoys say it. */
  readonly witness: string;
  /** Whether the control plane must read proxies to know. */
  readonly reads: boolean;
  /** What the command says. Throws when its output is not what it should be. */
  said(output: CommandOutput, evidence: QuestionEvidence): string;
  /** What the Envoys say. */
  envoys(evidence: QuestionEvidence): Promise<string>;
  /** What the Envoys must say, so that the fault is seen to have taken effect. */
  readonly shows: RegExp;
  /** Whether both agree; default: the words are equal. */
  agrees?(said: string, envoys: string): boolean;
}

/** A question, and what was answered. */
export interface AnsweredQuestion
  extends Pick<Question, 'id' | 'when' | 'question' | 'command' | 'witness' | 'reads'> {
  readonly said: string;
  readonly envoys: string;
  readonly agreed: boolean;
  /** From the first time that it was asked to the answer that is judged, in milliseconds. */
  readonly tookMs: number;
  /** How often it was asked. */
  readonly times: number;
}

/** The JSON that a command printed. Throws SyntaxError for none, with what it wrote to standard error. */
export function jsonOf<T>({ stdout, stderr, code }: CommandOutput): T {
  try {
    return JSON.parse(stdout);
  } catch {
    throw new SyntaxError(`exit ${code}, no JSON: ${(stderr.trim() || stdout.trim()).slice(0, 300)}`);
  }
}

/** Whether two texts give nearly the same percentage first: within so many points. */
export function nearShares(points: number): (said: string, envoys: string) => boolean {
  const shareIn = (text: string) => Number(/([\d.]+) %/.exec(text)?.[1] ?? Number.NaN);
  return (said, envoys) => Math.abs(shareIn(said) - shareIn(envoys)) <= points;
}
