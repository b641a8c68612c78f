import { durationText } from '../../model/values/duration.ts';
import type { PlaneState } from './reasons-against.ts';

/** A proxy that was connected within the last hour, and is not now. */
export interface Disconnected {
  readonly id: string;
  readonly idc: string;
  readonly goneForMs: number;
}

/** Most of them named on a line. */
const namedMax = 5;

/** Proxies that are connected to none of the control planes that were asked, the last to go first. */
export function disconnectedOf(states: readonly Pick<PlaneState, 'status'>[]): readonly Disconnected[] {
  const keyOf = ({ id, idc }: { readonly id: string; readonly idc: string }) => `${idc}/${id}`;
  const connected = new Set(states.flatMap(({ status }) => status.proxies.map(keyOf)));
  const gone = states.flatMap(({ status }) => status.gone).sort((a, b) => b.goneForMs - a.goneForMs);
  // Two control planes may remember one: the shortest time is the last that was heard.
  const latest = new Map(gone.filter((one) => !connected.has(keyOf(one))).map((one) => [keyOf(one), one]));
  return [...latest.values()]
    .map(({ id, idc, goneForMs }) => ({ id, idc, goneForMs }))
    .sort((a, b) => a.goneForMs - b.goneForMs);
}

/** A line that names them; '': there is none. */
export function disconnectedText(all: readonly Disconnected[]): string {
  if (all.length === 0) return '';
  const named = all
    .slice(0, namedMax)
    .map(({ id, idc, goneForMs }) => `${id} of ${idc} (${durationText(goneForMs)} ago)`);
  const more = all.length > namedMax ? ` and ${all.length - namedMax} more` : '';
  const whose = all.length === 1 ? 'what it has is not known' : 'what they have is not known';
  return `${all.length} disconnected within the last hour: ${named.join(', ')}${more}; ${whose}`;
}
