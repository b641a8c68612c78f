import type { Finding } from '../../model/finding.ts';

/** A Group whose instances bear less than before they were evacuated, in requests at once. */
export interface KnownShortfall {
  readonly group: string;
  readonly before: number;
  readonly bears: number;
  readonly isComing: boolean;
}

/** Most Groups that are named one by one. */
const namedMax = 5;

/**
 * Groups that come home, or will, to less than they left: one problem each, and one for all beyond the first
 * few.
 */
export function describeReturns(shortfalls: readonly KnownShortfall[]): readonly Finding[] {
  const finding = (where: string, message: string): Finding => {
    return { code: 'ReturnTooLarge', severity: 'warning', where, path: '', message };
  };
  const more = shortfalls.length - namedMax;
  return [
    ...shortfalls.slice(0, namedMax).map((one) => finding(one.group, wordsOf(one))),
    ...(more > 0 ? [finding(`${more} more Groups`, 'bear less here than before they were evacuated.')] : []),
  ];
}

function wordsOf({ before, bears, isComing }: KnownShortfall): string {
  const less = `its instances here bear ${bears} requests at once, and bore ${before} before it was evacuated`;
  return isComing
    ? `${less}: it comes home all the same, little by little. Start more of them, or let a part leave again with \`isthmus evacuate IDC --percent ${stayAway(before, bears)}\`.`
    : `${less}: when the evacuation ends all of it comes home all the same. Start more of them before, or let it last longer.`;
}

/** The least share that must stay away so that the rest fits, percent. */
function stayAway(before: number, bears: number): number {
  return Math.min(100, Math.ceil(100 - (100 * bears) / before));
}
