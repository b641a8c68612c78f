import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import type { Answer, Body } from '../contract/contract.ts';
import type { OperationId } from '../contract/operations.ts';
import { type Reply, refusalOf } from './api-client.ts';
import { backoffMs, type InstanceKey, type NamedClient } from './deregistration.ts';
import type { RegistrationClient } from './registration-client.ts';

/** The registered instance. */
export interface KeptInstance {
  readonly key: InstanceKey;
  /** The registration's body without the generation. */
  readonly body: Omit<Body<'register'>, 'generation'>;
  readonly ttlMs: number;
}

/** The generation, the same at all control planes. */
export interface LeaseGeneration {
  generation: number;
  /** A control plane has accepted it: from then on it yields to a newer one. */
  isRegistered: boolean;
}

/** Inputs of keeping a registration at one control plane. */
interface PlaneKeeping {
  readonly plane: NamedClient;
  readonly instance: KeptInstance;
  readonly lease: LeaseGeneration;
  readonly clock: Clock;
  readonly random: Random;
  readonly say: (words: string) => void;
  readonly signal: AbortSignal;
  /** ` at NAME` if there are several. */
  readonly atPlane: () => string;
  /** Other control planes that this one reports. */
  readonly onOthers: (names: readonly string[]) => void;
}

const answerMsMax = 5_000;
/** How long to wait for the proxies' confirmation; only its message depends on it. */
const confirmMsMax = 30_000;

/**
 * Registers at one control plane, then renews, through its outages. Resolves when it ends: stopped, or
 * deregistered by somebody else. Throws MeshError `invalid` if the first registration is refused.
 */
export function keepRegisteredAt(keeping: PlaneKeeping): Promise<void> {
  return new LeaseAtPlane(keeping).keep();
}

class LeaseAtPlane {
  readonly #keeping: PlaneKeeping;
  readonly #instance: KeptInstance;
  readonly #lease: LeaseGeneration;
  readonly #clock: Clock;
  readonly #say: (words: string) => void;
  readonly #signal: AbortSignal;
  readonly #atPlane: () => string;
  readonly #client: RegistrationClient;
  /** Whether the next registration here is the first. */
  #isFirst = true;

  constructor(keeping: PlaneKeeping) {
    this.#keeping = keeping;
    const { plane, instance, lease, clock, say, signal, atPlane } = keeping;
    this.#instance = instance;
    this.#lease = lease;
    this.#clock = clock;
    this.#say = say;
    this.#signal = signal;
    this.#atPlane = atPlane;
    this.#client = plane.client;
  }

  async keep(): Promise<void> {
    if (!(await this.#register())) return;
    while (!this.#signal.aborted) {
      await sleep(this.#clock, this.#instance.ttlMs / 3, this.#signal).catch(() => {});
      if (this.#signal.aborted || !(await this.#renewOnce())) return;
    }
  }

  async #register(): Promise<boolean> {
    for (;;) {
      const put = () =>
        this.#client.call('register', {
          path: this.#instance.key,
          body: { ...this.#instance.body, generation: this.#lease.generation },
          timeoutMs: answerMsMax,
        });
      const answer = await callUntilAnswered(this.#keeping, put);
      if (answer === undefined) return false;
      if (!answer.isRefused) {
        const { namespace, name } = this.#instance.key;
        this.#say(`registered ${namespace}/${name}, generation ${this.#lease.generation}${this.#atPlane()}`);
        this.#lease.isRegistered = true;
        const { warnings = [] } = answer.body;
        if (this.#isFirst)
          for (const words of warningsOf(answer)) this.#say(`warning${this.#atPlane()}: ${words}`);
        // What nothing selects is in no Group: no proxy has it, however many confirm.
        if (this.#isFirst && !warnings.some(({ code }) => code === 'NotSelected'))
          void this.#reportConfirmation();
        this.#isFirst = false;
        this.#keeping.onOthers(answer.body.controlPlanes ?? []);
        return true;
      }
      const { generation: newer } = answer;
      // The other machine's clock was ahead: this start is the newer one all the same.
      if (!this.#lease.isRegistered && answer.status === 409 && newer !== undefined)
        this.#lease.generation = newer + 1;
      else if (this.#isFirst && answer.status !== 409) throw new MeshError('invalid', refusalOf(answer));
      else {
        this.#say(`${refusalOf(answer)}; it is not registered${this.#atPlane()} any more, CMD goes on`);
        return false;
      }
    }
  }

  /** Repeating the registration changes nothing, and is answered once every proxy has it. */
  async #reportConfirmation(): Promise<void> {
    try {
      const answer = await this.#client.call('register', {
        path: this.#instance.key,
        body: { ...this.#instance.body, generation: this.#lease.generation },
        query: { wait: 'acked', timeout: `${confirmMsMax}ms` },
        timeoutMs: confirmMsMax + answerMsMax,
        heldMs: confirmMsMax,
        signal: this.#signal,
      });
      const { acked = false, waitingFor } = answer.isRefused ? {} : answer.body;
      const waiting = waitingFor?.join(', ') ?? 'some proxy';
      const of = this.#atPlane().replace(' at ', ' of ');
      this.#say(acked ? `every proxy${of} has it` : `not confirmed yet by ${waiting}`);
    } catch {
      // Stopped, or the control plane is unavailable.
    }
  }

  async #renewOnce(): Promise<boolean> {
    const post = () =>
      this.#client.call('renew', {
        path: this.#instance.key,
        query: { generation: this.#lease.generation },
        timeoutMs: answerMsMax,
      });
    const answer = await callUntilAnswered(this.#keeping, post);
    if (answer === undefined) return false;
    if (!answer.isRefused) return true;
    if (answer.status === 404) return this.#register();
    if (answer.status === 409) {
      this.#say(`${refusalOf(answer)}; not renewed${this.#atPlane()} any more, CMD goes on`);
      return false;
    }
    this.#say(`the lease is not renewed: ${refusalOf(answer)}; trying again`);
    return true;
  }
}

/** The warnings of a registration. */
function warningsOf({ body }: Answer<'register'>): string[] {
  return (body.warnings ?? []).map(({ path, message }) => `${path ? `${path}: ` : ''}${message}`);
}

/** Retries while the control plane is unavailable, until stopped. */
async function callUntilAnswered<Id extends OperationId>(
  { clock, random, say, signal, atPlane }: PlaneKeeping,
  ask: () => Promise<Reply<Id>>,
): Promise<Reply<Id> | undefined> {
  let pauseMs: number = backoffMs.first;
  let lost: number | undefined;
  while (!signal.aborted) {
    let why: string;
    try {
      const answer = await ask();
      if (!answer.isRefused || answer.status < 500) {
        if (lost !== undefined)
          say(`the control plane${atPlane()} is back after ${seconds(clock.now() - lost)}`);
        return answer;
      }
      why = refusalOf(answer);
    } catch (reason) {
      why = MeshError.from(reason).message;
    }
    if (lost === undefined) say(`${why}; trying again, CMD goes on`);
    lost ??= clock.now();
    await sleep(clock, pauseMs * (0.5 + random()), signal).catch(() => {});
    pauseMs = Math.min(2 * pauseMs, backoffMs.most);
  }
  return undefined;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
