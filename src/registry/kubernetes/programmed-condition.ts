import type { ProxyProgress } from '../source.ts';
import { type Condition, programmedType, type ReadStatus, sinceOf } from './accepted-condition.ts';

/** What control planes say of an object's generation. */
export interface ProgrammedNews {
  readonly progress: ProxyProgress;
  /** All of them, and those that have not said that their proxies have it. */
  readonly planes: number;
  readonly awaited: readonly string[];
}

/** Whether it is said of this generation that all proxies have it; that is not said again. */
export function isProgrammed({ programmed, generation }: ReadStatus): boolean {
  return programmed?.status === 'True' && programmed.observedGeneration === generation;
}

/** What is said where the object, as it is, has no effect. */
export function notAccepted(read: ReadStatus, wallMs: number): Condition {
  return conditionOf(read, wallMs, 'False', 'NotAccepted', 'It is not in force: see Accepted.');
}

/** The condition that follows from what control planes say. */
export function programmedCondition(read: ReadStatus, news: ProgrammedNews, wallMs: number): Condition {
  const { progress, planes, awaited } = news;
  const { acked, proxies } = progress;
  const of = `${acked} of ${proxies} proxies`;
  if (awaited.length === 0)
    return conditionOf(
      read,
      wallMs,
      'True',
      programmedType,
      `${of} of ${planes} control planes have ACKed it.`,
    );
  const names = `${awaited.slice(0, 5).join(', ')}${awaited.length > 5 ? ', …' : ''}`;
  const message = `${of} have ACKed it, as far as is known. Not all of ${awaited.length} of ${planes} control planes: ${names}. See isthmus status there.`;
  return conditionOf(read, wallMs, 'False', 'Pending', message);
}

function conditionOf(
  { generation, programmed }: ReadStatus,
  wallMs: number,
  status: Condition['status'],
  reason: string,
  message: string,
): Condition {
  return {
    ...{ type: programmedType, status, reason, message, observedGeneration: generation },
    lastTransitionTime: sinceOf(programmed, status, wallMs),
  };
}
