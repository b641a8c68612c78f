import { clipped, escapeHtml, n } from './markup.ts';

/** Something that happened, at a second of the plots. */
export interface PlotEvent {
  readonly second: number;
  readonly text: string;
}

/** Events beyond this are numbered, and not labelled. */
const labelledMax = 8;

/** Pixels: the height of a label, and how far two numbers must be apart. */
const [lane, apart] = [17, 20] as const;

/** The height that the labels of events take above a plot, in pixels; each has a line of its own. */
export function eventLanes(events: readonly PlotEvent[], labelled: boolean): number {
  return labelled && events.length <= labelledMax ? events.length * lane : 0;
}

/** Draws events: a dashed line, its number and, where there are `lanes`, its words. */
export function drawEvents(
  events: readonly PlotEvent[],
  place: {
    readonly x: (second: number) => number;
    readonly top: number;
    readonly floor: number;
    readonly end: number;
    readonly lanes: number;
  },
): string {
  const { x, top, floor, end, lanes } = place;
  const lines = events.map(({ second, text }, i) => {
    const at = x(second);
    const from = lanes > 0 ? i * lane + 14 : top;
    return (
      `<line class="mark" x1="${n(at)}" x2="${n(at)}" y1="${n(from)}" y2="${floor}"><title>${escapeHtml(text)}</title></line>` +
      (lanes > 0 ? label(`${i + 1}  ${text}`, at, i * lane + 11, end) : '')
    );
  });
  const numbers = numbered(events.map(({ second }) => x(second))).map(
    ({ at, text }) =>
      `<rect class="flag" x="${n(at - 4 - 3.2 * text.length)}" y="${top + 3}" width="${n(8 + 6.4 * text.length)}" height="15" rx="7"/>` +
      `<text class="flag-number" x="${n(at)}" y="${top + 14}" text-anchor="middle">${text}</text>`,
  );
  return [...lines, ...numbers].join('');
}

/** On the side of its line where there is more room. */
function label(text: string, at: number, y: number, end: number): string {
  const back = at > end / 2;
  const words = escapeHtml(clipped(text, back ? at - 4 : end - at));
  return `<text class="event" x="${n(at)}" y="${n(y)}"${back ? ' text-anchor="end"' : ''}>${words}</text>`;
}

/** The numbers at their places; those that would overlap stand as one: `2–4`. */
function numbered(places: readonly number[]): { readonly at: number; readonly text: string }[] {
  const groups: { at: number; from: number; to: number }[] = [];
  places.forEach((at, i) => {
    const last = groups.at(-1);
    if (last && at - last.at < apart) last.to = i + 1;
    else groups.push({ at, from: i + 1, to: i + 1 });
  });
  return groups.map(({ at, from, to }) => ({ at, text: from === to ? String(from) : `${from}–${to}` }));
}
