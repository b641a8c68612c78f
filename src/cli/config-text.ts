import { counted } from '../base/text/counted.ts';
import { textTable } from '../base/text/text-table.ts';
import type { ConfigAnswer } from '../client/config-client.ts';
import type { ShownResource } from '../contract/lines/config-lines.ts';
import { durationText } from '../model/values/duration.ts';

/** Most rows of a table. */
const rowsMax = 1_000;

/** Most refusals and absent names that are told below it. */
const toldMax = 10;

/** The configuration of a node, for people. */
export function configText(config: ConfigAnswer, width: 'table' | 'wide'): string {
  const { node, role, idc, streams, resources } = config;
  const away = resources.filter(({ state }) => state !== 'SYNCED').length;
  const [first] = streams;
  const since =
    first === undefined ? '' : `, connected for ${durationText(first.connectedForMs)} from ${first.peer}`;
  const count = counted(resources.length, 'resource');
  const sum =
    resources.length === 0
      ? 'It has asked for nothing of this.'
      : away === 0
        ? `It has acknowledged all: ${count}.`
        : `It has not acknowledged ${away} of ${count}.`;
  const more =
    resources.length > rowsMax ? [`and ${resources.length - rowsMax} more: --type, --name, -o json`] : [];
  const rows = resources.slice(0, rowsMax).map((one) => rowOf(one, width));
  const lines = [
    `${node}: ${role} of ${idc}${since}. ${sum}`,
    ...(rows.length === 0 ? [] : textTable([headerOf(width), ...rows])),
    ...more,
    ...notesOn(resources),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function headerOf(width: 'table' | 'wide'): string[] {
  return width === 'wide'
    ? ['TYPE', 'NAME', 'STATE', 'ACKED', 'SENT', 'TO HAVE', 'LAST ACK']
    : ['TYPE', 'NAME', 'STATE', 'ACKED', 'LAST ACK'];
}

function rowOf({ type, name, state, acked, sent, now, ackedAgoMs }: ShownResource, width: string): string[] {
  const ago = ackedAgoMs === undefined ? '-' : `${durationText(ackedAgoMs)} ago`;
  return width === 'wide'
    ? [type, name, state, acked ?? '-', sent ?? '-', now ?? '-', ago]
    : [type, name, state, acked?.slice(0, 8) ?? '-', ago];
}

/** What the node refused, in its words, and what it has asked for and nobody has. */
function notesOn(resources: readonly ShownResource[]): string[] {
  const refused = resources.flatMap(({ type, name, refusal }) =>
    refusal === undefined ? [] : [`! ${type} ${name}: refused: ${refusal.trimEnd().replaceAll('\n', ' ')}`],
  );
  const absent = resources.flatMap(({ type, name, state, nearest }) => {
    if (state !== 'ABSENT') return [];
    const hint = nearest === undefined ? '' : ` Did you mean '${nearest}'?`;
    return [`! ${type} ${name}: it has asked for this, and there is none.${hint}`];
  });
  const notes = [...refused, ...absent];
  const more = notes.length > toldMax ? [`! and ${notes.length - toldMax} more: -o json`] : [];
  return [...notes.slice(0, toldMax), ...more];
}
