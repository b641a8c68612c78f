import t from 'tap';
import type { Clock } from '../../src/base/clock.ts';
import { Readiness } from '../../src/rollout/readiness.ts';

t.test(
  'ready only when every condition was met, told once; until then it says for what it waits',
  async (t) => {
    const told: string[] = [];
    let time = 0;
    let remind = () => {};
    let due = 0;
    const clock: Clock = {
      now: () => time,
      wall: () => time,
      after(ms, fn) {
        due = ms;
        remind = fn;
        return {
          cancel() {
            remind = () => {};
          },
        };
      },
    };
    const readiness = new Readiness({ conditions: ['source files', 'filters', 'queue'], clock });
    readiness.observe({
      onReady: () => told.push('ready'),
      onWelcome: (isWelcome) => told.push(`welcome: ${isWelcome}`),
      onWaiting: (waiting, forMs) => told.push(`${waiting.join()} after ${forMs}`),
    });
    t.notOk(readiness.ready);
    readiness.met('filters');
    readiness.met('filters');
    t.strictSame(readiness.waitingFor(), ['source files', 'queue']);
    t.strictSame([told, due], [[], 1_000], 'a short start needs no words');
    time = 1_000;
    remind();
    t.equal(due, 10_000);
    time = 11_000;
    remind();
    readiness.met('queue');
    readiness.met('source files');
    readiness.met('source files');
    t.ok(readiness.ready);
    remind();
    t.strictSame(told, [
      'source files,queue after 1000',
      'source files,queue after 11000',
      'source files after 11000',
      'ready',
    ]);
    told.length = 0;
    readiness.turnAway('memory', 'it is nearly full');
    readiness.turnAway('memory', 'it is fuller');
    readiness.turnAway('stop', 'this control plane stops');
    readiness.turnAway('memory', undefined);
    t.strictSame(told, ['welcome: false'], 'told once, while there is any cause');
    readiness.turnAway('stop', undefined);
    t.strictSame(told, ['welcome: false', 'welcome: true']);
    t.ok(readiness.ready, 'those that are there are answered all the time');
  },
);
