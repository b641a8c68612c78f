import t from 'tap';
import { MeshError } from '../../src/base/error.ts';
import { applyValidChanges } from '../../src/plane/apply-valid-changes.ts';

/** Takes even numbers, all or none of a call. */
function evens(): { taken: number[]; apply: (numbers: readonly number[]) => void } {
  const taken: number[] = [];
  return {
    taken,
    apply(numbers) {
      const odd = numbers.find((number) => number % 2 === 1);
      if (odd !== undefined) throw new MeshError('invalid', `${odd} is odd`);
      taken.push(...numbers);
    },
  };
}

t.test('valid changes are applied in one call', async (t) => {
  const { taken, apply } = evens();
  let calls = 0;
  applyValidChanges(
    [2, 4],
    (numbers) => {
      calls += 1;
      apply(numbers);
    },
    () => t.fail('nothing is wrong'),
  );
  t.strictSame(taken, [2, 4]);
  t.equal(calls, 1);
});

t.test('an invalid change blocks no other, and is reported', async (t) => {
  const { taken, apply } = evens();
  const refused: string[] = [];
  applyValidChanges([2, 3, 4], apply, (number, error) => refused.push(`${number}: ${error.message}`));
  t.strictSame(taken, [2, 4]);
  t.strictSame(refused, ['3: 3 is odd']);
});

t.test('an empty apply creates the class', async (t) => {
  const calls: number[] = [];
  applyValidChanges<string>(
    [],
    (changes) => calls.push(changes.length),
    () => t.fail('nothing is wrong'),
  );
  t.strictSame(calls, [0]);
});
