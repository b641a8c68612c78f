import t from 'tap';
import { idcsLeftToTry } from '../../src/plan/crossing.ts';
import { limitCrossingTries, planCrossingTries, planRetry } from '../../src/plan/retries/retry.ts';
import type { Crossing } from '../../src/plan/types.ts';

const inOrder = (...idcs: string[]) => idcs.map((idc, priority) => ({ idc, priority }));
const byWeight = (...idcs: string[]) => idcs.map((idc) => ({ idc, priority: 0, weight: 1 }));

t.test('each IDC is asked, whichever gateways of others take tries', async (t) => {
  const tries = (targets: ReturnType<typeof inOrder>, gateways: number | Record<string, number>) => {
    const asking = planCrossingTries(targets, (idc) =>
      typeof gateways === 'number' ? gateways : (gateways[idc] ?? 0),
    );
    return [asking.idcs, asking.tries, asking.triesPerPriority];
  };
  t.strictSame(tries(inOrder('b'), 2), [1, 4, 2]);
  t.strictSame(tries(inOrder('b', 'c'), 2), [2, 4, 2]);
  t.strictSame(tries(inOrder('b', 'c', 'd'), 4), [3, 6, 2], 'two gateways of each are enough');
  t.strictSame(tries(byWeight('b', 'c'), 1), [2, 4, 2]);
  t.strictSame(tries(byWeight('b', 'c'), 4), [2, 5, 5], 'four of one, and one of the other');
  t.strictSame(tries(byWeight('b', 'c', 'd'), { b: 3, c: 1, d: 2 }), [3, 6, 6]);
  t.strictSame(tries([...byWeight('b', 'c'), { idc: 'd', priority: 1 }], 3), [3, 8, 4]);
  t.strictSame(tries(byWeight('b', 'c'), 40), [2, 16, 16], 'work for one request is bounded');
});

t.test('the only remaining IDC is asked once', async (t) => {
  const asking = planCrossingTries(inOrder('b', 'c', 'd'), () => 2);
  const on = (idcs: number) => planRetry('ingress', {}, limitCrossingTries(asking, idcs)).other.on;
  t.strictSame(
    [on(3), on(2), on(1), on(0)],
    [['unsent', 'told-nobody'], ['unsent', 'told-nobody'], ['unsent'], ['unsent']],
  );
  t.strictSame(limitCrossingTries(asking, 2), { idcs: 2, tries: 4, triesPerPriority: 2 });
});

t.test('how many are left, by the names in the trail', async (t) => {
  const permits = [
    { visited: 'a', to: ['b', 'c', 'd'] },
    { visited: 'a,b', to: ['c', 'd'] },
    { visited: 'a,x', to: ['b', 'c', 'd'] },
    { visited: 'a,b,c', to: ['d'] },
  ];
  const times = { connectTimeoutMs: 1_050, silenceMs: 2_000 };
  const crossing: Crossing = {
    idcs: inOrder('b', 'c', 'd'),
    permits,
    begun: 'a',
    handOnNamesMax: 3,
    ...times,
  };
  t.strictSame(idcsLeftToTry(crossing), [3, 1], 'from 2 names on; the most that any of these may ask');
  t.strictSame(idcsLeftToTry({ ...crossing, permits: 'all' }), []);
  t.strictSame(
    idcsLeftToTry({ idcs: crossing.idcs, permits, begun: 'a', ...times }),
    [],
    'nothing is handed on',
  );
  t.strictSame(idcsLeftToTry(undefined), []);
});
