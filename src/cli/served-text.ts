import type { ServedAnswer } from '../client/who-client.ts';

/** Longer lists are for -o json. */
const notHereMax = 10;
/** The same of hosts in a line. */
const aloneMax = 3;

/** Also of a control plane of an earlier version. */
type AnyServed = Omit<ServedAnswer, 'alone'> & Partial<Pick<ServedAnswer, 'alone'>>;

/** Groups that are served by another IDC, or by nobody: those first; and those of which nobody can tell. */
export function servedText(served: ServedAnswer | undefined): string[] {
  return served === undefined ? [] : [...notHereText(served), ...aloneText(served), ...unknownText(served)];
}

/** Groups that nobody else could take over. Absent: of an earlier version. */
function aloneText({ idc, groups, alone = [] }: AnyServed): string[] {
  const [first] = alone;
  if (first === undefined) return [];
  const names = alone.slice(0, aloneMax).map(({ host, port }) => `${host}:${port}`);
  const more = alone.length > aloneMax ? ` and ${alone.length - aloneMax} more` : '';
  const [why, hint] =
    first.why === undefined
      ? ['', [`isthmus who ${first.host} shows the gateways of the other IDCs.`]]
      : [`, as ${first.why}`, []];
  const count = `${alone.length} of ${groups} Groups (${names.join(', ')}${more})`;
  return [`! No other IDC could take over for ${idc}: ${count}${why}.`, ...hint];
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
