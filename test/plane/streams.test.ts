import t from 'tap';
import { classOf, rosterStream, scopeOf } from '../../src/plane/streams.ts';

/** A node whose metadata count how often they are read. */
function countedNode(scope: Readonly<Record<string, string>>) {
  let reads = 0;
  const metadata = {
    get isthmus() {
      reads += 1;
      return scope;
    },
  };
  return { node: { id: 'caller', metadata }, reads: () => reads };
}

t.test('what a proxy says of itself is read once, whoever asks', async (t) => {
  const { node, reads } = countedNode({ role: 'sidecar', idc: 'sh-a', namespace: 'shop' });
  const nodeClass = classOf(node, 'sh-a');
  const once = reads();
  t.ok(once > 0);
  const peer = { address: '127.0.0.1:1' };
  t.match(rosterStream({ id: 1, node, nodeClass, protocol: 'delta', peer }), {
    role: 'sidecar',
    idc: 'sh-a',
  });
  t.equal(JSON.stringify(scopeOf(node)), nodeClass);
  t.equal(reads(), once);
  t.throws(() => classOf(node, 'sh-b'), { code: 'invalid', message: /is in IDC 'sh-a'/ });
});

t.test('what is no scope is refused each time', async (t) => {
  const { node } = countedNode({ role: 'nobody' });
  t.throws(() => scopeOf(node), { code: 'invalid' });
  t.throws(() => scopeOf(node), { code: 'invalid' });
});
