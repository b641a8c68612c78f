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

/** What is to be taken out, and how long it may take. */
interface Deregistration {
  readonly planes: readonly NamedClient[];
  readonly key: InstanceKey;
  /** Which life; absent: whichever is there. */
  readonly generation?: number;
  /** Whether to wait until no proxy has it. */
  readonly wait: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** How it ended at a control plane. */
interface Farewell {
  readonly name: string;
  /**
   * `done`: gone, or without `wait` on its way; `owed`: some proxy has not confirmed; `away`: it does not
   * answer.
   */
  readonly end: 'done' | 'owed' | 'refused' | 'away';
  /** `owed`: by whom; `refused` and `away`: why. */
  readonly words: string;
  /** False: it said that no such instance was registered there. */
  readonly wasRegistered?: boolean;
}

/** Pauses between tries of a control plane that does not answer, in milliseconds. */
export const backoffMs = { first: 100, most: 2_000 } as const;
/** How long an answer may take, beyond what it waits for; milliseconds. */
const answerMsMax = 2_000;
/**
 * One question waits at most so long for proxies: one that stands still meanwhile is noticed. Milliseconds.
 */
const stepMs = 2_000;
/** How long one that has not answered yet is given when all others are done. Milliseconds. */
const graceMs = 1_000;

/**
 * Takes an instance out at all control planes at once. One that does not answer is tried again as long as
 * another one is still waited for, and holds nothing up after that; where none answers, all are tried for
 * `timeoutMs`. Never throws.
 */
export async function deregister(what: Deregistration): Promise<readonly Farewell[]> {
  const { planes, clock } = what;
  const until = clock.now() + what.timeoutMs;
  // Over when all that answer are done.
  const over = new AbortController();
  const ends = new Map<string, Farewell>();
  const answering = new Set<string>();

  function settle(): void {
    const open = planes.filter(({ name }) => !ends.has(name));
    if (ends.size === 0 || open.length === 0 || open.some(({ name }) => answering.has(name))) return;
    clock.after(graceMs, () => {
      if (![...answering].some((name) => !ends.has(name))) over.abort();
    });
  }

  async function one(plane: NamedClient): Promise<void> {
    const { name } = plane;
    const farewell = await removeAt(plane, what, until, over.signal, (isAnswering) => {
      if (isAnswering) answering.add(name);
      else answering.delete(name);
      if (!isAnswering) settle();
    });
    if (farewell.end !== 'away') ends.set(name, farewell);
    all.set(name, farewell);
    settle();
  }

  const all = new Map<string, Farewell>();
  await Promise.all(planes.map(one));
  return planes.map(({ name }) => all.get(name) as Farewell);
}

/** At one of them: first that it leaves, then that no proxy has it. */
async function removeAt(
  { name, client }: NamedClient,
  { key, generation, wait, clock, random }: Deregistration,
  until: number,
  over: AbortSignal,
  tell: (isAnswering: boolean) => void,
): Promise<Farewell> {
  let words = 'it does not answer';
  let owed: string | undefined;
  let wasRegistered: boolean | undefined;
  let pauseMs: number = backoffMs.first;
  const isOver = () => over.aborted && owed === undefined;
  for (let leaves = false; !isOver() && clock.now() < until; ) {
    const waitMs = wait && leaves ? Math.min(stepMs, Math.max(1, Math.round(until - clock.now()))) : 0;
    const query = { generation, ...(waitMs > 0 ? { wait: 'acked' as const, timeout: `${waitMs}ms` } : {}) };
    let answer: Reply<'deregister'> | undefined;
    try {
      const signal = leaves ? undefined : over;
      const timeoutMs = waitMs + answerMsMax;
      answer = await client.call('deregister', { path: key, query, timeoutMs, ...(signal && { signal }) });
    } catch (reason) {
      words = MeshError.from(reason).message;
    }
    if (answer?.isRefused && answer.status < 500) return { name, end: 'refused', words: refusalOf(answer) };
    if (answer?.isRefused === false) {
      wasRegistered ??= answer.body.was !== 'absent';
      if (!wait || (leaves && answer.status === 200)) return { name, end: 'done', words: '', wasRegistered };
      if (leaves) owed = answer.body.waitingFor?.join(', ') ?? 'some proxy';
      leaves = true;
      tell(true);
      continue;
    }
    if (answer !== undefined) words = refusalOf(answer);
    owed = undefined;
    tell(false);
    await sleep(clock, Math.min(pauseMs * (0.5 + random()), Math.max(1, until - clock.now())), over).catch(
      () => {},
    );
    pauseMs = Math.min(2 * pauseMs, backoffMs.most);
  }
  return owed === undefined ? { name, end: 'away', words } : { name, end: 'owed', words: owed };
}
