import t from 'tap';
import { Readiness } from '../../src/delivery/readiness.ts';

t.test('ready only when every condition was met, and told once', async (t) => {
  let told = 0;
  const readiness = new Readiness(['source files', 'filter'], () => told++);
  t.notOk(readiness.ready);
  readiness.met('filter');
  t.strictSame(readiness.waitingFor(), ['source files']);
  readiness.met('source files');
  readiness.met('source files');
  t.ok(readiness.ready);
  t.equal(told, 1);
});
