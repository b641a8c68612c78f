import t from 'tap';
import type { Idc } from '../../src/model/idc.ts';
import { addressName } from '../../src/model/reach.ts';
import {
  describeHungGateway,
  describeHungGateways,
  gatewayAt,
  gatewaysToProbe,
  planHungGateways,
  planHungIdcs,
} from '../../src/plan/gateways.ts';

// Which gateways nobody is sent to. Egress gateways of sh-a are at 10.0.0.N 90, ingress gateways of sh-b at
// 10.1.0.N 81.

function idc(name: string, net: string, ingress: number, egress: number): Idc {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => `10.${net}.0.${i + 1}`);
  const meta = { namespace: '', name, labels: {}, annotations: {}, origin: '' };
  return {
    kind: 'Idc',
    meta,
    spec: {
      ingress: numbers(ingress).map((address) => ({ address, edgePort: 80, peerPort: 81 })),
      egress: numbers(egress).map((address) => ({ address, sidecarPort: 90, ingressPort: 91 })),
    },
  };
}

function world(egress: number, ingress: number): ReadonlyMap<string, Idc> {
  return new Map([
    ['sh-a', idc('sh-a', '0', 2, egress)],
    ['sh-b', idc('sh-b', '1', ingress, 2)],
  ]);
}

const egress = (n: number) => `10.0.0.${n} 90`;
const ingress = (n: number) => `10.1.0.${n} 81`;

for (const [what, gateways, dead, silent, expected] of [
  ['nobody', [2, 2], [], [], []],
  ['one of two egress gateways', [2, 2], [], [egress(2)], [egress(2)]],
  ['one of two ingress gateways of the other IDC', [2, 2], [], [ingress(1)], [ingress(1)]],
  ['one of each', [2, 2], [], [egress(1), ingress(2)], [egress(1), ingress(2)]],
  ['the only one', [1, 1], [], [egress(1), ingress(1)], []],
  ['both: they have it in common', [2, 2], [], [egress(1), egress(2)], []],
  ['one, while the other one is dead', [2, 2], [egress(1)], [egress(2)], []],
  ['one, while one of the others is dead', [3, 2], [egress(1)], [egress(2)], [egress(2)]],
  ['two of three: half at most', [3, 2], [], [egress(1), egress(2)], [egress(1)]],
  ['three of four', [2, 4], [], [1, 2, 3].map(ingress), [1, 2].map(ingress)],
  ['who is dead is found dead by its callers', [2, 2], [egress(1), ingress(1)], [], []],
  ['own ingress gateways: nobody in here is sent there', [2, 2], [], ['10.0.0.1 81'], []],
] as const)
  t.test(`hung: ${what}`, async (t) => {
    const reach = { unreached: new Set([...dead, ...silent]), silent: new Set(silent) };
    t.strictSame(planHungGateways(world(gateways[0], gateways[1]), 'sh-a', reach).map(addressName), expected);
  });

for (const [what, egressCount, dead, silent, kept] of [
  ['one of two is taken out', 2, [], [egress(2)], []],
  ['one, while the other one is dead', 2, [egress(1)], [egress(2)], [egress(2)]],
  ['both', 2, [], [egress(1), egress(2)], [egress(1), egress(2)]],
  ['two of three: one is taken out', 3, [], [egress(1), egress(2)], [egress(2)]],
  ['who is dead does not hang', 2, [egress(1), egress(2)], [], []],
] as const)
  t.test(`hung, and still in use: ${what}`, async (t) => {
    const reach = { unreached: new Set([...dead, ...silent]), silent: new Set(silent) };
    const found = describeHungGateways(world(egressCount, 2), 'sh-a', reach);
    const ofKept = found.filter(({ message }) => /It stays in use, as too few other egress/.test(message));
    t.strictSame(
      ofKept.map(({ where }) => where),
      kept.map((name) => `egress gateway ${name.replace(' ', ':')} of sh-a`),
    );
    t.equal(found.length, silent.length, 'each that hangs is told');
  });

t.test('only gateways with an alternative are probed', async (t) => {
  const of = (...[own, others]: [number, number]) => {
    const { egress: near, ingress: far } = gatewaysToProbe(world(own, others), 'sh-a');
    return [...near, ...far].map(addressName);
  };
  t.strictSame(of(2, 2), [egress(1), egress(2), ingress(1), ingress(2)]);
  t.strictSame(of(1, 2), [ingress(1), ingress(2)]);
  t.strictSame(of(2, 1), [egress(1), egress(2)]);
  const alone = new Map([...world(2, 2)].slice(0, 1));
  t.strictSame(gatewaysToProbe(alone, 'sh-a').egress, [], 'an IDC alone is not left');
});

t.test('an IDC hangs where none of its gateways answers, and one of them accepts connections', async (t) => {
  const idcs = world(2, 2);
  const of = (dead: readonly string[], silent: readonly string[]) => [
    ...planHungIdcs(idcs, 'sh-a', { unreached: new Set([...dead, ...silent]), silent: new Set(silent) }),
  ];
  t.strictSame(of([], [ingress(1), ingress(2)]), ['sh-b']);
  t.strictSame(of([ingress(1)], [ingress(2)]), ['sh-b']);
  t.strictSame(of([], [ingress(1)]), []);
  t.strictSame(of([ingress(1), ingress(2)], []), [], 'who refuses is asked in vain at once');
  t.strictSame(of([], ['10.0.0.1 81', '10.0.0.2 81', egress(1), egress(2)]), [], 'not the own one');
});

t.test('a gateway that is sent to has its place in the Idc', async (t) => {
  const placeOf = (name: string) => gatewayAt(world(2, 2), 'sh-a', name);
  t.equal(placeOf(egress(2)), 'sh-a/egress-2');
  t.equal(placeOf(ingress(1)), 'sh-b/ingress-1');
  t.equal(placeOf('10.0.0.1 81'), undefined, 'own ingress gateways are not probed');
  t.equal(placeOf('10.9.0.1 8080'), undefined, 'an instance');
});

t.test('a gateway is named by its address, an IPv6 address in brackets', async (t) => {
  const at = { idc: 'sh-b', kind: 'ingress', port: 8080 } as const;
  t.equal(
    describeHungGateway({ ...at, address: '10.2.0.1' }, true).where,
    'ingress gateway 10.2.0.1:8080 of sh-b',
  );
  t.equal(
    describeHungGateway({ ...at, address: 'fd00::1' }, true).where,
    'ingress gateway [fd00::1]:8080 of sh-b',
  );
});
