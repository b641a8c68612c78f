import t from 'tap';
import { type LogFields, silentLogger } from '../../src/base/log.ts';
import { SparseLog } from '../../src/xds/sparse-log.ts';
import { manualClock } from '../support/manual-clock.ts';

function story() {
  const clock = manualClock();
  const lines: LogFields[] = [];
  const log = new SparseLog(clock, {
    ...silentLogger,
    warn: (message, fields) => void lines.push({ message, ...fields }),
  });
  return { clock, log, taken: () => lines.splice(0) };
}

const error = "node 'x' is in IDC 'sh-b', this control plane in 'sh-a'";

t.test('an Envoy that is refused and tries again is a line once in ten minutes', async (t) => {
  const { clock, log, taken } = story();
  for (let i = 0; i < 40; i += 1) {
    log.warn('stream refused', { peer: `10.0.0.9:${1_000 + i}`, node: 'x', error });
    clock.pass(15_000);
  }
  t.same(taken(), [{ message: 'stream refused', peer: '10.0.0.9:1000', node: 'x', error }]);
  log.warn('stream refused', { peer: '10.0.0.9:2000', node: 'x', error });
  t.match(taken(), [{ peer: '10.0.0.9:2000', again: 39 }]);
});

t.test('another client, node and reason are told', async (t) => {
  const { log, taken } = story();
  const causes = [
    { peer: '10.0.0.9:1', node: 'x', error },
    { peer: '10.0.0.8:1', node: 'x', error },
    { peer: '10.0.0.9:1', node: 'y', error },
    { peer: '10.0.0.9:1', node: 'x', error: 'no metadata' },
    { peer: '10.0.0.9:1', limit: 'streams', error },
  ];
  for (const one of causes) log.warn('stream refused', one);
  t.equal(taken().length, causes.length);
  log.warn('stream refused', { peer: '10.0.0.9:1', error: 'a request has 10 bytes' });
  log.warn('stream refused', { peer: '10.0.0.9:1', error: 'a request has 11 bytes' });
  t.equal(taken().length, 1, 'a number is no other reason');
});

t.test('many clients at once are a few lines, and what was left out is told later', async (t) => {
  const { clock, log, taken } = story();
  for (let i = 0; i < 100; i += 1) log.warn('stream refused', { peer: `10.0.1.${i}:1`, error });
  t.equal(taken().length, 20);
  clock.pass(10_000);
  log.warn('stream refused', { peer: '10.0.1.99:1', error });
  t.match(taken(), [{ peer: '10.0.1.99:1', notLogged: 80 }]);
});
