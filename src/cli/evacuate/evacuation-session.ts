import { keepProcess, systemClock } from '../../base/clock.ts';
import { contentHash } from '../../base/hash.ts';
import { createApiClient } from '../../client/api-client.ts';
import { readClientToken } from '../../client/registration-client.ts';
import { showAddress } from '../../model/values/listen-address.ts';
import type { AbortExpression } from '../options/abort-on.ts';
import type { EvacuationFlags } from '../options/evacuation.ts';
import { stopOnSignals } from '../process/stop-signals.ts';
import type { EvacuationTarget } from './evacuation-steps.ts';

/** What a command has that lets requests leave an IDC. */
export interface EvacuationSession {
  readonly target: Omit<EvacuationTarget, 'say' | 'reason'>;
  readonly abortOn: AbortExpression;
  /** Aborted by a signal: what was done is to be taken back. */
  readonly signal: AbortSignal;
}

/**
 * Reaches the control planes, and acts with them until that is done; `otherwise` is what becomes of it when
 * it is ended by force, `prefix` what the Evacuation's name begins with. Throws MeshError `invalid` for flags
 * that cannot be, `unavailable` when a control plane does not answer.
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
  // The clock's timers let a process end.
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

/** The name of an Evacuation by what leaves. */
function nameOf(idc: string, groups: readonly string[]): string {
  return groups.length === 0 ? idc : `${idc}-${contentHash(groups.join(' ')).slice(0, 8)}`;
}
