import { type QuickIdc, quickHost, quickIdcs } from './world.ts';

const header = (kind: string) => `apiVersion: isthmus.dev/v1alpha1\nkind: ${kind}\n`;
const istio = (kind: string) => `apiVersion: networking.istio.io/v1\nkind: ${kind}\n`;

/** The registry of both IDCs: the text of each file, by its name. */
export function quickObjects(): Readonly<Record<string, string>> {
  return {
    'idcs.yaml': quickIdcs.map(idcText).join('---\n'),
    'checkout.yaml': [drGroup, serviceEntry, ...quickIdcs.map(workloadText)].join('---\n'),
  };
}

function idcText({ name, control, ingress, egress }: QuickIdc): string {
  return `${header('Idc')}metadata: {name: ${name}}
spec:
  ingress: [{address: ${ingress}, edgePort: 8080, peerPort: 15443}]
  egress: [{address: ${egress}, sidecarPort: 15444, ingressPort: 15445}]
  controlPlanes: ['${control}:15014']
`;
}

const drGroup = `${header('DrGroup')}metadata: {name: shop}
spec:
  hosts: [${quickHost}]
  idcs: [${quickIdcs.map(({ name }) => `{name: ${name}}`).join(', ')}]
  capacity: {concurrentPerInstance: 50}
  traffic: {health: {path: /healthz}}
`;

const serviceEntry = `${istio('ServiceEntry')}metadata:
  name: checkout
  namespace: shop
  annotations: {isthmus.dev/sidecars: 'true'}
spec:
  hosts: [${quickHost}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 8080, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: checkout}}
`;

function workloadText({ name, letter, instance }: QuickIdc): string {
  return `${istio('WorkloadEntry')}metadata: {name: checkout-${letter}, namespace: shop}
spec: {address: ${instance}, labels: {app: checkout}, locality: ${name}/zone-1}
`;
}
