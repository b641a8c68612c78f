import type { ReportJson } from '../report-json.ts';
import type { DrawnWorld } from '../world.ts';
import { clipped, escapeHtml as e, n } from './markup.ts';

type DrawnIdc = DrawnWorld['idcs'][number];

/** Units of a picture, CSS pixels at its natural size. */
const size = { width: 320, row: 34, top: 44, chips: 112, chip: 28, gap: 6 } as const;

/** A step that struck a part: its number in the list of events, and its words. */
interface Blow {
  readonly number: number;
  readonly text: string;
}

/** The world of a drill: a picture for each IDC, with what was broken marked by the number of its event. */
export function worldSection({ world, timeline }: Pick<ReportJson, 'world' | 'timeline'>): string {
  const blows = new Map<string, Blow[]>();
  timeline.marks.forEach(({ text, struck }, i) => {
    for (const name of struck) blows.set(name, [...(blows.get(name) ?? []), { number: i + 1, text }]);
  });
  const drawn = new Set(world.idcs.flatMap(({ rows }) => rows.flatMap(({ parts }) => parts)));
  const others = [...blows.keys()].filter((name) => !drawn.has(name));
  const ways = world.crossing
    ? 'A request that its own IDC cannot serve leaves by an egress gateway and enters another IDC by an ingress gateway.'
    : 'No request may leave its IDC.';
  return `<section aria-labelledby="world"><h2 id="world">The world</h2>
<div class="idcs">${world.idcs.map((idc) => drawIdc(idc, world.crossing, blows)).join('')}</div>
<p class="note">${blows.size === 0 ? '' : '<span class="struck-key"></span> struck, with the number of the event. '}${ways}${others.length === 0 ? '' : ` Also struck: ${e(others.join(', '))}.`}</p></section>`;
}

function drawIdc(
  { name, rows }: DrawnIdc,
  crossing: boolean,
  blows: ReadonlyMap<string, readonly Blow[]>,
): string {
  const height = size.top + rows.length * size.row + 6;
  const middle = (i: number) => size.top + i * size.row + size.row / 2 - 3;
  const drawn = rows.map(({ label, kind, parts }, i) => {
    const y = middle(i);
    const chips = parts.map((part, at) => drawChip(part, at, y, parts.length, blows.get(part) ?? []));
    const way = crossing && (kind === 'egress' || kind === 'ingress') ? arrow(kind, y) : '';
    return `<text class="part-label" x="16" y="${n(y + 4)}">${e(clipped(label, size.chips - 20))}</text>${chips.join('')}${way}`;
  });
  return `<svg class="idc" viewBox="0 0 ${size.width} ${height}" role="img" aria-label="${e(wordsOf(name, rows, blows))}"><rect class="idc-box" x="1" y="1" width="${size.width - 30}" height="${height - 2}" rx="8"/><text class="idc-name" x="16" y="26">${e(clipped(name, 240))}</text>${drawn.join('')}</svg>`;
}

/** Parts of a row share its width; more than fit become narrower. */
function drawChip(part: string, at: number, y: number, count: number, blows: readonly Blow[]): string {
  const room = size.width - 30 - size.chips - 10;
  const step = Math.min(size.chip + size.gap, room / Math.max(1, count));
  const width = step - Math.min(size.gap, step / 5);
  const x = size.chips + at * step;
  const number = /-(\d+)$/.exec(part)?.[1] ?? '';
  const struck = blows.length > 0;
  const title = struck
    ? `${part}, struck: ${blows.map((blow) => `${blow.number} ${blow.text}`).join('; ')}`
    : part;
  const box = `<rect class="chip${struck ? ' struck' : ''}" x="${n(x)}" y="${n(y - 11)}" width="${n(width)}" height="22" rx="4"/>`;
  const text = `<text class="chip-number${struck ? ' struck' : ''}" x="${n(x + width / 2)}" y="${n(y + 4)}" text-anchor="middle">${e(number)}</text>`;
  const cross = struck
    ? `<path class="cross" d="M${n(x)} ${n(y + 11)}L${n(x + width)} ${n(y - 11)}"/>` +
      `<circle class="blow" cx="${n(x + width)}" cy="${n(y - 11)}" r="7"/><text class="blow-number" x="${n(x + width)}" y="${n(y - 7.5)}" text-anchor="middle">${blows[0]?.number}</text>`
    : '';
  return `<g><title>${e(title)}</title>${box}${text}${cross}</g>`;
}

/** Out of the IDC, or into it. */
function arrow(kind: 'egress' | 'ingress', y: number): string {
  const [from, to] = [size.width - 44, size.width - 6];
  const d =
    kind === 'egress'
      ? `M${from} ${n(y)}H${to}M${to - 6} ${n(y - 5)}L${to} ${n(y)}L${to - 6} ${n(y + 5)}`
      : `M${to} ${n(y)}H${from}M${from + 6} ${n(y - 5)}L${from} ${n(y)}L${from + 6} ${n(y + 5)}`;
  return `<path class="way" d="${d}"/>`;
}

/** What the picture shows, for who does not see it. */
function wordsOf(name: string, rows: DrawnIdc['rows'], blows: ReadonlyMap<string, readonly Blow[]>): string {
  const parts = rows.map(({ label, parts: list }) => `${list.length} ${label}`).join(', ');
  const struck = rows
    .flatMap(({ parts: list }) => list)
    .flatMap((part) => {
      const numbers = (blows.get(part) ?? []).map(({ number }) => number);
      return numbers.length === 0 ? [] : [`${part.slice(name.length + 1)} by event ${numbers.join(', ')}`];
    });
  return `IDC ${name}: ${parts}. Struck: ${struck.join('; ') || 'nothing'}.`;
}
