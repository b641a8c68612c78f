import t from 'tap';
import {
  type ControlPlaneFacts,
  controlPlaneRows,
  controlPlaneUnprotected,
} from '../../../src/drill/drills/controlplane/verdict.ts';
import { weightsIn } from '../../../src/drill/drills/controlplane/watch.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import { goodMeasurement } from '../fixture.ts';

const good: ControlPlaneFacts = {
  ...{ endpoints: 2, early: [], readyAt: 1_000, arrivedAt: 1_800 },
  ...{ bareStartedAt: 5_000, bareReadyAt: 7_000, backAt: 9_000, backArrivedAt: 9_500 },
  ...{ restarted: { fewest: 2, looks: 200 }, bare: { fewest: 2, looks: 200 } },
};
const of = (change: Partial<ControlPlaneFacts> = {}) => ({ ...goodMeasurement(), ...good, ...change });
/** The rows of this drill alone: what all drills judge is tested with them. */
const own = ['alone', 'change-arrives', 'restart-whole', 'bare-ready', 'bare-whole', 'back-arrives'];
const missed = (change: Partial<ControlPlaneFacts>) =>
  controlPlaneRows(of(change))
    .filter(({ id, ok }) => own.includes(id) && !ok)
    .map(({ id }) => id);

t.test('each row fails for its own reason', async (t) => {
  t.strictSame(missed({}), []);
  t.strictSame(missed({ early: ['caller'] }), ['alone']);
  t.strictSame(missed({ arrivedAt: 3_001 }), ['change-arrives']);
  t.strictSame(missed({ arrivedAt: Number.NaN }), ['change-arrives']);
  t.strictSame(missed({ restarted: { fewest: 1, looks: 200 } }), ['restart-whole']);
  t.strictSame(missed({ restarted: { fewest: 2, looks: 3 } }), ['restart-whole'], 'hardly looked');
  t.strictSame(missed({ bareReadyAt: Number.NaN }), ['bare-ready']);
  t.strictSame(missed({ bare: { fewest: 0, looks: 200 } }), ['bare-whole']);
  t.strictSame(missed({ backArrivedAt: 11_001 }), ['back-arrives']);
});

t.test(
  'the negative control must fail because endpoints were taken away, and for nothing else',
  async (t) => {
    const against = (change: Partial<ControlPlaneFacts>) => {
      const m = of(change);
      return controlPlaneUnprotected(m, verdictOf(controlPlaneRows(m)));
    };
    const lost = { bare: { fewest: 0, looks: 200 } };
    t.strictSame(against(lost), []);
    t.match(against({}), ['no proxy lost endpoints', /kept 2/]);
    t.match(against({ ...lost, arrivedAt: Number.NaN }), [/change-arrives failed too/]);
  },
);

t.test('weights are read from what Envoy says of its clusters', async (t) => {
  const text = [
    'instances/checkout.shop:8080::default_priority::max_connections::4294967295',
    'instances/checkout.shop:8080::127.1.0.31:8080::weight::3',
    'instances/checkout.shop:8080::127.1.0.32:8080::weight::1',
    'instances/catalog.shop:8080::127.1.0.41:8080::weight::9',
  ].join('\n');
  t.strictSame(weightsIn(text, 'instances/checkout.shop:'), [3, 1]);
});
