import type { Finding } from '../../model/finding.ts';

/** A Group whose instances have less capacity than before their evacuation, in concurrent requests. */
export interface KnownShortfall {
  readonly group: string;
  readonly before: number;
  readonly bears: number;
  readonly isComing: boolean;
}

/** Groups named one by one at most. */
const namedMax = 5;

/**
 * One problem for each Group that fails back to less capacity than before, and one for all beyond the first
 * few.
 */
export function describeShortfalls(shortfalls: readonly KnownShortfall[]): readonly Finding[] {
  const finding = (where: string, message: string): Finding => {
    return { code: 'ReturnTooLarge', severity: 'warning', where, path: '', message };
  };
  const more = shortfalls.length - namedMax;
  return [
    ...shortfalls.slice(0, namedMax).map((one) => finding(one.group, wordsOf(one))),
    ...(more > 0
      ? [finding(`${more} more Groups`, 'have less capacity here than before they were evacuated.')]
      : []),
  ];
}

function wordsOf({ before, bears, isComing }: KnownShortfall): string {
  const less = `its instances here serve ${bears} requests at once, and ${before} before it was evacuated`;
  return isComing
    ? `${less}: its traffic returns all the same, step by step. Start more of them, or evacuate a part again with \`isthmus evacuate IDC --percent ${stayAway(before, bears)}\`.`
    : `${less}: when the evacuation ends all of its traffic returns all the same. Start more of them before, or let it last longer.`;
}

/** The least percentage that must stay away so that the rest fits. */
function stayAway(before: number, bears: number): number {
  return Math.min(100, Math.ceil(100 - (100 * bears) / before));
}
