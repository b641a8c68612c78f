import type { Explanation } from '../../../src/contract/explain.ts';
import type { ConnectedProxy, Seen } from './explaining.ts';

/** Three IDCs, each with two gateways of a kind and one address for both, and one Group. */
const idcYaml = (name: string, n: number) => `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: ${name}}
spec:
  ingress: [{address: 10.${n}.0.1, edgePort: 80, peerPort: 81}, {address: 10.${n}.0.2, edgePort: 80, peerPort: 81}]
  egress: [{address: 10.${n}.0.3, sidecarPort: 90, ingressPort: 91}]
`;

const names = ['sh-a', 'sh-b', 'sh-c'] as const;
const idcs = names.map((name, i) => idcYaml(name, i + 1)).join('---');

/** The three IDCs, and the Group `cart.shop` with three instances in sh-a and one in each other. */
export const shop = ({
  spec = 'hopLimit: 2',
  order = names.map((name) => `{name: ${name}}`).join(),
  drGroup = true,
} = {}) => `
${idcs}${
  drGroup
    ? `---
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: shop}
spec:
  hosts: [cart.shop]
  idcs: [${order}]
  ${spec}
`
    : ''
}---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart.shop]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 8080, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: cart}}
${[
  ['cart-1', '10.1.1.1', 'sh-a'],
  ['cart-2', '10.1.1.2', 'sh-a'],
  ['cart-3', '10.1.1.3', 'sh-a'],
  ['cart-4', '10.2.1.1', 'sh-b'],
  ['cart-5', '10.3.1.1', 'sh-c'],
]
  .map(
    ([name, address, idc]) => `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: ${name}, namespace: shop}
spec: {address: ${address}, labels: {app: cart}, locality: ${idc}}
`,
  )
  .join('')}`;

/** `spec` of its DrGroup, with checks. */
export const health = 'hopLimit: 2\n  traffic: {health: {path: /up}}';
/** A host that its Envoy does not send to. */
export const dead: Partial<Seen> = { health: 'unhealthy', why: ['check-timeout'] };
const at = (address: string, more: Partial<Seen> = {}): Seen => ({ address, ...more });
/** The instances of sh-a as an Envoy has them. */
export const instances = (...states: readonly Partial<Seen>[]) =>
  [1, 2, 3].map((n) => at(`10.1.1.${n}:8080`, states[n - 1] ?? {}));

/** The caller and the ingress gateway of sh-a, which see the same, and its egress gateway. */
export function fleet(near: readonly Seen[], far: readonly Seen[] = farAlive()): ConnectedProxy[] {
  const egress = (port: number) => [at(`10.1.0.3:${port}`)];
  return [
    {
      node: 'caller',
      scope: {
        role: 'sidecar',
        idc: 'sh-a',
        namespace: 'shop',
        outbound: { address: '127.0.0.1', port: 15_001 },
      },
      clusters: { 'instances/cart.shop:8080': near, egress: egress(90) },
    },
    {
      node: 'in-1',
      scope: {
        ...{ role: 'ingress', idc: 'sh-a' },
        ...{ edge: { address: '10.1.0.1', port: 80 }, peer: { address: '10.1.0.1', port: 81 } },
      },
      clusters: { 'instances/cart.shop:8080': near, egress: egress(91) },
    },
    {
      node: 'out-1',
      scope: {
        ...{ role: 'egress', idc: 'sh-a' },
        ...{ sidecar: { address: '10.1.0.3', port: 90 }, ingress: { address: '10.1.0.3', port: 91 } },
      },
      clusters: { 'idcs/cart.shop:8080': far },
    },
  ];
}

/** The other IDCs' ingress gateways as the egress gateway has them. */
export function farAlive(b: Partial<Seen> = {}, c: Partial<Seen> = {}): Seen[] {
  return [
    ...[1, 2].map((n) => at(`10.2.0.${n}:81`, { idc: 'sh-b', priority: 0, ...b })),
    ...[1, 2].map((n) => at(`10.3.0.${n}:81`, { idc: 'sh-c', priority: 1, ...c })),
  ];
}

/** Who decides what, in short. */
export const way = ({ hops, by }: Explanation) => [
  ...hops.map(({ idc, listener, choices }) => {
    const chosen = choices.find(({ isChosen }) => isChosen);
    return `${idc} ${listener} → ${chosen === undefined ? 'nobody' : `${chosen.to} ${chosen.idc} ${chosen.percent} %`}`;
  }),
  by ?? 'nobody',
];
