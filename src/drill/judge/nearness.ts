import type { Row } from './row.ts';

/** How near what was measured came to its bound. */
export interface Nearness {
  /** The part of the bound that was used: 0 nothing, 1 all of it, more than 1 it was missed. */
  readonly used: number;
  /** A count, where the limit itself may be the normal case, or a quantity with room below it. */
  readonly kind: 'count' | 'quantity';
}

interface Quantity {
  readonly value: number;
  readonly kind: 'time' | 'share' | 'ratio' | 'size' | 'count';
}

const number = String.raw`(-?\d[\d,]*(?:\.\d+)?)\s*(ms|s|%|×|KiB|MiB|GiB)?`;
const limitPattern = new RegExp(`^([≤≥]) ${number}(?:,.*)?$`);
const rangePattern = new RegExp(`^${number} to ${number}$`);
const measuredPattern = new RegExp(`^${number}(?![\\w/])`);

/** Units, in the unit of their kind: milliseconds, percent, MiB. */
const units: Readonly<Record<string, readonly [Quantity['kind'], number]>> = {
  ms: ['time', 1],
  s: ['time', 1000],
  '%': ['share', 1],
  '×': ['ratio', 1],
  KiB: ['size', 1 / 1024],
  MiB: ['size', 1],
  GiB: ['size', 1024],
};

/**
 * Reads how much of a bound was used off the words of its row; undefined for a bound without room, such as
 * `0`, `100 %` or `holds`, and where nothing was measured. Of a lower bound on a share, such as ≥ 99 %, it is
 * what is missing to 100 % against what may be missing; of another lower bound, the bound against what was
 * measured; of a range, the distance from its middle.
 */
export function nearnessOf({ bound, measured }: Pick<Row, 'bound' | 'measured'>): Nearness | undefined {
  const [, ...seen] = measuredPattern.exec(measured) ?? [];
  const value = quantityOf(seen[0], seen[1]);
  if (!value) return undefined;
  const [, ...range] = rangePattern.exec(bound) ?? [];
  const [least, most] = [quantityOf(range[0], range[1]), quantityOf(range[2], range[3])];
  if (least && most) return inRange(value, least, most);
  const [, sign, ...rest] = limitPattern.exec(bound) ?? [];
  const limit = quantityOf(rest[0], rest[1]);
  if (limit?.kind !== value.kind) return undefined;
  const used = sign === '≤' ? upTo(value.value, limit.value) : atLeast(value, limit.value);
  return used === undefined ? undefined : { used, kind: value.kind === 'count' ? 'count' : 'quantity' };
}

function quantityOf(text: string | undefined, unit: string | undefined): Quantity | undefined {
  if (text === undefined) return undefined;
  const value = Number(text.replaceAll(',', ''));
  const [kind, factor] = (unit === undefined ? undefined : units[unit]) ?? ['count', 1];
  return { value: value * factor, kind };
}

function upTo(value: number, limit: number): number | undefined {
  return limit <= 0 ? undefined : Math.max(0, value) / limit;
}

function atLeast({ value, kind }: Quantity, limit: number): number | undefined {
  if (kind === 'share') return limit >= 100 ? undefined : (100 - value) / (100 - limit);
  if (limit <= 0) return undefined;
  return value <= 0 ? Number.POSITIVE_INFINITY : limit / value;
}

function inRange(value: Quantity, least: Quantity, most: Quantity): Nearness | undefined {
  const half = (most.value - least.value) / 2;
  if (value.kind !== least.kind || value.kind !== most.kind || half <= 0) return undefined;
  return { used: Math.abs(value.value - least.value - half) / half, kind: 'quantity' };
}
