import { printable } from '../../base/text/safe-excerpt.ts';
import { textTable } from '../../base/text/text-table.ts';
import { gatewayLabel } from '../../model/values/gateway-label.ts';
import type { FollowedHop, FollowedWay } from './follow-way.ts';

type Choice = FollowedHop['choices'][number];

/** 'wide': with the listener of each hop, and the proxies that were read. */
type Width = 'table' | 'wide';

/** The way of a request in words, a paragraph for each hop. */
export function explainText(answer: FollowedWay, width: Width): string {
  const { hops, whyNot, notes, refused, silent, notAsked } = answer;
  const blocks = [
    headLines(answer),
    ...hops.map((hop, i) => hopLines(hop, i, width)),
    whyNot === undefined
      ? []
      : [`Why ${whyNot.isChosen ? '' : 'not '}${whyNot.idc}:`, ...whyNot.reasons.map(indented)],
    [
      ...notes.map((note) => `Note: ${note}`),
      ...notAsked.map(
        ({ idc, why }) => `! What happens in ${idc} is not as its own control plane says: ${why}`,
      ),
      ...refused.map(refusedText),
      ...silent.map(({ node, role, why }) => `! ${node} (${role}) is not read: ${why}`),
    ],
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map(printable).join('\n'))
    .join('\n\n')}\n`;
}

function refusedText({ node, role, type, names, without, why }: FollowedWay['refused'][number]): string {
  const what = names.length === 0 ? `a part of ${type}` : `${type} ${names.join(', ')}`;
  const kept =
    without.length === 0 ? 'goes on with what it had, if anything' : `goes without ${without.join(', ')}`;
  return `! ${node} (${role}) refused ${what} and ${kept}: ${why}`;
}

function headLines({ request, host, port, protocol, idc, from, assumed, summary }: FollowedWay): string[] {
  const { method, path, trail } = request;
  const what = protocol === 'tcp' ? 'A connection' : `${method} ${path}`;
  const came = trail.length === 0 ? '' : `, come from ${trail.join(',')}`;
  // An older control plane does not say.
  const { name = `${idc}/${from.node}` }: Partial<typeof from> = from;
  return [
    `${what} to ${host}:${port} from ${name}${came}:`,
    ...assumed.map(({ what, state }) => `Assumed ${state}: ${what}.`),
    summary,
  ];
}

function hopLines(hop: FollowedHop, i: number, width: Width): string[] {
  const { decision, by, choices, retries, trail, health, toldBy } = hop;
  const isWide = width === 'wide';
  const rows = choices.flatMap((one) => choiceRows(one, isWide));
  return [
    `${i + 1}. ${decision}`,
    ...(toldBy === undefined ? [] : [indented(`As the control plane of ${hop.idc} at ${toldBy} says.`)]),
    ...(isWide ? [indented(placeText(hop))] : []),
    ...by.map((one) => indented(objectText(one))),
    ...(trail.length === 0 || choices.length === 0 ? [] : [indented(`Trail from here: ${trail.join(',')}`)]),
    ...(retries === '' ? [] : [indented(retries)]),
    ...(rows.length === 0 ? [] : textTable([headerOf(isWide), ...rows]).map(indented)),
    ...(health === 'registry' && rows.length > 0
      ? [indented('Health: no proxy tells; what is registered counts.')]
      : []),
  ];
}

function headerOf(isWide: boolean): string[] {
  const wide = isWide ? ['IDC', 'USABLE'] : [];
  return ['', 'PRIORITY', 'TO', 'NAME', 'HEALTH', 'SHARE', ...wide, 'WHY'];
}

/** Where a hop was decided, and by whose readings. */
function placeText({ at, listener, readAt }: FollowedHop): string {
  const read = readAt.length === 0 ? 'no proxy was read' : `read at ${readAt.join(', ')}`;
  return `At ${at}, listener ${listener}; ${read}.`;
}

/** A row for a choice, and one for each of its hosts. */
function choiceRows(choice: Choice, isWide: boolean): string[][] {
  const { priority, to, idc, percent, isChosen, why, hosts } = choice;
  const usable = hosts.filter(({ isUsable }) => isUsable).length;
  const first = [
    isChosen ? '>' : '',
    String(priority),
    `${placeWords[to]} ${idc}`,
    '',
    '',
    `${percent} %`,
    ...(isWide ? [idc, `${usable} of ${hosts.length}`] : []),
    why,
  ];
  return [
    first,
    ...hosts.map(({ address, name, node, health, isUsable, why: reason }) => [
      '',
      '',
      `  ${address}`,
      name === undefined ? '-' : gatewayLabel({ name, node }),
      health,
      '',
      ...(isWide ? [idc, isUsable ? 'yes' : 'no'] : []),
      reason,
    ]),
  ];
}

const placeWords = { instances: 'instances of', egress: 'egress of', idc: 'ingress of' } as const;

function objectText({ kind, namespace, name, origin, does }: FollowedHop['by'][number]): string {
  const where = origin === '' ? '' : ` (${origin})`;
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}: ${does}${where}`;
}

function indented(line: string): string {
  return `   ${line}`;
}
