import t from 'tap';
import { type LogFields, type Logger, silentLogger } from '../../../src/base/log.ts';
import { createProblemLog } from '../../../src/delivery/problems/problem-log.ts';
import type { Finding } from '../../../src/model/finding.ts';

/** A log of problems, and the lines that it writes: level, message, where. */
function setup() {
  const lines: string[] = [];
  const take = (level: string) => (message: string, fields?: LogFields) =>
    lines.push([level, message, fields?.where ?? fields?.more].join(' | '));
  const logger: Logger = { ...silentLogger, info: take('info'), warn: take('warn'), error: take('error') };
  return { log: createProblemLog(logger), taken: () => lines.splice(0) };
}

const problem = (where: string, severity: Finding['severity'] = 'error'): Finding => ({
  ...{ code: 'InvalidField', severity, where, path: '', message: 'is wrong' },
});

t.test('each problem is told when it appears, once, and when it is over', async (t) => {
  const { log, taken } = setup();
  log('files', [problem('a.yaml:1:1'), problem('b.yaml:2:1', 'warning')]);
  t.same(taken(), ['error | registry problem | a.yaml:1:1', 'warn | registry problem | b.yaml:2:1']);
  log('files', [problem('a.yaml:1:1'), problem('b.yaml:2:1', 'warning')]);
  t.same(taken(), []);
  log('other', [problem('c')]);
  log('files', [problem('b.yaml:2:1', 'warning')]);
  t.same(taken(), ['error | registry problem | c', 'info | registry problem is over | a.yaml:1:1']);
});

t.test('a thousand at once are not a thousand lines', async (t) => {
  const { log, taken } = setup();
  log(
    'files',
    Array.from({ length: 1_000 }, (_, i) => problem(`f${i}`)),
  );
  const lines = taken();
  t.equal(lines.length, 21);
  t.equal(lines.at(-1), 'warn | more registry problems: see /problems | 980');
  log('files', []);
  t.equal(taken().length, 20);
});
