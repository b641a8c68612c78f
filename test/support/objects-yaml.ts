import type { ListenAddress } from '../../src/model/values/listen-address.ts';

/** Where an IDC is entered: both listeners of its ingress gateway have one address. */
interface Entrance {
  readonly edge: ListenAddress;
  readonly peer: Pick<ListenAddress, 'port'>;
}

const nowhere: Entrance = { edge: { address: '127.0.0.1', port: 1 }, peer: { port: 2 } };

/** An Idc with a gateway of each kind; `more` of its spec, as YAML. */
export const idcYamlOf = (name: string, { edge, peer } = nowhere, more = '') => `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: ${name}}
spec:
  ingress: [{address: ${edge.address}, edgePort: ${edge.port}, peerPort: ${peer.port}}]
  egress: [{address: 127.0.0.1, sidecarPort: 3, ingressPort: 4}]
  ${more}
`;

/** The Idc that a mesh of one IDC needs. */
export const idcYaml = idcYamlOf('sh-a');

/** The Group `one.test`, of one instance in an IDC. */
export const oneYaml = (instance: ListenAddress, idc: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one, namespace: test}
spec:
  hosts: [one.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
  endpoints: [{address: ${instance.address}, ports: {main: ${instance.port}}, locality: ${idc}}]
`;

/** A ServiceEntry `NAME.shop` in the namespace shop; `more` of its spec, as lines of YAML. */
export const entryYaml = (name: string, ...more: readonly string[]) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${name}.shop]
  location: MESH_INTERNAL
  resolution: STATIC
  ${more.join('\n  ')}
`;

/** A Group whose instances have the label `app: NAME`. */
export const groupYaml = (name: string) =>
  entryYaml(
    name,
    'ports: [{number: 80, name: http, protocol: HTTP}]',
    `workloadSelector: {labels: {app: ${name}}}`,
  );
