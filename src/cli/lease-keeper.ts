import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import type { ClientAnswer, RegistrationClient } from './registration-client.ts';
import { refusalOf } from './registration-client.ts';

/** What is kept registered. */
export interface KeptInstance {
  /** Its path in the API. */
  readonly path: string;
  /** The body of its registration, without the generation. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly ttlMs: number;
}

/** What the keeper needs. */
export interface KeeperOptions {
  readonly client: RegistrationClient;
  readonly clock: Clock;
  readonly random: Random;
  /** Tells a person what happens. */
  readonly say: (words: string) => void;
}

/** Keeps one life of an instance registered. */
export interface LeaseKeeper {
  /**
   * Registers, then renews until it is stopped, over any absence of the control plane. Resolves when it ends: stopped,
   * or when somebody else has taken the instance out. Throws MeshError `invalid` when the first registration is
   * refused for what it is or who sends it.
   */
  keep(instance: KeptInstance, signal: AbortSignal): Promise<void>;
  /** Whether anybody may know of the instance: it was to be registered, whatever came of it. */
  readonly isKnown: boolean;
  /** Takes the instance out; true when that was done, with `wait` by every proxy. Gives up after `timeoutMs`. */
  remove(wait: boolean, timeoutMs: number): Promise<boolean>;
}

const backoffMs = { first: 100, most: 2_000 } as const;
const answerMsMax = 5_000;
/** How long it is waited to hear that every proxy has a registration; nothing else waits for that. */
const confirmMsMax = 30_000;

/** Creates the keeper of one life: a new one is a new life. */
export function createLeaseKeeper({ client, clock, random, say }: KeeperOptions): LeaseKeeper {
  // Lives are numbered by time, so that a newer one is newer whoever starts it.
  let generation = Math.max(1, Math.floor(clock.wall()));
  let known: KeptInstance | undefined;

  /** Repeats while the control plane is away, until `signal` aborts or `untilMs` (of the clock) has passed. */
  async function persist(
    ask: () => Promise<ClientAnswer>,
    signal: AbortSignal | undefined,
    untilMs = Number.POSITIVE_INFINITY,
  ): Promise<ClientAnswer | undefined> {
    let pauseMs: number = backoffMs.first;
    let lost: number | undefined;
    while (!signal?.aborted) {
      let why: string;
      try {
        const answer = await ask();
        if (answer.status < 500) {
          if (lost !== undefined) say(`the control plane is back after ${seconds(clock.now() - lost)}`);
          return answer;
        }
        why = refusalOf(answer);
      } catch (reason) {
        why = MeshError.from(reason).message;
      }
      if (lost === undefined) say(`${why}; trying again, CMD goes on`);
      lost ??= clock.now();
      const waitMs = pauseMs * (0.5 + random());
      if (clock.now() + waitMs > untilMs) return undefined;
      await sleep(clock, waitMs, signal).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, backoffMs.most);
    }
    return undefined;
  }

  async function register(instance: KeptInstance, isFirst: boolean, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const put = () =>
        client.call('PUT', instance.path, { body: { ...instance.body, generation }, timeoutMs: answerMsMax });
      const answer = await persist(put, signal);
      if (answer === undefined) return false;
      if (answer.status < 300) {
        say(`registered ${instance.path.slice(1)}, generation ${generation}`);
        if (isFirst) void tellConfirmed(instance, signal);
        return true;
      }
      const { generation: newer } = answer.body;
      // A clock that runs behind, on another machine: this life is the newer one all the same.
      if (isFirst && answer.status === 409 && typeof newer === 'number') generation = newer + 1;
      else if (isFirst && answer.status !== 409) throw new MeshError('invalid', refusalOf(answer));
      else {
        say(`${refusalOf(answer)}; it is not registered any more, CMD goes on`);
        return false;
      }
    }
  }

  /** The same registration again changes nothing, and is answered when every proxy has it. */
  async function tellConfirmed(instance: KeptInstance, signal: AbortSignal): Promise<void> {
    try {
      const { body } = await client.call('PUT', instance.path, {
        body: { ...instance.body, generation },
        query: { wait: 'acked', timeout: `${confirmMsMax}ms` },
        timeoutMs: confirmMsMax + answerMsMax,
        signal,
      });
      const waiting = Array.isArray(body.waitingFor) ? body.waitingFor.join(', ') : 'some proxy';
      say(body.acked === true ? 'every proxy has it' : `not confirmed yet by ${waiting}`);
    } catch {
      // Stopped, or the control plane went away: nothing to tell.
    }
  }

  async function renewOnce(instance: KeptInstance, signal: AbortSignal): Promise<boolean> {
    const post = () =>
      client.call('POST', `${instance.path}/renew`, { query: { generation }, timeoutMs: answerMsMax });
    const answer = await persist(post, signal);
    if (answer === undefined) return false;
    if (answer.status < 300) return true;
    if (answer.status === 404) return register(instance, false, signal);
    if (answer.status === 409) {
      say(`${refusalOf(answer)}; not renewed any more, CMD goes on`);
      return false;
    }
    say(`the lease is not renewed: ${refusalOf(answer)}; trying again`);
    return true;
  }

  return {
    async keep(instance, signal) {
      known = instance;
      if (!(await register(instance, true, signal))) return;
      while (!signal.aborted) {
        await sleep(clock, instance.ttlMs / 3, signal).catch(() => {});
        if (signal.aborted || !(await renewOnce(instance, signal))) return;
      }
    },
    get isKnown() {
      return known !== undefined;
    },
    async remove(wait, timeoutMs) {
      if (known === undefined) return true;
      const { path } = known;
      const until = clock.now() + timeoutMs;
      const remove = () => {
        const leftMs = Math.max(1, Math.round(until - clock.now()));
        const query = { generation, ...(wait ? { wait: 'acked', timeout: `${leftMs}ms` } : {}) };
        return client.call('DELETE', path, { query, timeoutMs: leftMs + answerMsMax });
      };
      const answer = await persist(remove, undefined, until);
      if (answer?.status === 200) return true;
      const waiting = answer?.body.waitingFor;
      say(
        answer === undefined
          ? 'not deregistered: the control plane does not answer; the lease will run out'
          : answer.status === 202
            ? `deregistered, not confirmed in time by ${Array.isArray(waiting) ? waiting.join(', ') : 'some proxy'}`
            : `not deregistered: ${refusalOf(answer)}`,
      );
      return false;
    },
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
