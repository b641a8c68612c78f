/** The Idc that a mesh of one IDC needs. */
export const idcYaml = `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-a}
spec:
  ingress: [{address: 127.0.0.1, edgePort: 1, peerPort: 2}]
  egress: [{address: 127.0.0.1, sidecarPort: 3, ingressPort: 4}]
`;

/** A Group whose instances have the label `app: NAME`. */
export const groupYaml = (name: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${name}.shop]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: ${name}}}
`;
