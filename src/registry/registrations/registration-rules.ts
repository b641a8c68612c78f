import { MeshError } from '../../base/error.ts';
import type { LeaseState } from './lease-clock.ts';
import {
  type Registration,
  type RegistrationInput,
  type RegistrationKey,
  registrationOrigin,
} from './registration.ts';
import { mergeAbsence, mergeRegistrations } from './registration-merge.ts';

/** An operation on a registration. Without a generation it applies to any. */
export type RegistrationOp =
  | { readonly type: 'register'; readonly key: RegistrationKey; readonly input: RegistrationInput }
  | { readonly type: 'drain'; readonly key: RegistrationKey; readonly generation?: number | undefined }
  | { readonly type: 'resume'; readonly key: RegistrationKey; readonly generation?: number | undefined }
  | { readonly type: 'deregister'; readonly key: RegistrationKey; readonly generation?: number | undefined }
  /** Its lease expired. */
  | { readonly type: 'expire'; readonly key: RegistrationKey; readonly generation: number }
  /** No proxy has it any more. */
  | { readonly type: 'release'; readonly key: RegistrationKey }
  /** It was removed long enough ago that no late request can come. */
  | { readonly type: 'forget'; readonly key: RegistrationKey }
  /** Another control plane reported its record; undefined: none (any more). */
  | {
      readonly type: 'merge';
      readonly key: RegistrationKey;
      readonly theirs: Registration | undefined;
      readonly from: string;
      readonly theirLease: LeaseState;
    };

/** The result of an operation: the new record (undefined: none), and whether it changed. */
export interface Decision {
  readonly next: Registration | undefined;
  readonly changed: boolean;
}

/** What a decision needs besides the record. */
export interface RuleContext {
  /** Numbers generations that have no number. */
  readonly wallMs: number;
  /** No proxy has it. */
  readonly isFree: boolean;
  /** For a merge: the id of this control plane, and whether its lease runs anywhere but at the sender. */
  readonly self?: string;
  readonly runsElsewhere?: boolean;
}

/**
 * Decides what an operation does to a registration: pure. Throws MeshError `conflict` if a newer generation
 * has the name or this one has deregistered, `not-found` if there is nothing to drain.
 */
export function decideOp(
  current: Registration | undefined,
  op: RegistrationOp,
  context: RuleContext,
): Decision {
  const keep: Decision = { next: current, changed: false };
  switch (op.type) {
    case 'register':
      return register(current, op.key, op.input, context.wallMs);
    case 'drain':
    case 'resume': {
      const from = op.type === 'drain' ? 'ready' : 'draining';
      const live = requireLive(current, op.key, op.generation);
      if (live.state !== from) return keep;
      const state = op.type === 'drain' ? 'draining' : 'ready';
      return { next: { ...live, state, edit: live.edit + 1 }, changed: true };
    }
    case 'deregister': {
      // An older generation is removed already; the record is a newer one's.
      if (current === undefined || (op.generation ?? current.generation) !== current.generation) return keep;
      if (current.state === 'gone' || (current.state === 'leaving' && !current.expired)) return keep;
      const isRemoved = current.state === 'draining' && context.isFree;
      return { next: { ...current, state: isRemoved ? 'gone' : 'leaving', expired: false }, changed: true };
    }
    case 'expire':
      if (!isLive(current) || current.generation !== op.generation) return keep;
      return { next: { ...current, state: 'leaving', expired: true }, changed: true };
    case 'release':
      if (current?.state !== 'leaving') return keep;
      // A generation whose lease expired may register again: nothing has to be remembered.
      return { next: current.expired ? undefined : { ...current, state: 'gone' }, changed: true };
    case 'forget':
      return current?.state === 'gone' ? { next: undefined, changed: true } : keep;
    case 'merge': {
      const { self = '', runsElsewhere = false, isFree } = context;
      const { theirs, from, theirLease } = op;
      if (theirs === undefined && current === undefined) return keep;
      const next =
        theirs === undefined
          ? mergeAbsence(current as Registration, { from, runsElsewhere })
          : mergeRegistrations(current, theirs, { self, from, theirLease, runsElsewhere, isFree });
      return { next, changed: next !== current };
    }
  }
}

/** Whether it is registered: ready or draining. */
export function isLive(registration: Registration | undefined): registration is Registration {
  return registration?.state === 'ready' || registration?.state === 'draining';
}

/** The registration, if it has this generation. Throws MeshError `not-found` or `conflict`. */
export function requireLive(
  current: Registration | undefined,
  key: RegistrationKey,
  generation: number | undefined,
): Registration {
  if (current === undefined || (generation !== undefined && generation > current.generation))
    throw new MeshError('not-found', `${registrationOrigin(key)} is not registered: register it (again)`);
  if (generation !== undefined && generation < current.generation) throw superseded(current, generation);
  if (current.state === 'ready' || current.state === 'draining') return current;
  if (current.expired)
    throw new MeshError(
      'not-found',
      `the lease of ${registrationOrigin(key)} has run out: register it again`,
    );
  throw new MeshError(
    'conflict',
    `${registrationOrigin(key)} has deregistered: a new life needs a higher generation`,
  );
}

function register(
  current: Registration | undefined,
  key: RegistrationKey,
  input: RegistrationInput,
  wallMs: number,
): Decision {
  const generation = input.generation ?? Math.max(wallMs, (current?.generation ?? 0) + 1);
  const { ttlMs, spec } = input;
  const life = { ...key, generation, edit: 0, knownTo: [] };
  const registered: Registration = { ...life, state: 'ready', expired: false, ttlMs, spec };
  if (current === undefined || generation > current.generation) return { next: registered, changed: true };
  if (generation < current.generation) throw superseded(current, generation);
  if (current.state === 'leaving' && current.expired) return { next: registered, changed: true };
  requireLive(current, key, generation);
  // The same generation again: an operator's drain stays.
  const { state, edit, knownTo } = current;
  const next: Registration = { ...registered, state, edit: edit + 1, knownTo };
  const changed = JSON.stringify([next.ttlMs, next.spec]) !== JSON.stringify([current.ttlMs, current.spec]);
  return changed ? { next, changed } : { next: current, changed };
}

function superseded(current: Registration, generation: number): MeshError {
  const message = `${registrationOrigin(current)} has a newer life, generation ${current.generation}; ${generation} is older`;
  return new MeshError('conflict', message, { ref: String(current.generation) });
}
