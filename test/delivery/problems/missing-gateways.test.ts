import t from 'tap';
import { describeMissing, placeGateways } from '../../../src/delivery/problems/missing-gateways.ts';
import type { Idc } from '../../../src/model/idc.ts';
import type { NodeScope } from '../../../src/model/node.ts';

const idc = {
  kind: 'Idc',
  meta: { name: 'sh-a' },
  spec: {
    ingress: [
      { address: '10.0.0.1', edgePort: 80, peerPort: 81 },
      { address: '10.0.0.2', edgePort: 80, peerPort: 81 },
    ],
    egress: [{ address: '10.0.0.3', sidecarPort: 82, ingressPort: 83 }],
  },
} as unknown as Idc;

const ingress = (node: string, address: string, peerPort = 81) => ({
  node,
  scope: {
    role: 'ingress',
    idc: 'sh-a',
    edge: { address, port: 80 },
    peer: { address, port: peerPort },
  } as NodeScope,
});
const egress = (node: string, address: string) => ({
  node,
  scope: {
    role: 'egress',
    idc: 'sh-a',
    sidecar: { address, port: 82 },
    ingress: { address, port: 83 },
  } as NodeScope,
});

/** The addresses of the gateways that are missing. */
function missing(...nodes: ReturnType<typeof ingress>[]): string[] {
  const connected = nodes.map(({ node, scope }) => ({ id: node, role: scope.role }));
  return describeMissing('sh-a', placeGateways(nodes, idc), connected).map(
    ({ message }) => /at (\S+) and/.exec(message)?.[1] ?? '',
  );
}

t.test('each declared gateway that is not connected is named', async (t) => {
  const [one, two, three] = [
    ingress('i-1', '10.0.0.1'),
    ingress('i-2', '10.0.0.2'),
    egress('e-1', '10.0.0.3'),
  ];
  t.strictSame(missing(one, two, three), []);
  t.strictSame(missing(one, three), ['10.0.0.2:80']);
  t.strictSame(missing(two), ['10.0.0.1:80', '10.0.0.3:82']);
  t.strictSame(missing(), ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:82']);
  t.match(describeMissing('sh-a', placeGateways([], idc), [])[2], {
    ...{ code: 'GatewayMissing', severity: 'warning', where: 'Idc sh-a', path: 'spec.egress' },
    message:
      /declares an egress gateway at 10\.0\.0\.3:82 and 10\.0\.0\.3:83, and no connected proxy listens there/,
  });
});

t.test(
  'one that listens on all addresses may be any; one elsewhere may be behind an address of the Idc',
  async (t) => {
    t.strictSame(missing(ingress('i', '0.0.0.0'), egress('e', '::')), []);
    t.strictSame(
      missing(ingress('i', '10.9.9.9'), egress('e', '10.0.0.3')),
      [],
      'a load balancer may lead there',
    );
    t.strictSame(
      missing(ingress('i', '10.9.9.9')),
      ['10.0.0.3:82'],
      'of the other role one is missing all the same',
    );
    t.strictSame(
      missing(ingress('i', '10.0.0.1', 99), egress('e', '10.0.0.3')),
      [],
      'at one of two ports: misplaced',
    );
    t.strictSame(placeGateways([ingress('i', '10.0.0.1')], idc)[0], {
      ...{ role: 'ingress', addresses: ['10.0.0.1:80', '10.0.0.1:81'] },
      ...{ nodes: ['i'], exact: ['i'] },
    });
    t.match(placeGateways([ingress('i', '0.0.0.0')], idc)[0], { nodes: ['i'], exact: [] });
    t.strictSame(placeGateways([], undefined), []);
  },
);
