import t from 'tap';
import { LineRates, lineRates } from '../../src/cli/process/line-rates.ts';
import { manualClock } from '../support/manual-clock.ts';

t.test('a message is logged up to its rate; omitted lines are counted in the next one', async (t) => {
  const clock = manualClock();
  const rates = new LineRates(clock);
  const passed = Array.from({ length: lineRates.burst + 50 }, (_, n) => rates.pass('NACK', { n }));
  t.same(passed[0], { n: 0 });
  t.equal(passed.filter((one) => one !== undefined).length, lineRates.burst);
  t.same(rates.pass('proxy connected'), {}, 'others are not left out for it');
  clock.pass(1_000);
  t.same(rates.pass('NACK', { n: 1 }), { n: 1, notLogged: 50 });
  const second = Array.from({ length: 100 }, () => rates.pass('NACK'));
  t.equal(second.filter((one) => one !== undefined).length, lineRates.perSecond - 1);
});
