import t from 'tap';
import { type Attack, isClear } from '../support/attacks/attack.ts';
import { startAttacked } from '../support/attacks/attacked.ts';
import { strokes } from '../support/attacks/table.ts';

t.test('a single fault of a client ends in a clear status', { timeout: 290_000 }, async (t) => {
  const attacked = await startAttacked();
  t.teardown(() => attacked.close());
  const slow = strokes.filter(({ isSlow }) => isSlow === true);
  const slowly = slow.map((attack) => attacked.attack(attack));
  const check = (attack: Attack, ends: readonly string[]) => {
    for (const end of ends) t.ok(isClear(attack, end), `${attack.name} ends with ${end}`);
  };
  for (const attack of strokes.filter((one) => !slow.includes(one)))
    check(attack, await attacked.attack(attack).ends);
  for (const [i, { ends }] of slowly.entries()) check(slow[i] as Attack, await ends);
  const { lost } = await attacked.observe(1);
  t.equal(lost, 0, 'those who behave are still served');
});
