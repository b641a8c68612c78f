import { keepProcess, systemClock } from '../../base/clock.ts';
import { contentHash } from '../../base/hash.ts';
import { createApiClient } from '../../client/api-client.ts';
import { readClientToken } from '../../client/registration-client.ts';
import { showAddress } from '../../model/values/listen-address.ts';
import type { AbortExpression } from '../options/abort-on.ts';
import type { EvacuationFlags } from '../options/evacuation.ts';
import { stopOnSignals } from '../process/stop-signals.ts';
import type { EvacuationTarget } from './evacuation-steps.ts';

/** What a command needs to evacuate an IDC. */
export interface EvacuationSession {
  readonly target: Omit<EvacuationTarget, 'say' | 'reason'>;
  readonly abortOn: AbortExpression;
  /** Aborted by a signal: changes have to be undone. */
  readonly signal: AbortSignal;
}

/**
 * Connects to the control planes, and runs `act`; `otherwise`: the message on a forced end, `prefix`: the
 * prefix of the Evacuation's name. Throws MeshError `invalid` for invalid flags, `unavailable` if a control
 * plane does not answer.
 */
export async function withSession(
  idc: string,
  flags: EvacuationFlags,
  { prefix, otherwise }: { readonly prefix: string; readonly otherwise: string },
  act: (session: EvacuationSession) => Promise<void>,
): Promise<void> {
  const { findPlanes } = await import('../../client/evacuation-planes.ts');
  const { parseAbortOn } = await import('../options/abort-on.ts');
  const abortOn = parseAbortOn(flags.abortOn);
  const token = readClientToken(flags.tokenFile, process.env);
  const clients = flags.admin.map((admin) => ({
    name: showAddress(admin),
    client: createApiClient({ admin, token }),
  }));
  const stopping = stopOnSignals(otherwise);
  // Timers of the clock do not keep the process alive.
  const letEnd = keepProcess();
  try {
    const groups = [...new Set(flags.group ?? [])].sort();
    const name = flags.name ?? `${prefix}${nameOf(idc, groups)}`;
    const planes = await findPlanes(clients, systemClock);
    await act({
      target: { planes, name, idc, groups, clock: systemClock },
      abortOn,
      signal: stopping.signal,
    });
  } finally {
    letEnd();
    stopping.end();
    await Promise.all(clients.map(({ client }) => client.close()));
  }
}

/** The name of an Evacuation, from IDC and Groups. */
function nameOf(idc: string, groups: readonly string[]): string {
  return groups.length === 0 ? idc : `${idc}-${contentHash(groups.join(' ')).slice(0, 8)}`;
}
