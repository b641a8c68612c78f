import type { ServedAnswer } from '../client/who-client.ts';

/** Longer lists are for -o json. */
const notHereMax = 10;

/** Groups that are served by another IDC, or by nobody: those first; and those of which nobody can tell. */
export function servedText(served: ServedAnswer | undefined): string[] {
  return served === undefined ? [] : [...notHereText(served), ...unknownText(served)];
}

function notHereText({ idc, notHere }: ServedAnswer): string[] {
  if (notHere.length === 0) return [];
  const sorted = [
    ...notHere.filter((one) => one.served === 'nobody'),
    ...notHere.filter((one) => one.served === 'away'),
  ];
  const lines = sorted.slice(0, notHereMax).map(({ host, port, served: how, by, instances, usable, why }) => {
    const who = how === 'nobody' ? 'NOBODY serves it' : `served by ${by}`;
    const own =
      instances === 0 ? `${idc} has no instance` : `${usable} of ${instances} instances of ${idc} can serve`;
    return `! ${host}:${port}: ${who}, ${own}${why === undefined ? '' : `, and ${why}`}.`;
  });
  const more = notHere.length > notHereMax ? [`! and ${notHere.length - notHereMax} more: -o json`] : [];
  return [...lines, ...more, `isthmus who ${sorted[0]?.host} shows instances and gateways.`];
}

/** How many Groups nobody can tell of, and why. */
function unknownText({ unknown, groups, silent, notLookedAt }: ServedAnswer): string[] {
  return [
    ...(unknown === 0
      ? []
      : [`! Who serves ${unknown} of ${groups} Groups is not known: ${unreadText(silent)}.`]),
    ...(notLookedAt === 0
      ? []
      : [`! ${notLookedAt.toLocaleString('en')} hosts were not looked at: isthmus who HOST shows each.`]),
  ];
}

/** Proxies that could not be read; none: those that could tell are not connected. */
function unreadText(silent: ServedAnswer['silent']): string {
  const [first] = silent;
  if (first === undefined) return 'no proxy that could tell is connected';
  const count = silent.length === 1 ? 'a proxy' : `${silent.length} proxies`;
  return `${count} could not be read (${first.node}: ${first.why})`;
}
