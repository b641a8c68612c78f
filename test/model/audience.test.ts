import t from 'tap';
import { audiencesOf, isSeenBy } from '../../src/model/audience.ts';

const one = (namespace: string, exportTo?: string[]) => ({ namespace, exportTo });
/** For each namespace the index of the declaration that its callers use; -1: none. */
const uses = (declared: ReturnType<typeof one>[], ...namespaces: string[]) =>
  namespaces.map((namespace) => audiencesOf(declared).findIndex((audience) => isSeenBy(audience, namespace)));

t.test('one that all may see is everybody’s', async (t) => {
  t.strictSame(audiencesOf([one('a')]), [undefined]);
  t.strictSame(uses([one('a')], 'a', 'z'), [0, 0]);
});

t.test('the own namespace’s first, else the first that is exported', async (t) => {
  t.strictSame(uses([one('a'), one('b'), one('c', ['c'])], 'a', 'b', 'c', 'z'), [0, 1, 2, 0]);
  t.strictSame(uses([one('a', ['a', 'x']), one('b', ['x'])], 'a', 'b', 'x', 'z'), [0, -1, 0, -1]);
  t.strictSame(uses([one('a', [])], 'a', 'z'), [-1, -1], 'nobody');
  t.strictSame(uses([one('a'), one('b', ['x'])], 'b'), [0], 'an own one that is not for its own namespace');
});

t.test('nobody uses two, and gateways use the first', async (t) => {
  const declared = [one('a'), one('b'), one('c', ['a', 'd']), one('d', ['.'])];
  const audiences = audiencesOf(declared);
  for (const namespace of ['a', 'b', 'c', 'd', 'z'])
    t.equal(audiences.filter((audience) => isSeenBy(audience, namespace)).length, 1, namespace);
  t.strictSame(
    audiences.map((audience) => audience?.gateways),
    [true, false, false, false],
  );
});
