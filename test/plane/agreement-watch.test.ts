import t from 'tap';
import { watchAgreement } from '../../src/plane/findings/agreement-watch.ts';
import { manualClock } from '../support/manual-clock.ts';

/** A watch over nothing, and how often it has looked by itself. */
function watched() {
  const clock = manualClock();
  let looks = 0;
  const watch = watchAgreement({
    clock,
    input: () => ({ objects: [], wallMs: clock.wall() }),
    isDue: () => true,
    onFindings() {
      looks += 1;
    },
  });
  return { clock, watch, looks: () => looks };
}

t.test('a change is looked at after a while', async (t) => {
  const { clock, watch, looks } = watched();
  watch.noteChange();
  clock.pass(4_900);
  t.equal(looks(), 0);
  clock.pass(200);
  t.equal(looks(), 1);
});

t.test('while proxies come for whole pictures it waits', async (t) => {
  const { clock, watch, looks } = watched();
  watch.noteChange();
  clock.pass(4_000);
  watch.giveWay();
  clock.pass(4_000);
  t.equal(looks(), 0);
  clock.pass(3_000);
  t.equal(looks(), 1, 'they have stopped coming');
});

t.test('proxies that never stop coming do not keep it from looking', async (t) => {
  const { clock, watch, looks } = watched();
  watch.noteChange();
  for (let s = 0; s < 58; s += 1) {
    watch.giveWay();
    clock.pass(1_000);
  }
  t.equal(looks(), 0);
  for (let s = 0; s < 8; s += 1) {
    watch.giveWay();
    clock.pass(1_000);
  }
  t.equal(looks(), 1);
});
