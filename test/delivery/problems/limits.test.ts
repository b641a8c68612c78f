import t from 'tap';
import { describeLimits } from '../../../src/delivery/problems/limits.ts';
import type { NodeScope } from '../../../src/model/node.ts';

const listen = { address: '127.0.0.1', port: 1 };
const ingress = (node: string, runtime?: true) => ({
  node,
  scope: {
    role: 'ingress',
    idc: 'sh-a',
    edge: listen,
    peer: listen,
    ...(runtime && { runtime }),
  } as NodeScope,
});
const limits = (hasLimits: boolean, ...hosts: string[]) => ({
  hasLimits: () => hasLimits,
  withoutLimit: () => hosts,
});

t.test('hosts without a limit, and gateways that get limits late', async (t) => {
  t.strictSame(describeLimits([ingress('a')], limits(false)), []);
  t.strictSame(describeLimits([ingress('a', true)], limits(true)), []);
  t.match(describeLimits([ingress('b'), ingress('a'), ingress('c', true)], limits(true)), [
    { severity: 'warning', where: 'a, b', message: /has no runtime layer/ },
  ]);
  t.match(describeLimits([], limits(false, 'a', 'b', 'c', 'd', 'e', 'f', 'g')), [
    { severity: 'warning', where: 'a, b, c, d, e and 2 more', message: /isthmus capacity --envoy/ },
  ]);
});
