import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import { type Reply, refusalOf } from './api-client.ts';
import type { RegistrationClient } from './registration-client.ts';

/** A control plane, by the address of its admin interface. */
export interface NamedClient {
  readonly name: string;
  readonly client: RegistrationClient;
}

/** Names an instance. */
export interface InstanceKey {
  readonly namespace: string;
  readonly name: string;
}

/** The instance to deregister, and the time limit. */
interface Deregistration {
  readonly planes: readonly NamedClient[];
  readonly key: InstanceKey;
  /** Its generation; absent: any. */
  readonly generation?: number;
  /** Whether to wait until no proxy has it. */
  readonly wait: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** The result at a control plane. */
interface DeregistrationResult {
  readonly name: string;
  /** `done`: removed, or without `wait` accepted; `owed`: some proxy has not confirmed; `away`: no answer. */
  readonly end: 'done' | 'owed' | 'refused' | 'away';
  /** `owed`: the proxies; `refused` and `away`: the reason. */
  readonly words: string;
  /** False: no such instance was registered there. */
  readonly wasRegistered?: boolean;
}

/** Pauses between attempts at a control plane that does not answer, in milliseconds. */
export const backoffMs = { first: 100, most: 2_000 } as const;
/** Time limit of an answer beyond the wait it includes; milliseconds. */
const answerMsMax = 2_000;
/** Longest wait for proxies in one request, to detect a hung control plane. Milliseconds. */
const stepMs = 2_000;
/** Time for a control plane that has not answered yet when all others are done. Milliseconds. */
const graceMs = 1_000;

/**
 * Deregisters an instance at all control planes concurrently. One that does not answer is retried while
 * others are pending, and then no longer waited for; if none answers, all are retried for `timeoutMs`. Never
 * throws.
 */
export async function deregister(deregistration: Deregistration): Promise<readonly DeregistrationResult[]> {
  const { planes, clock } = deregistration;
  const deadline = clock.now() + deregistration.timeoutMs;
  // Aborted once all that answer are done.
  const othersDone = new AbortController();
  const results = new Map<string, DeregistrationResult>();
  const answering = new Set<string>();

  function endIfOthersDone(): void {
    const open = planes.filter(({ name }) => !results.has(name));
    if (results.size === 0 || open.length === 0 || open.some(({ name }) => answering.has(name))) return;
    clock.after(graceMs, () => {
      if (![...answering].some((name) => !results.has(name))) othersDone.abort();
    });
  }

  async function removeAtPlane(plane: NamedClient): Promise<void> {
    const { name } = plane;
    const farewell = await removeAt(plane, deregistration, deadline, othersDone.signal, (isAnswering) => {
      if (isAnswering) answering.add(name);
      else answering.delete(name);
      if (!isAnswering) endIfOthersDone();
    });
    if (farewell.end !== 'away') results.set(name, farewell);
    all.set(name, farewell);
    endIfOthersDone();
  }

  const all = new Map<string, DeregistrationResult>();
  await Promise.all(planes.map(removeAtPlane));
  return planes.map(({ name }) => all.get(name) as DeregistrationResult);
}

/** At one control plane: first deregisters, then waits until no proxy has the instance. */
async function removeAt(
  { name, client }: NamedClient,
  { key, generation, wait, clock, random }: Deregistration,
  deadline: number,
  othersDone: AbortSignal,
  onAnswering: (isAnswering: boolean) => void,
): Promise<DeregistrationResult> {
  let words = 'it does not answer';
  let unconfirmedBy: string | undefined;
  let wasRegistered: boolean | undefined;
  let pauseMs: number = backoffMs.first;
  const isOver = () => othersDone.aborted && unconfirmedBy === undefined;
  for (let isLeaving = false; !isOver() && clock.now() < deadline; ) {
    const waitMs = wait && isLeaving ? Math.min(stepMs, Math.max(1, Math.round(deadline - clock.now()))) : 0;
    const query = { generation, ...(waitMs > 0 ? { wait: 'acked' as const, timeout: `${waitMs}ms` } : {}) };
    let answer: Reply<'deregister'> | undefined;
    try {
      const signal = isLeaving ? undefined : othersDone;
      const timeoutMs = waitMs + answerMsMax;
      const call = { path: key, query, timeoutMs, heldMs: waitMs, ...(signal && { signal }) };
      answer = await client.call('deregister', call);
    } catch (reason) {
      words = MeshError.from(reason).message;
    }
    if (answer?.isRefused && answer.status < 500) return { name, end: 'refused', words: refusalOf(answer) };
    if (answer?.isRefused === false) {
      wasRegistered ??= answer.body.was !== 'absent';
      if (!wait || (isLeaving && answer.status === 200))
        return { name, end: 'done', words: '', wasRegistered };
      if (isLeaving) unconfirmedBy = answer.body.waitingFor?.join(', ') ?? 'some proxy';
      isLeaving = true;
      onAnswering(true);
      continue;
    }
    if (answer !== undefined) words = refusalOf(answer);
    unconfirmedBy = undefined;
    onAnswering(false);
    await sleep(
      clock,
      Math.min(pauseMs * (0.5 + random()), Math.max(1, deadline - clock.now())),
      othersDone,
    ).catch(() => {});
    pauseMs = Math.min(2 * pauseMs, backoffMs.most);
  }
  return unconfirmedBy === undefined
    ? { name, end: 'away', words }
    : { name, end: 'owed', words: unconfirmedBy };
}
