import { isHttp } from '../call/call.ts';
import type { InjectedFault, LossMeasurement } from '../faults/loss.ts';
import type { Sample } from '../load/sample.ts';
import type { UpstreamEntry } from '../upstream/upstream-log.ts';

/** One execution of a request, at an instance. */
export interface Execution {
  readonly instance: string;
  readonly entry: UpstreamEntry;
  /** Milliseconds; infinite when the instance never ended it, and nobody ended the instance. */
  readonly from: number;
  readonly to: number;
}

/**
 * What was under way when a fault was injected may have been taken, or answered, so long around it, in
 * milliseconds.
 */
export const underWayMs = 500;

/** All executions by the id of their request, in the order in which they began. */
export function executionsOf(
  m: Pick<LossMeasurement, 'entries' | 'faults'>,
): ReadonlyMap<string, readonly Execution[]> {
  const all = [...m.entries].flatMap(([instance, list]) =>
    list.map((entry): Execution => {
      const killed = m.faults.find(
        ({ kind, struck, injected }) =>
          kind === 'kill' && struck.includes(instance) && entry.at <= injected.to,
      );
      const to = entry.ended?.at ?? killed?.injected.from ?? Number.POSITIVE_INFINITY;
      return { instance, entry, from: entry.at, to };
    }),
  );
  return Map.groupBy(
    all.sort((a, b) => a.from - b.from),
    ({ entry }) => entry.id,
  );
}

/** Whether an execution was under way, at what was struck, when a fault was injected. */
export function wasStruck({ instance, from, to }: Execution, { struck, injected }: InjectedFault): boolean {
  return struck.includes(instance) && from <= injected.to + underWayMs && to >= injected.from - underWayMs;
}

/**
 * Whether a request may be sent again once a try of it has begun (RFC 9110, 9.2.2), as far as nothing of its
 * answer has come.
 */
export function isReplayable({ call }: Sample): boolean {
  return call === undefined || (isHttp(call) && call.method === 'GET');
}

/** Whether two executions of a request are harmless as long as they do not overlap. */
export function isIdempotent({ call }: Sample): boolean {
  return call === undefined || (isHttp(call) && call.method !== 'POST');
}

/**
 * Executions of one request that overlap. A try at what was struck counts as over when the fault was
 * injected, for what may be replayed: a health check has shown by then that it is dead, and that a stopped
 * one, or one behind a broken network, goes on in the end cannot be known. PUT and DELETE have no such
 * excuse: only a process that was killed has surely ended.
 */
export function overlapsOf(
  sample: Sample,
  executions: readonly Execution[],
  faults: readonly InjectedFault[],
): number {
  const living = executions.flatMap((execution) => {
    if (!isReplayable(sample)) return [execution];
    const fault = faults.find((each) => wasStruck(execution, each) || wokeWith(execution, each));
    return fault ? [{ ...execution, to: Math.min(execution.to, fault.injected.from) }] : [execution];
  });
  return living.filter((each, i) =>
    living.some((other, j) => j < i && other.to > each.from && each.to > other.from),
  ).length;
}

/** Whether an execution began when a stopped instance went on, of what had been sent to it before. */
function wokeWith({ instance, from }: Execution, { kind, struck, healed }: InjectedFault): boolean {
  const since = from - healed.from;
  return kind !== 'kill' && struck.includes(instance) && since >= 0 && since <= underWayMs;
}
