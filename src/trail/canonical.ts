import { MeshError } from '../base/error.ts';
import { idcNamePattern } from '../model/idc.ts';
import { guardedListeners, hopLimitMax, idcsMax, readsTrail, type TrailPolicy } from '../model/trail.ts';

export type { GuardedListener } from '../model/trail.ts';

/** The input of one filter. */
export type FilterPolicy = TrailPolicy;

/**
 * The canonical form of a policy: peers sorted, without fields that its listener does not read, so that a
 * filter which begins trails is not recompiled for a new peer. Equal forms give equal bytes. Throws MeshError
 * 'invalid' that names every fault.
 */
export function canonicalPolicy(policy: FilterPolicy): FilterPolicy {
  const { idc, peers, hopLimit, listener, enforce } = policy;
  const faults: string[] = [];
  for (const name of [idc, ...peers]) {
    if (!idcNamePattern.test(name))
      faults.push(`'${name}' is not an IDC name (must match ${idcNamePattern.source})`);
  }
  if (peers.includes(idc)) faults.push(`'${idc}' is its own peer`);
  if (new Set(peers).size !== peers.length) faults.push('a peer is named twice');
  if (peers.length >= idcsMax) faults.push(`${peers.length} peers, at most ${idcsMax - 1} are possible`);
  if (!Number.isInteger(hopLimit) || hopLimit < 0 || hopLimit > hopLimitMax) {
    faults.push(`hop limit ${hopLimit} is not an integer from 0 to ${hopLimitMax}`);
  }
  if (!guardedListeners.includes(listener))
    faults.push(`'${listener}' is none of ${guardedListeners.join(', ')}`);
  // An untyped policy without the field must not read as "off".
  if (typeof enforce !== 'boolean') faults.push('it does not say whether to enforce: true or false');
  if (faults.length > 0) {
    throw new MeshError('invalid', `Not a filter policy: ${faults.join('; ')}.`, { ref: policyRef(policy) });
  }
  if (!readsTrail(listener)) return { idc, peers: [], hopLimit: 0, listener, enforce: true };
  return { idc, peers: [...peers].sort(), hopLimit, listener, enforce };
}

/** Names a policy in messages: `IDC/listener`. */
export function policyRef(policy: FilterPolicy): string {
  return `${policy.idc}/${policy.listener}`;
}
