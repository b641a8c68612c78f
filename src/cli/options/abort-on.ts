import { MeshError } from '../../base/error.ts';
import { parseDurationMs } from '../../model/values/duration.ts';

/** Measures that a condition can name. */
export type Measure = 'p50' | 'p90' | 'p99' | 'p999' | 'errors' | 'no-idc' | 'spill-limit' | 'tries';

/**
 * A measure above `limit`: milliseconds for percentiles, a share of requests (0 to 1), for `tries` a number.
 */
export interface AbortCondition {
  readonly measure: Measure;
  readonly limit: number;
}

/** When a change is aborted: a condition, any of several, or all of several. */
export type AbortExpression =
  | AbortCondition
  | { readonly any: readonly AbortExpression[] }
  | { readonly all: readonly AbortExpression[] };

/** Whether a condition is met, with the reason; `unknown`: too little data, and what is missing. */
export type Judgement =
  | { readonly outcome: 'so'; readonly words: string }
  | { readonly outcome: 'not so' }
  | { readonly outcome: 'unknown'; readonly words: string };

const percentiles: readonly string[] = ['p50', 'p90', 'p99', 'p999'] satisfies Measure[];
const shares: readonly string[] = ['errors', 'no-idc', 'spill-limit'] satisfies Measure[];
const measures = [...percentiles, ...shares, 'tries'];

/** Longest expression, in characters: the parser recurses at each parenthesis. */
const textMax = 1_000;

interface Token {
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

/**
 * Parses conditions such as `p99>500ms or (errors>0.1% and tries>1.5)`: `and` binds closer than `or`, which
 * may be written as a comma. Throws MeshError `invalid` with the column, counted from 1, and what to write
 * there.
 */
export function parseAbortOn(text: string): AbortExpression {
  if (text.length > textMax)
    throw new MeshError(
      'invalid',
      `the conditions have ${text.length} characters, and may have ${textMax}: name fewer`,
    );
  const tokens = tokensOf(text);
  const end: Token = { text: '', column: text.length + 1 };
  let position = 0;
  const next = () => tokens[position] ?? end;
  const fail = ({ column }: Token, words: string): never => {
    throw new MeshError('invalid', `'${text}', column ${column}: ${words}`);
  };
  const take = (...texts: readonly string[]) => {
    const is = texts.includes(next().text);
    if (is) position += 1;
    return is;
  };

  function any(): AbortExpression {
    const list = [all()];
    while (take('or', ',')) list.push(all());
    return list.length === 1 ? (list[0] as AbortExpression) : { any: list };
  }

  function all(): AbortExpression {
    const list = [one()];
    while (take('and')) list.push(one());
    return list.length === 1 ? (list[0] as AbortExpression) : { all: list };
  }

  function one(): AbortExpression {
    const open = next();
    if (!take('(')) return condition();
    const inner = any();
    if (!take(')')) fail(next(), `the ( of column ${open.column} is not closed: write )`);
    return inner;
  }

  function condition(): AbortCondition {
    const name = next();
    if (!measures.includes(name.text)) {
      const found = name.text === '' ? 'a condition is missing' : `'${name.text}' is not a measure`;
      fail(name, `${found}: write one of ${measures.join(', ')}, such as errors>1%`);
    }
    position += 1;
    const sign = next();
    if (!take('>')) fail(sign, `write > after ${name.text}: a condition is that a measure is above a limit`);
    const bound = next();
    position += 1;
    const measure = name.text as Measure;
    return { measure, limit: limitOf(measure, bound.text) ?? fail(bound, boundWords(measure, bound.text)) };
  }

  const expression = any();
  if (next() !== end) fail(next(), `'${next().text}' is not expected here: write or, and, or nothing more`);
  return expression;
}

function tokensOf(text: string): readonly Token[] {
  return [...text.matchAll(/[(),]|[<>=]+|[^\s(),<>=]+/g)].map((match) => ({
    text: match[0],
    column: match.index + 1,
  }));
}

function limitOf(what: Measure, text: string): number | undefined {
  if (percentiles.includes(what)) return text === '0' ? undefined : parseDurationMs(text);
  if (what === 'tries') {
    const tries = /^[0-9]+(?:\.[0-9]+)?$/.test(text) ? Number(text) : 0;
    return tries >= 1 && Number.isFinite(tries) ? tries : undefined;
  }
  const percent = /^([0-9]+(?:\.[0-9]+)?)%$/.exec(text)?.[1];
  return percent === undefined || Number(percent) > 100 ? undefined : Number(percent) / 100;
}

function boundWords(what: Measure, text: string): string {
  const found = text === '' ? `the limit of ${what} is missing` : `'${text}' is not a limit of ${what}`;
  if (percentiles.includes(what)) return `${found}: write a time with its unit, such as 500ms or 2s`;
  if (what === 'tries') return `${found}: write a number of at least 1, such as 1.5`;
  return `${found}: write a share from 0% to 100%, such as 0.1%`;
}

/** All conditions of an expression, in order. */
export function conditionsOf(expression: AbortExpression): readonly AbortCondition[] {
  if ('measure' in expression) return [expression];
  return ('any' in expression ? expression.any : expression.all).flatMap(conditionsOf);
}

/** Evaluates an expression with unknown conditions (Kleene's logic). */
export function judgeExpression(
  expression: AbortExpression,
  of: (condition: AbortCondition) => Judgement,
): Judgement {
  if ('measure' in expression) return of(expression);
  const isAny = 'any' in expression;
  const parts = (isAny ? expression.any : expression.all).map((part) => judgeExpression(part, of));
  const words = (outcome: Judgement['outcome']) => [
    ...new Set(parts.flatMap((part) => ('words' in part && part.outcome === outcome ? part.words : []))),
  ];
  const deciding = parts.find(({ outcome }) => outcome === (isAny ? 'so' : 'not so'));
  if (deciding !== undefined) return deciding;
  if (parts.some(({ outcome }) => outcome === 'unknown'))
    return { outcome: 'unknown', words: words('unknown').join('; ') };
  return isAny ? { outcome: 'not so' } : { outcome: 'so', words: words('so').join(', and ') };
}
