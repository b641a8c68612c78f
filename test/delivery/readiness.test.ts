import t from 'tap';
import type { Clock } from '../../src/base/clock.ts';
import { Readiness } from '../../src/delivery/readiness.ts';

t.test(
  'ready only when every condition was met, told once; until then it says for what it waits',
  async (t) => {
    const told: string[] = [];
    let time = 0;
    let remind = () => {};
    const clock: Clock = {
      now: () => time,
      wall: () => time,
      after(_, fn) {
        remind = fn;
        return {
          cancel() {
            remind = () => {};
          },
        };
      },
    };
    const readiness = new Readiness({
      conditions: ['source files', 'filters', 'queue'],
      clock,
      onReady: () => told.push('ready'),
      onWaiting: (waiting, forMs) => told.push(`${waiting.join()} after ${forMs}`),
    });
    t.notOk(readiness.ready);
    readiness.met('filters');
    readiness.met('filters');
    t.strictSame(readiness.waitingFor(), ['source files', 'queue']);
    time = 10_000;
    remind();
    readiness.met('queue');
    readiness.met('source files');
    readiness.met('source files');
    t.ok(readiness.ready);
    remind();
    t.strictSame(told, [
      'source files,queue after 0',
      'source files,queue after 10000',
      'source files after 10000',
      'ready',
    ]);
  },
);
