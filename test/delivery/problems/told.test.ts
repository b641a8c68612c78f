import t from 'tap';
import { describeDuplicateNodes } from '../../../src/delivery/problems/duplicate-nodes.ts';
import { describeMisplaced } from '../../../src/delivery/problems/misplaced.ts';
import { describeWaiting } from '../../../src/delivery/problems/waiting.ts';
import { describeRefusedStreams, RefusalLog, refusedLimits } from '../../../src/delivery/refused-streams.ts';
import type { Idc } from '../../../src/model/idc.ts';
import type { NodeScope } from '../../../src/model/node.ts';
import { manualClock } from '../../support/manual-clock.ts';

t.test('two proxies of one id are told once both are known to live', async (t) => {
  const node = (peer: string, connectedForMs: number, answeredAgoMs?: number) => ({
    ...{ id: 'x', peer, connectedForMs, answeredAgoMs },
  });
  const [told, ...more] = describeDuplicateNodes([node('a:1', 60_000, 500), node('b:1', 1_000, 900)]);
  t.same(more, []);
  t.match(told, {
    severity: 'warning',
    where: 'x',
    message: /^2 proxies have this node id, .*a:1, b:1.*--id/,
  });
  t.same(
    describeDuplicateNodes([node('a:1', 60_000, 5_000), node('b:1', 1_000)]),
    [],
    'the older one may be dead',
  );
  t.same(
    describeDuplicateNodes([node('a:1', 9_000), node('b:1', 1_000)]),
    [],
    'one that is back, and what it left',
  );
  t.same(describeDuplicateNodes([node('a:1', 60_000), node('a:1', 50_000)]), [], 'streams of one connection');
  t.equal(
    describeDuplicateNodes([node('a:1', 60_000), node('b:1', 20_000)]).length,
    1,
    'a dead one would be gone',
  );
  t.same(describeDuplicateNodes([node('a:1', 60_000, 1), { ...node('b:1', 60_000, 1), id: 'y' }]), []);
});

t.test('a gateway that listens elsewhere than its Idc says', async (t) => {
  const idc: Idc = {
    kind: 'Idc',
    meta: { namespace: '', name: 'sh-a', origin: 'idc.yaml', labels: {}, annotations: {} } as never,
    spec: {
      ingress: [{ address: '10.0.0.1', edgePort: 80, peerPort: 443 }],
      egress: [{ address: '10.0.0.2', sidecarPort: 3, ingressPort: 4 }],
    },
  };
  const at = (address: string, port: number) => ({ address, port });
  const ingress = (edge: number, peer: number, address = '0.0.0.0') =>
    ({ role: 'ingress', idc: 'sh-a', edge: at(address, edge), peer: at(address, peer) }) as NodeScope;
  const says = (scope: NodeScope) =>
    describeMisplaced([{ node: 'n', scope }], idc).map(({ message }) => message);
  t.same(says(ingress(80, 443)), []);
  t.same(says(ingress(80, 443, '10.0.0.1')), []);
  t.match(says(ingress(80, 444)), [
    /^listens on 0\.0\.0\.0:444 for egress gateways of other IDCs, and spec\.ingress\[\]\.peerPort of Idc sh-a declares 10\.0\.0\.1:443.*--peer/,
  ]);
  t.match(says(ingress(80, 443, '10.0.0.9')), [/--edge of isthmus/, /--peer of isthmus/]);
  const egress = (sidecar: number, own: number) =>
    ({ role: 'egress', idc: 'sh-a', sidecar: at('::', sidecar), ingress: at('::', own) }) as NodeScope;
  t.same(says(egress(3, 4)), []);
  t.match(says(egress(4, 3)), [/^listens on \[::\]:4 for sidecars.*--sidecar-listen/, /--ingress-listen/]);
  t.same(says({ role: 'sidecar', idc: 'sh-a', namespace: 'x' }), []);
  t.same(describeMisplaced([{ node: 'n', scope: ingress(1, 1) }], undefined), []);
});

t.test('refused streams are reported, once per reason, until they end', async (t) => {
  const clock = manualClock();
  const book = new RefusalLog(clock);
  book.record('10.0.0.9:1000', 'x', 'a request has 100 bytes: at most 9 are read');
  clock.pass(30_000);
  book.record('10.0.0.9:1001', 'x', 'a request has 200 bytes: at most 9 are read');
  book.record('10.0.0.8:1', undefined, 'no node');
  clock.pass(4_000);
  t.match(book.list(), [
    { from: '10.0.0.8', reason: 'no node', count: 1 },
    { from: '10.0.0.9', node: 'x', count: 2, firstAgoMs: 34_000, lastAgoMs: 4_000 },
  ]);
  t.match(describeRefusedStreams(book.list()), [
    {
      where: '10.0.0.8',
      message: /^an xDS client was refused, the last time 4 s ago, and gets no configuration: no node\./,
    },
    {
      where: '10.0.0.9',
      message: /^node 'x' was refused 2 times.*a request has 100 bytes.*Correct the client/,
    },
  ]);
  book.clear('x');
  t.equal(book.list().length, 1, 'it is connected');
  clock.pass(refusedLimits.keptMs);
  t.same(book.list(), [], 'it does not come any more');
  for (let i = 0; i < refusedLimits.most + 5; i += 1) book.record(`10.0.0.${i}:1`, undefined, 'x');
  t.equal(book.list().length, refusedLimits.most);
});

t.test('the reasons for waiting', async (t) => {
  const sources = [
    { name: 'files', facets: { peers: 'none' as const } },
    { name: 'registrations', facets: { peers: { waitsFor: () => 'its peer' } } },
  ];
  const says = (idcs: string[], ...waitingFor: string[]) =>
    describeWaiting({ idc: 'sh-a', idcs, sources, waitingFor });
  t.same(says([], 'source files', 'source registrations'), ['source registrations: its peer']);
  t.match(says([]), [/^Idc sh-a: the registry has no Idc at all: correct --idc/]);
  t.match(says(['sh-b']), [/the registry has sh-b.*Did you mean 'sh-b'\?$/]);
  t.match(says(['sh-a'], 'filters'), [/^filters: being compiled/]);
  t.same(says(['sh-a'], 'source files', 'filters'), [], 'which begins after the sources are read');
});
