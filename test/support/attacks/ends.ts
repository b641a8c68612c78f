import type { RawCall } from './call.ts';

export const stillOpen = 'still open';
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How something ended, or that it has not. */
export function endOf(one: { readonly ended: Promise<string> }): Promise<string> {
  return Promise.race([one.ended, pause(2_000).then(() => stillOpen)]);
}

/** Waits for the answer to one that waits its turn among the dear: on a busy machine for long. */
export async function told(call: RawCall | undefined): Promise<void> {
  await Promise.race([call?.ended, pause(12_000)]);
}

/** How a call may end that asks for too much: it waits, for too long a time, or is turned away in words. */
export const slowed = /still open|status [48]|GOAWAY 11/;
/** The same of one that asks for what there is not, too. */
export const slowedOrWrong = /still open|status [348]|GOAWAY 11/;
/** How a flooded connection may: of its end the flood itself may hear nothing, as a reset overtakes the GOAWAY. */
export const floodEnds = /still open|closed|GOAWAY (2|3|11)/;
