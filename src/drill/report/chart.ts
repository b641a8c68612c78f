/** Plots as inline SVG: strings in, strings out, no script needed to read them. */

const [width, left, right, top, bottom] = [960, 64, 12, 22, 26] as const;

/** What all plots of a page share. */
export interface PlotFrame {
  readonly height: number;
  /** The end of the x axis, in seconds from 0. */
  readonly seconds: number;
  readonly phases: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  readonly marks: readonly { readonly second: number; readonly text: string }[];
}

/** The y axis. `log` needs `from` > 0. */
interface Axis {
  readonly from: number;
  readonly to: number;
  readonly log?: boolean;
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
}

/** Something drawn inside a plot; `css` is its class. */
type Layer =
  | {
      readonly kind: 'line';
      readonly css: string;
      readonly points: readonly (readonly [number, number | undefined])[];
    }
  | {
      readonly kind: 'dots';
      readonly css: string;
      readonly points: readonly (readonly [number, number | undefined])[];
    }
  /** Columns between two values, `width` seconds wide. */
  | {
      readonly kind: 'columns';
      readonly css: string;
      readonly width: number;
      readonly points: readonly (readonly [second: number, from: number, to: number])[];
    };

/** Draws a plot. `title` is read to those who do not see it. */
export function drawChart(title: string, frame: PlotFrame, axis: Axis, layers: readonly Layer[]): string {
  const { height } = frame;
  const x = (second: number) => left + (second / frame.seconds) * (width - left - right);
  const y = scaleOf(axis, height);
  const floor = height - bottom;
  const shades = frame.phases.map(
    (phase) =>
      `<rect class="phase ${toneOf(phase.name)}" x="${n(x(phase.from))}" y="${top}" width="${n(x(phase.to) - x(phase.from))}" height="${floor - top}"/>` +
      `<text class="phase-name" x="${n(x(phase.from) + 6)}" y="14">${escapeHtml(phase.name)}</text>`,
  );
  const grid = axis.ticks.map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${n(y(tick))}" y2="${n(y(tick))}"/>` +
      `<text class="tick" x="${left - 8}" y="${n(y(tick) + 4)}" text-anchor="end">${escapeHtml(axis.format(tick))}</text>`,
  );
  const every = frame.seconds > 120 ? 20 : frame.seconds > 60 ? 10 : frame.seconds > 20 ? 5 : 1;
  const times = range(0, frame.seconds, every).map(
    (second) =>
      `<text class="tick" x="${n(x(second))}" y="${height - 8}" text-anchor="middle">${second} s</text>`,
  );
  const marks = frame.marks.map(
    ({ second, text }) =>
      `<line class="mark" x1="${n(x(second))}" x2="${n(x(second))}" y1="${top}" y2="${floor}"><title>${escapeHtml(text)}</title></line>`,
  );
  const body = layers.map((layer) => drawLayer(layer, x, y));
  return (
    `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}" data-left="${left}" data-right="${right}" data-width="${width}">` +
    [...shades, ...grid, ...times, ...body, ...marks].join('') +
    `<line class="cursor" x1="-9" x2="-9" y1="${top}" y2="${floor}"/></svg>`
  );
}

function drawLayer(layer: Layer, x: (v: number) => number, y: (v: number) => number): string {
  switch (layer.kind) {
    case 'line':
      return `<path class="line ${layer.css}" d="${linePath(layer.points, x, y)}"/>`;
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
  }
}

/** How a phase is shaded, by its name: quiet, healing, or the time in which something is broken. */
function toneOf(name: string): string {
  if (name.startsWith('steady')) return 'quiet';
  return name.startsWith('recovery') ? 'healing' : 'broken';
}

/** A line that breaks where there is no value. */
function linePath(
  points: readonly (readonly [number, number | undefined])[],
  x: (v: number) => number,
  y: (v: number) => number,
): string {
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

function scaleOf(axis: Axis, height: number): (value: number) => number {
  const f = axis.log ? Math.log10 : (value: number) => value;
  const [lo, hi] = [f(axis.from), f(axis.to)];
  return (value) => {
    const clamped = Math.min(axis.to, Math.max(axis.from, value));
    return height - bottom - ((f(clamped) - lo) / (hi - lo)) * (height - bottom - top);
  };
}

/** An axis from a power of ten to another that holds all values, with a tick at each. */
export function logAxis(values: readonly number[], format: (value: number) => string): Axis {
  const positive = values.filter((value) => value > 0);
  const lowest = positive.reduce((min, value) => Math.min(min, value), Number.POSITIVE_INFINITY);
  const highest = positive.reduce((max, value) => Math.max(max, value), 0);
  const lo = Number.isFinite(lowest) ? Math.floor(Math.log10(lowest)) : 0;
  const hi = Math.max(lo + 1, highest > 0 ? Math.ceil(Math.log10(highest)) : 1);
  const ticks = range(lo, hi, 1).map((power) => 10 ** power);
  return { from: 10 ** lo, to: 10 ** hi, log: true, ticks, format };
}

/** An axis from 0 that holds all values, with round ticks. */
export function linearAxis(values: readonly number[], format: (value: number) => string): Axis {
  const highest = values.reduce((max, value) => Math.max(max, value), 1);
  const magnitude = 10 ** Math.floor(Math.log10(highest));
  const step = [0.2, 0.5, 1, 2].map((m) => m * magnitude).find((s) => highest / s <= 5) ?? magnitude;
  const to = Math.ceil(highest / step) * step;
  return { from: 0, to, ticks: range(0, to, step), format };
}

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.floor((to - from) / step + 1e-9) + 1 }, (_, i) => from + i * step);
}

/** Two decimals are below a pixel. */
function n(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Text made safe for HTML and SVG, attributes included. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
