import t from 'tap';
import {
  type AbortExpression,
  conditionsOf,
  type Judgement,
  judgeExpression,
  parseAbortOn,
} from '../../src/cli/options/abort-on.ts';

const p99 = { measure: 'p99', limit: 500 };
const errors = { measure: 'errors', limit: 0.001 };
const tries = { measure: 'tries', limit: 1.5 };

t.test('conditions, alone and together', async (t) => {
  const read: [string, unknown][] = [
    ['p99>500ms', p99],
    [' p99 > 0.5s ', p99],
    ['p50>1ms', { measure: 'p50', limit: 1 }],
    ['p90>1m', { measure: 'p90', limit: 60_000 }],
    ['p999>2s', { measure: 'p999', limit: 2_000 }],
    ['errors>0%', { measure: 'errors', limit: 0 }],
    ['no-idc>100%', { measure: 'no-idc', limit: 1 }],
    ['spill-limit>2.5%', { measure: 'spill-limit', limit: 0.025 }],
    ['tries>1.5', tries],
    ['p99>500ms or errors>0.1%', { any: [p99, errors] }],
    ['p99>500ms,errors>0.1%,tries>1.5', { any: [p99, errors, tries] }],
    ['p99>500ms and errors>0.1%', { all: [p99, errors] }],
    ['p99>500ms or errors>0.1% and tries>1.5', { any: [p99, { all: [errors, tries] }] }],
    ['p99>500ms and errors>0.1% or tries>1.5', { any: [{ all: [p99, errors] }, tries] }],
    ['(p99>500ms or errors>0.1%) and tries>1.5', { all: [{ any: [p99, errors] }, tries] }],
    ['((p99>500ms))', p99],
  ];
  for (const [text, expression] of read) t.strictSame(parseAbortOn(text), expression, text);
  t.strictSame(conditionsOf(parseAbortOn('(p99>500ms or errors>0.1%) and tries>1.5')), [p99, errors, tries]);
});

t.test('errors are reported with their column', async (t) => {
  const wrong: [string, number, RegExp][] = [
    ['', 1, /a condition is missing: write one of p50, p90, p99, p999, errors, no-idc, spill-limit, tries/],
    ['p95>1s', 1, /'p95' is not a measure: write one of p50/],
    ['p99>500ms or ', 14, /a condition is missing/],
    ['p99>500ms or or', 14, /'or' is not a measure/],
    ['p99', 4, /write > after p99/],
    ['errors<1%', 7, /write > after errors/],
    ['errors>=1%', 7, /write > after errors/],
    ['errors=1%', 7, /write > after errors/],
    ['errors < 1%', 8, /write > after errors/],
    ['p99>', 5, /the limit of p99 is missing: write a time with its unit, such as 500ms/],
    ['p99>500', 5, /'500' is not a limit of p99: write a time with its unit/],
    ['p99>0', 5, /'0' is not a limit of p99/],
    ['p99>1%', 5, /write a time with its unit/],
    ['errors>5', 8, /'5' is not a limit of errors: write a share from 0% to 100%/],
    ['errors>101%', 8, /write a share from 0% to 100%/],
    ['errors>-1%', 8, /write a share/],
    ['no-idc>5ms', 8, /write a share/],
    ['tries>0.5', 7, /'0.5' is not a limit of tries: write a number of at least 1/],
    ['tries>2x', 7, /write a number/],
    [`tries>${'9'.repeat(400)}`, 7, /write a number/],
    ['p99>1s errors>1%', 8, /'errors' is not expected here: write or, and, or nothing more/],
    ['(p99>1s', 8, /the \( of column 1 is not closed: write \)/],
    ['p99>1s)', 7, /'\)' is not expected here/],
    ['p99>>1s', 4, /write > after p99/],
  ];
  for (const [text, column, words] of wrong) {
    t.throws(() => parseAbortOn(text), { code: 'invalid', message: words }, text);
    t.throws(() => parseAbortOn(text), { message: new RegExp(`column ${column}: `) }, `${text}: ${column}`);
  }
});

t.test('the length of an expression is limited', async (t) => {
  const most = `${'('.repeat(495)}errors>1%${')'.repeat(495)}`;
  t.strictSame(parseAbortOn(most), { measure: 'errors', limit: 0.01 });
  for (const text of ['('.repeat(20_000), 'errors>1% or '.repeat(2_000), 'x'.repeat(100_000)]) {
    const message = `the conditions have ${text.length} characters, and may have 1000: name fewer`;
    t.throws(() => parseAbortOn(text), { code: 'invalid', message });
  }
});

t.test('an unknown value decides only if it matters', async (t) => {
  const states: Readonly<Record<string, Judgement>> = {
    p50: { outcome: 'so', words: 'p50 is' },
    p90: { outcome: 'not so' },
    p99: { outcome: 'unknown', words: 'p99?' },
    errors: { outcome: 'unknown', words: 'errors?' },
    tries: { outcome: 'so', words: 'tries are' },
  };
  const limits: Readonly<Record<string, string>> = { errors: '1%', tries: '1' };
  const of = (text: string) => {
    const full = text.replace(/p\d+|errors|tries/g, (name) => `${name}>${limits[name] ?? '1s'}`);
    return judgeExpression(
      parseAbortOn(full) as AbortExpression,
      ({ measure }) => states[measure] as Judgement,
    );
  };
  t.strictSame(of('p50'), states.p50);
  t.strictSame(of('p50 or p90'), states.p50);
  t.strictSame(of('p99 or p50'), states.p50, 'one that is so is enough');
  t.strictSame(of('p90 or p99'), { outcome: 'unknown', words: 'p99?' });
  t.strictSame(of('p99 or errors'), { outcome: 'unknown', words: 'p99?; errors?' });
  t.strictSame(of('p50 and p90'), { outcome: 'not so' });
  t.strictSame(of('p99 and p90'), { outcome: 'not so' }, 'one that is not is enough');
  t.strictSame(of('p50 and p99'), { outcome: 'unknown', words: 'p99?' });
  t.strictSame(of('p50 and tries'), { outcome: 'so', words: 'p50 is, and tries are' });
  t.strictSame(of('(p99 or p50) and tries'), { outcome: 'so', words: 'p50 is, and tries are' });
});
