import { MeshError } from '../../base/error.ts';
import { askProblems, askStatus } from '../../client/status-client.ts';
import type { ShownFinding } from '../../contract/status.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { findingText, isAgainstSynced } from './unfulfilled.ts';

/** The status of a control plane, as clients get it. */
type PlaneStatus = Awaited<ReturnType<typeof askStatus>>;

/** What a control plane says of a goal. */
export interface PlaneState extends Pick<PlaneStatus, 'idc' | 'others'> {
  readonly status: PlaneStatus;
  /** Of registry objects and their sources; empty unless the goal depends on them. */
  readonly problems: readonly ShownFinding[];
}

/** What can be waited for; a number: that proxies have what a revision of the control plane includes. */
export type Goal = 'synced' | 'ready' | number;

/** Reads a goal as `--for` takes it. Throws MeshError `invalid`. */
export function parseGoal(text: string): Goal {
  if (text === 'synced' || text === 'ready') return text;
  const number = Number(text);
  if (/^[0-9]+$/.test(text) && number >= 1 && Number.isSafeInteger(number)) return number;
  throw new MeshError('invalid', `'${text}' is not a goal: give synced, ready, or the number of a revision`);
}

/** A goal in words, after `not`. */
export function describeGoal(goal: Goal): string {
  return typeof goal === 'number' ? `at revision ${goal}` : goal;
}

/** Asks a control plane what a goal depends on, within `withinMs`. Rejects with MeshError as `askStatus`. */
export async function askState(goal: Goal, admin: ListenAddress, withinMs?: number): Promise<PlaneState> {
  const [status, problems] = await Promise.all([
    askStatus(admin, withinMs),
    goal === 'synced' ? askProblems(admin, withinMs) : [],
  ]);
  return { idc: status.idc, others: status.others, status, problems };
}

/** Why a control plane has not reached a goal, a line for each reason; none: it has. `admin`: its address. */
export function reasonsAgainst(goal: Goal, admin: string, { status, problems }: PlaneState): string[] {
  const { idc, ready, waitingFor, proxies, revision } = status;
  const name = `${idc} at ${admin}`;
  const waits = waitingFor.length === 0 ? 'new proxies are refused' : `it waits for ${waitingFor.join(', ')}`;
  if (!ready) return [`${name} is not ready: ${waits}`];
  if (goal === 'ready') return [];
  // An earlier version does not say at which revision it is.
  if (typeof goal === 'number' && !(revision >= goal))
    return [`${name} ${revision === undefined ? 'does not say its revision' : `is at revision ${revision}`}`];
  const late = proxies.flatMap(({ id, types }) => {
    const behind = Object.entries(types).filter(([, { state }]) => state !== 'SYNCED');
    const states = behind.map(([type, { state }]) => `${type} ${state}`);
    return states.length === 0 ? [] : [`${id} of ${name}: ${states.join(', ')}`];
  });
  if (typeof goal === 'number') return late;
  return [...problems.filter(isAgainstSynced).map((one) => `${name}: ${findingText(one)}`), ...late];
}
