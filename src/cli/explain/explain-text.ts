import { printable } from '../../base/text/safe-excerpt.ts';
import { textTable } from '../../base/text/text-table.ts';
import type { ExplainAnswer } from '../../client/explain-client.ts';

type Hop = ExplainAnswer['hops'][number];
type Choice = Hop['choices'][number];

/** The way of a request in words, a paragraph for each hop. */
export function explainText(answer: ExplainAnswer): string {
  const { hops, whyNot, notes, silent } = answer;
  const blocks = [
    headLines(answer),
    ...hops.map(hopLines),
    whyNot === undefined
      ? []
      : [`Why ${whyNot.isChosen ? '' : 'not '}${whyNot.idc}:`, ...whyNot.reasons.map(indented)],
    [
      ...notes.map((note) => `Note: ${note}`),
      ...silent.map(({ node, role, why }) => `! ${node} (${role}) is not read: ${why}`),
    ],
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map(printable).join('\n'))
    .join('\n\n')}\n`;
}

function headLines({ request, host, port, idc, from, assumed, summary }: ExplainAnswer): string[] {
  const { method, path, trail } = request;
  const came = trail.length === 0 ? '' : `, come from ${trail.join(',')}`;
  const node = from.node.startsWith(`${idc}/`) ? from.node : `${idc}/${from.node}`;
  return [
    `${method} ${path} to ${host}:${port} from ${node}${came}:`,
    ...assumed.map(({ what, state }) => `Assumed ${state}: ${what}.`),
    summary,
  ];
}

function hopLines(hop: Hop, i: number): string[] {
  const { decision, by, choices, retries, trail, health } = hop;
  const rows = choices.flatMap(choiceRows);
  return [
    `${i + 1}. ${decision}`,
    ...by.map((one) => indented(objectText(one))),
    ...(trail.length === 0 || choices.length === 0 ? [] : [indented(`Trail from here: ${trail.join(',')}`)]),
    ...(retries === '' ? [] : [indented(retries)]),
    ...(rows.length === 0
      ? []
      : textTable([['', 'PRIORITY', 'TO', 'NAME', 'HEALTH', 'SHARE', 'WHY'], ...rows]).map(indented)),
    ...(health === 'registry' && rows.length > 0
      ? [indented('Health: no proxy tells; what is registered counts.')]
      : []),
  ];
}

/** A row for a choice, and one for each of its hosts. */
function choiceRows({ priority, to, idc, percent, isChosen, why, hosts }: Choice): string[][] {
  const first = [
    isChosen ? '>' : '',
    String(priority),
    `${placeWords[to]} ${idc}`,
    '',
    '',
    `${percent} %`,
    why,
  ];
  return [
    first,
    ...hosts.map(({ address, name = '-', health, why: reason }) => [
      '',
      '',
      `  ${address}`,
      name,
      health,
      '',
      reason,
    ]),
  ];
}

const placeWords = { instances: 'instances of', egress: 'egress of', idc: 'ingress of' } as const;

function objectText({ kind, namespace, name, origin, does }: Hop['by'][number]): string {
  const where = origin === '' ? '' : ` (${origin})`;
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}: ${does}${where}`;
}

function indented(line: string): string {
  return `   ${line}`;
}
