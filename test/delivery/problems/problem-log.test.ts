import t from 'tap';
import { type LogFields, type Logger, silentLogger } from '../../../src/base/log.ts';
import { createProblemLog } from '../../../src/delivery/problems/problem-log.ts';
import type { NewEvent } from '../../../src/events/event.ts';
import { createEventLog } from '../../../src/events/event-log.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { manualClock } from '../../support/manual-clock.ts';

/** A log of problems, and the lines that it writes: level, message, where. */
function setup() {
  const lines: string[] = [];
  const take = (level: string) => (message: string, fields?: LogFields) =>
    lines.push([level, message, fields?.where ?? fields?.more].join(' | '));
  const logger: Logger = { ...silentLogger, info: take('info'), warn: take('warn'), error: take('error') };
  const clock = manualClock();
  const told: NewEvent[] = [];
  const journal = { add: (event: NewEvent) => void told.push(event) };
  const counts: string[] = [];
  const count = (kind: string, phase: string) => void counts.push(`${kind} ${phase}`);
  const log = createProblemLog({ clock, logger, events: createEventLog({ logger, journal, count }) });
  return { clock, log, counts, taken: () => lines.splice(0), told: () => told.splice(0) };
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
  t.equal(lines.at(-1), 'error | more registry problems: see /problems | 980');
  log('files', []);
  t.equal(taken().length, 20);
  const some = (from: number) => Array.from({ length: 15 }, (_, i) => problem(`g${from + i}`));
  log('files', some(0));
  log('files', [...some(0), ...some(15)]);
  taken();
  log('files', []);
  t.equal(taken().at(-1), 'info | more registry problems are over | 10');
});

t.test('errors are events, warnings are lines of the log alone', async (t) => {
  const { log, told, counts } = setup();
  const ref = { kind: 'WorkloadEntry', namespace: 'shop', name: 'a' } as const;
  log('files', [{ ...problem('a.yaml:1:1'), path: 'spec.weight', ref }, problem('b.yaml', 'warning')]);
  const common = { source: 'files', code: 'InvalidField', where: 'a.yaml:1:1', path: 'spec.weight' };
  const one = { ...common, object: 'WorkloadEntry shop/a', problem: 'is wrong' };
  t.strictSame(told(), [{ kind: 'problem', phase: 'begin', ...one }]);
  // As deletions that are held: another count is the same problem.
  log('files', [{ ...problem('a.yaml:1:1'), path: 'spec.weight', ref, message: 'is wrong, too' }]);
  t.strictSame(told(), []);
  log('files', []);
  t.match(told(), [{ kind: 'problem', phase: 'end', ...common, problem: 'is wrong, too' }]);
  t.strictSame(counts, ['problem begin', 'problem end']);
});

t.test('a problem that comes and goes is told once it is quiet', async (t) => {
  const { clock, log, told } = setup();
  const set = (isThere: boolean) => log('files', isThere ? [problem('a.yaml:1:1')] : []);
  set(true);
  set(false);
  t.match(told(), [{ phase: 'begin' }, { phase: 'end' }]);
  for (let i = 0; i < 5; i += 1) {
    set(true);
    clock.pass(100);
    set(false);
    clock.pass(100);
  }
  set(true);
  t.strictSame(told(), []);
  clock.pass(1_000);
  t.match(told(), [{ phase: 'begin', where: 'a.yaml:1:1', times: 5, inMs: 1_000 }]);
  // The control: after a while it is told at once.
  set(false);
  t.match(told(), [{ phase: 'end' }]);
});

t.test('several errors at one place are several', async (t) => {
  const { log, told } = setup();
  log('files', [problem('a'), { ...problem('a'), message: 'is wrong, too' }]);
  t.match(told(), [{ problem: 'is wrong' }, { problem: 'is wrong, too' }]);
  log('files', [problem('a')]);
  t.match(told(), [{ phase: 'end', problem: 'is wrong, too' }]);
});
