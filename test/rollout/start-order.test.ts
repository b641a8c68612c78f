import t from 'tap';
import { silentLogger } from '../../src/base/log.ts';
import { egressWaitMsMax, StartOrder } from '../../src/rollout/start-order.ts';
import { manualClock } from '../support/manual-clock.ts';

/** A start order with one ingress class that asks to begin, and what became of it. */
function world({ hasEgress = true } = {}) {
  const clock = manualClock();
  const order = new StartOrder({
    clock,
    logger: silentLogger,
    listenTypes: ['listeners'],
    hasEgress: () => hasEgress,
  });
  const held = new Set<string>();
  const begin = (name: string, role: 'ingress' | 'egress' | 'sidecar') =>
    order.addClass(name, role, () => {
      held.add(name);
      return () => held.delete(name);
    });
  return { clock, order, held, begin };
}

t.test('an ingress is answered once an egress has all that it listens with', async (t) => {
  const { order, held, begin } = world();
  order.answering();
  begin('ingress', 'ingress');
  order.opened(1, 'ingress');
  order.opened(2, 'egress');
  t.ok(held.has('ingress'), 'waits');
  t.match(order.reasons(), [/^ingress gateways .* wait until an egress gateway .* 5 s at most$/]);
  order.confirmed(1, () => true);
  order.confirmed(2, ({ types }) => !types.includes('listeners'));
  t.ok(held.has('ingress'), 'also while only something else is there');
  order.confirmed(2, () => true);
  t.notOk(held.has('ingress'), 'answered');
  t.strictSame(order.reasons(), []);
  begin('later', 'ingress');
  t.notOk(held.has('later'), 'at once where an egress stands');
});

t.test('an egress that has gone does not count', async (t) => {
  const { order, held, begin } = world();
  order.answering();
  order.opened(2, 'egress');
  order.confirmed(2, () => true);
  order.closed(2);
  begin('ingress', 'ingress');
  t.ok(held.has('ingress'));
});

t.test('nobody waits for longer than the limit, which runs from when proxies are answered', async (t) => {
  const { clock, order, held, begin } = world();
  begin('ingress', 'ingress');
  clock.pass(60_000);
  t.ok(held.has('ingress'), 'no answers yet, so no limit');
  order.answering();
  clock.pass(egressWaitMsMax - 1);
  t.ok(held.has('ingress'));
  clock.pass(1);
  t.notOk(held.has('ingress'));
});

t.test('others do not wait, nor does an IDC without egress gateways', async (t) => {
  const { order, held, begin } = world();
  order.answering();
  begin('sidecar', 'sidecar');
  begin('egress', 'egress');
  t.equal(held.size, 0);
  const alone = world({ hasEgress: false });
  alone.order.answering();
  alone.begin('ingress', 'ingress');
  t.equal(alone.held.size, 0);
});
