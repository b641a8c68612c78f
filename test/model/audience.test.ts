import t from 'tap';
import { isSeenBy, viewsOf } from '../../src/model/audience.ts';

const one = (namespace: string, exportTo?: string[]) => ({ namespace, exportTo });
/** For each namespace the declarations that its callers see. */
const sees = (declared: ReturnType<typeof one>[], ...namespaces: string[]) =>
  namespaces.map(
    (namespace) =>
      viewsOf(declared)
        .find(({ audience }) => isSeenBy(audience, namespace))
        ?.members.join('+') ?? '',
  );

t.test('one that all may see is everybody’s', async (t) => {
  t.strictSame(viewsOf([one('a')]), [{ members: [0] }]);
  t.strictSame(sees([one('a')], 'a', 'z'), ['0', '0']);
});

t.test('the own namespace’s first, else the first that is exported', async (t) => {
  t.strictSame(sees([one('a'), one('b'), one('c', ['c'])], 'a', 'b', 'c', 'z'), ['0', '1', '2', '0']);
  t.strictSame(sees([one('a', ['a', 'x']), one('b', ['x'])], 'a', 'b', 'x', 'z'), ['0', '', '0', '']);
  t.strictSame(sees([one('a', [])], 'a', 'z'), ['', ''], 'nobody');
  t.strictSame(sees([one('a'), one('b', ['x'])], 'b'), ['0'], 'an own one that is not for its own namespace');
});

t.test('of a namespace all that a caller may see', async (t) => {
  t.strictSame(viewsOf([one('a'), one('a')]), [{ members: [0, 1] }]);
  const mixed = [one('a'), one('b'), one('a', ['a']), one('a', ['x'])];
  t.strictSame(sees(mixed, 'a', 'b', 'x', 'z'), ['0+2', '1', '0+3', '0']);
  t.strictSame(viewsOf(mixed)[0], {
    members: [0, 2, 3],
    audience: { gateways: true, all: false, exceptNamespaces: [] },
  });
});

t.test('nobody sees two, and gateways see all of the first', async (t) => {
  const views = viewsOf([one('a'), one('b'), one('c', ['a', 'd']), one('d', ['.'])]);
  for (const namespace of ['a', 'b', 'c', 'd', 'z'])
    t.equal(views.filter(({ audience }) => isSeenBy(audience, namespace)).length, 1, namespace);
  t.strictSame(
    views.map(({ audience }) => audience?.gateways),
    [true, false],
  );
});
