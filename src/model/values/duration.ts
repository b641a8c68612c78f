/**
 * Istio's form of a duration: `1h5m3.5s`, `250ms`, `0`. Source text of a RegExp, for JSON Schemas too. No
 * sign: negative times are never valid.
 */
export const durationPattern = /^(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:h|ms|m|s|us|µs|ns))+)$/;

const part = /([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)/g;
const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** Ten years: far beyond any sensible timeout, far below where Envoy's 64-bit nanoseconds overflow. */
const durationMsMax = 10 * 365 * 24 * 3_600_000;

/** Milliseconds of a duration such as `1h5m3.5s`; undefined if malformed or over ten years. */
export function parseDurationMs(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(part)) total += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  // Rounded to whole nanoseconds: spellings of one time must not differ by binary fractions (0.1 + 0.2).
  const rounded = Math.round(total * 1e6) / 1e6;
  return rounded <= durationMsMax ? rounded : undefined;
}

const numberAndUnit = /^ *([0-9]+(?:\.[0-9]+)?) *([a-z]*)$/i;

/** How people write units, and the unit of ours with its factor. */
const unitsMeant: readonly (readonly [words: RegExp, unit: string, times: number])[] = [
  [/^(?:s|secs?|seconds?|)$/i, 's', 1],
  [/^(?:m|mins?|minutes?)$/i, 'm', 1],
  [/^(?:h|hrs?|hours?)$/i, 'h', 1],
  [/^(?:d|days?)$/i, 'h', 24],
  [/^(?:ms|msecs?|millis|milliseconds?)$/i, 'ms', 1],
];

/**
 * A hint for a value that is no duration, with a leading space: ` Did you mean '15s'?` for 15, `15 s` and `15
 * sec`. A number alone means seconds. '' if nothing is close.
 */
export function durationMeant(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') return '';
  const [, amount = '', written = ''] = numberAndUnit.exec(String(value)) ?? [];
  const [, unit, times = 1] = unitsMeant.find(([words]) => words.test(written)) ?? [];
  if (amount === '' || unit === undefined) return '';
  const meant = `${Number(amount) * times}${unit}`;
  return parseDurationMs(meant) === undefined ? '' : ` Did you mean '${meant}'?`;
}

/** A short time span: `4.2 ms`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function durationText(ms: number): string {
  if (ms < 9.95) return `${Math.round(ms * 10) / 10} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${Math.round(ms / 100) / 10} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}
