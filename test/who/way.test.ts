import t from 'tap';
import type { AskedProxy } from '../../src/who/types.ts';
import { wayTo } from '../../src/who/way.ts';

// A proxy says itself where it is to be read: the control plane must not send requests anywhere else.

const proxy = (peer: string, address?: string): AskedProxy => ({
  ...{ node: 'caller', role: 'sidecar', peer, scope: { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } },
  ...(address === undefined ? {} : { clusters: { address, port: 15_000 } }),
});
const isHere = (address: string) => address === '10.1.0.9' || address === '127.0.0.1';

t.test('a proxy is read at its own address, or at loopback of this machine', async (t) => {
  const own = { address: '10.1.0.1', port: 15_000 };
  t.strictSame(wayTo(proxy('10.1.0.1:40000', '10.1.0.1'), isHere), own);
  t.strictSame(wayTo(proxy('10.1.0.1:40000', '0.0.0.0'), isHere), own);
  t.strictSame(wayTo(proxy('[::ffff:10.1.0.1]:40000', '10.1.0.1'), isHere), own);
  t.strictSame(wayTo(proxy('[2001:db8::1]:40000', '2001:db8::1'), isHere), {
    ...{ address: '2001:db8::1', port: 15_000 },
  });
  const loopback = { address: '127.0.0.1', port: 15_000 };
  t.strictSame(wayTo(proxy('127.0.0.1:40000', '127.0.0.1'), isHere), loopback);
  t.strictSame(wayTo(proxy('10.1.0.9:40000', '127.0.0.1'), isHere), loopback);
});

t.test('no other address is read, and the reason is given', async (t) => {
  t.match(wayTo(proxy('10.1.0.1:40000', '127.0.0.1'), isHere), { why: /for its own machine alone/ });
  for (const address of ['10.1.0.2', '169.254.169.254', '::1', '2001:db8::1', '10.1.0.9'])
    t.type((wayTo(proxy('10.1.0.1:40000', address), isHere) as { why: string }).why, 'string', address);
  t.match(wayTo(proxy('10.1.0.1:40000'), isHere), { why: /does not say where/ });
});
