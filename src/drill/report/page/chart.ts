import { type Axis, placeOn, range } from './axis.ts';
import { drawEvents, eventLanes, type PlotEvent } from './events.ts';
import { clipped, escapeHtml, n } from './markup.ts';

/** Plots as inline SVG: strings in, strings out, no script needed to read them. */

const [right, bottom] = [12, 26] as const;

/** What all plots of a page share. */
export interface PlotFrame {
  /** Of the picture, in its own units: CSS pixels at its natural size. Default 960. */
  readonly width?: number;
  /** Of the plot with its phases and times, without the labels of events. */
  readonly height: number;
  /** The end of the x axis, in seconds from 0. */
  readonly seconds: number;
  readonly phases: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  readonly marks: readonly PlotEvent[];
  /** Whether events are labelled above the plot; they are numbered in it anyway. */
  readonly labelled?: boolean;
}

type Points = readonly (readonly [second: number, value: number | undefined])[];

/** Something drawn inside a plot; `css` is its class. */
export type Layer =
  | { readonly kind: 'line' | 'dots'; readonly css: string; readonly points: Points }
  /** Columns between two values, `width` seconds wide. */
  | {
      readonly kind: 'columns';
      readonly css: string;
      readonly width: number;
      readonly points: readonly (readonly [second: number, from: number, to: number])[];
    }
  /** A bound on a value, in a span of time. */
  | {
      readonly kind: 'level';
      readonly value: number;
      readonly from: number;
      readonly to: number;
      readonly label: string;
      readonly title: string;
    }
  /** A bound on a time: the latest second. */
  | { readonly kind: 'latest'; readonly at: number; readonly label: string; readonly title: string };

/** Where seconds and values stand in a plot. */
interface Place {
  readonly x: (second: number) => number;
  readonly y: (value: number) => number;
  readonly top: number;
  readonly floor: number;
  readonly end: number;
}

/** Draws a plot. `title` is read to those who do not see it, with `about` for what it shows. */
export function drawChart(
  title: string,
  frame: PlotFrame,
  axis: Axis,
  layers: readonly Layer[],
  about = '',
): string {
  const { width = 960, seconds } = frame;
  const left = width < 500 ? 48 : 64;
  const lanes = eventLanes(frame.marks, frame.labelled ?? false);
  const height = frame.height + lanes;
  const [top, floor] = [22 + lanes, height - bottom];
  const x = (second: number) => left + (second / seconds) * (width - left - right);
  const y = (value: number) => floor - placeOn(axis, value) * (floor - top);
  const place = { x, y, top, floor, end: width - right };
  const grid = axis.ticks.map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${n(y(tick))}" y2="${n(y(tick))}"/>` +
      `<text class="tick" x="${left - 8}" y="${n(y(tick) + 4)}" text-anchor="end">${escapeHtml(axis.format(tick))}</text>`,
  );
  const body = layers.map((layer) => drawLayer(layer, place));
  return (
    `<svg class="chart ${width < 500 ? 'narrow' : 'wide'}" viewBox="0 0 ${width} ${n(height)}" role="img" aria-label="${escapeHtml(about === '' ? title : `${title}. ${about}`)}" data-left="${left}" data-right="${right}" data-width="${width}">` +
    [...phases(frame, place), ...grid, ...times(seconds, width, height, x), ...body].join('') +
    drawEvents(frame.marks, { ...place, lanes }) +
    `<line class="cursor" x1="-9" x2="-9" y1="${top}" y2="${floor}"/></svg>`
  );
}

function phases(frame: PlotFrame, { x, top, floor }: Place): string[] {
  return frame.phases.map(({ name, from, to }) => {
    const wide = x(to) - x(from);
    return (
      `<rect class="phase ${toneOf(name)}" x="${n(x(from))}" y="${top}" width="${n(wide)}" height="${n(floor - top)}"/>` +
      `<text class="phase-name" x="${n(x(from) + 8)}" y="${top - 8}">${escapeHtml(clipped(name, wide - 10))}</text>`
    );
  });
}

function times(seconds: number, width: number, height: number, x: (second: number) => number): string[] {
  const most = Math.max(2, Math.floor(width / 70));
  const every = [1, 2, 5, 10, 20, 60, 120, 300, 600].find((step) => seconds / step <= most) ?? 1200;
  return range(0, seconds, every).map(
    (second) =>
      `<text class="tick" x="${n(x(second))}" y="${n(height - 8)}" text-anchor="middle">${second} s</text>`,
  );
}

function drawLayer(layer: Layer, place: Place): string {
  const { x, y } = place;
  switch (layer.kind) {
    case 'line': {
      const d = linePath(layer.points, x, y);
      // What lies over columns has a ground of its own.
      const ground = layer.css.endsWith(' over') ? `<path class="line-ground" d="${d}"/>` : '';
      return `${ground}<path class="line ${layer.css}" d="${d}"/>`;
    }
    case 'dots':
      return layer.points
        .flatMap(([second, value]) =>
          value === undefined
            ? []
            : `<circle class="dot ${layer.css}" cx="${n(x(second))}" cy="${n(y(value))}" r="1.5"/>`,
        )
        .join('');
    case 'columns': {
      // One path for all: hundreds of rectangles each would make the page slow.
      const half = layer.width / 2;
      const d = layer.points
        .filter(([, from, to]) => to > from)
        .map(([second, from, to]) => {
          const [x0, x1] = [n(x(second - half)), n(x(second + half))];
          return `M${x0} ${n(y(from))}V${n(y(to))}H${x1}V${n(y(from))}Z`;
        });
      return `<path class="columns ${layer.css}" d="${d.join('')}"/>`;
    }
    case 'level':
      return drawLevel(layer, place);
    case 'latest':
      return drawLatest(layer, place);
  }
}

function drawLevel(layer: Extract<Layer, { kind: 'level' }>, { x, y }: Place): string {
  const [x1, x2, at] = [x(layer.from), x(layer.to), y(layer.value)];
  const label = boundLabel(clipped(layer.label, x2 - x1 - 8), x1 + 4, at - 5, false);
  return `<g class="bound-line"><title>${escapeHtml(layer.title)}</title><line x1="${n(x1)}" x2="${n(x2)}" y1="${n(at)}" y2="${n(at)}"/>${label}</g>`;
}

function drawLatest(layer: Extract<Layer, { kind: 'latest' }>, { x, top, floor, end }: Place): string {
  const at = x(layer.at);
  const back = at > end / 2;
  const words = clipped(layer.label, back ? at - 60 : end - at - 8);
  return `<g class="bound-line"><title>${escapeHtml(layer.title)}</title><line x1="${n(at)}" x2="${n(at)}" y1="${top}" y2="${floor}"/>${boundLabel(words, at + (back ? -5 : 5), floor - 7, back)}</g>`;
}

/** Words on a ground of their own, so that they can be read on columns too. */
function boundLabel(words: string, x: number, y: number, back: boolean): string {
  if (words === '') return '';
  const width = 5.4 * words.length + 4;
  return (
    `<rect class="bound-ground" x="${n(back ? x - width + 2 : x - 2)}" y="${n(y - 11)}" width="${n(width)}" height="14" rx="2"/>` +
    `<text x="${n(x)}" y="${n(y)}"${back ? ' text-anchor="end"' : ''}>${escapeHtml(words)}</text>`
  );
}

/** How a phase is shaded, by its name: quiet, healing, or the time in which something is broken. */
export function toneOf(name: string): 'quiet' | 'healing' | 'broken' {
  if (name.startsWith('steady')) return 'quiet';
  return name.startsWith('recovery') ? 'healing' : 'broken';
}

/** A line that breaks where there is no value. */
function linePath(points: Points, x: (v: number) => number, y: (v: number) => number): string {
  let pen = 'M';
  const parts: string[] = [];
  for (const [second, value] of points) {
    if (value === undefined) {
      pen = 'M';
      continue;
    }
    parts.push(`${pen}${n(x(second))} ${n(y(value))}`);
    pen = 'L';
  }
  return parts.join('');
}
