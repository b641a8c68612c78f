import t from 'tap';
import type { Idc } from '../../src/model/idc.ts';
import { planPassthrough } from '../../src/plan/passthrough.ts';

const idc = (name: string, address: string): [string, Idc] => [
  name,
  {
    kind: 'Idc',
    meta: { name, namespace: '', labels: {}, annotations: {}, origin: name },
    spec: {
      ingress: [{ address, edgePort: 80, peerPort: 1 }],
      egress: [{ address, sidecarPort: 2, ingressPort: 3 }],
    },
  },
];

t.test('a sidecar refuses its own address, and the ports that gateways reserve for proxies', async (t) => {
  const outbound = { address: '127.0.0.1', port: 15001 };
  const { ports } = planPassthrough({ outbound }, new Map([idc('b', '10.0.0.2'), idc('a', '10.0.0.1')]));
  t.strictSame(ports, [
    { address: '10.0.0.1', port: 1 },
    { address: '10.0.0.1', port: 2 },
    { address: '10.0.0.1', port: 3 },
    { address: '10.0.0.2', port: 1 },
    { address: '10.0.0.2', port: 2 },
    { address: '10.0.0.2', port: 3 },
    outbound,
  ]);
});

t.test('one that listens on all addresses refuses its port at each', async (t) => {
  for (const address of ['0.0.0.0', '::']) {
    t.strictSame(planPassthrough({ outbound: { address, port: 15001 } }, new Map()).ports, [{ port: 15001 }]);
  }
});

t.test('names of gateways are left out: they are nobody to compare with', async (t) => {
  t.strictSame(planPassthrough({}, new Map([idc('a', 'gateway.test')])).ports, []);
});
