import { stillOpen } from './attack.ts';
import type { RawCall } from './call.ts';

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How something ended, or that it has not. */
export function endOf(one: { readonly ended: Promise<string> }): Promise<string> {
  return Promise.race([one.ended, pause(2_000).then(() => stillOpen)]);
}

/** Waits for the end of one of several that wait their turns among the dear: on a busy machine for long. */
export async function told(...calls: readonly RawCall[]): Promise<void> {
  await Promise.race([...calls.map(({ ended }) => ended), pause(60_000)]);
}

/** How a call may end that asks for too much: it waited for too long, or is turned away in words. */
export const tooMuch = /^(status [48]: .|GOAWAY 11: .)/;
/** The same of one that asks for what there is not, too. */
export const tooMuchOrWrong = /^(status [348]: .|GOAWAY 11: .)/;
/**
 * How a flooded connection may: of its end the flood itself may hear nothing, as a reset overtakes the
 * GOAWAY.
 */
export const floodEnds = /^(closed$|GOAWAY (2|3|11)\b)/;
/** Why one that asks for much may stay. */
export const served = 'served, as far as its share of the processor goes';
