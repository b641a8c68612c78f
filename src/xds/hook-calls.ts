import { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import type { TurnedAway } from './admission/admission-limits.ts';
import type { Hooks, Nack, RefusedStream, Stats } from './events.ts';
import { type SparseLog, shortList } from './sparse-log.ts';
import type { Session } from './stream/session.ts';

/** Calls the hooks of a server's user, and counts and logs what they are told. */
export class HookCalls {
  readonly #hooks: Hooks;
  readonly #stats: Stats;
  readonly #log: Logger;
  readonly #refusals: SparseLog;

  constructor(hooks: Hooks, stats: Stats, log: Logger, refusals: SparseLog) {
    this.#hooks = hooks;
    this.#stats = stats;
    this.#log = log;
    this.#refusals = refusals;
  }

  /** Calls a hook, if there is one. What it throws is logged. */
  call<K extends Exclude<keyof Hooks, 'onConfirmed'>>(
    name: K,
    argument: Parameters<NonNullable<Hooks[K]>>[0],
  ): void {
    try {
      (this.#hooks[name] as ((argument: unknown) => void) | undefined)?.(argument);
    } catch (error) {
      this.#log.error('hook failed', { hook: name, error: MeshError.from(error).message });
    }
  }

  nacked(nack: Nack): void {
    this.#stats.nacks += 1;
    if (!nack.isNews) this.#stats.refusedAgain += 1;
    const { type, version, message, names, refused } = nack;
    // If the message names no resource, any of the response may be the cause.
    const which = refused.length > 0 ? { refused: shortList(refused) } : { refusedOneOf: shortList(names) };
    const fields = { node: nack.stream.node.id, type, version, message, ...which };
    if (nack.isNews) this.#log.warn('NACK', fields);
    else this.#log.debug('NACK, repeated', fields);
    this.call('onNack', nack);
  }

  confirmed(session: Session): void {
    if (session.info.once) return;
    try {
      this.#hooks.onConfirmed?.(session.info, (concern) => session.hasConfirmed(concern));
    } catch (error) {
      this.#log.error('hook failed', { hook: 'onConfirmed', error: MeshError.from(error).message });
    }
  }

  streamRefused(refused: RefusedStream): void {
    const { peer, node, error } = refused;
    this.#refusals.warn('stream refused', { node, peer: peer.address, error: error.message });
    this.#stats.refused += 1;
    this.call('onStreamRefused', refused);
  }

  turnedAway(one: TurnedAway): void {
    const { peer, limit, error } = one;
    this.#refusals.warn('xDS client turned away', { peer, limit, error: error.message });
    this.call('onTurnedAway', one);
  }
}
