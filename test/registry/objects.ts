/** An object as it stands in YAML or in the Kubernetes API. */
export interface RawObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  readonly spec: { readonly [key: string]: unknown };
}

/** A good WorkloadEntry in the namespace `shop`; its address follows the number at the end of its name. */
export function workload(name: string, spec: Record<string, unknown> = {}): RawObject {
  const place = 1 + (Number(/\d+$/.exec(name)?.[0] ?? 0) % 250);
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name, namespace: 'shop' },
    spec: { address: `10.1.0.${place}`, labels: { app: 'checkout' }, locality: 'sh-a/zone-1', ...spec },
  };
}

/** A good ServiceEntry in the namespace `shop` with one host. */
export function service(name: string, host: string, spec: Record<string, unknown> = {}): RawObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace: 'shop' },
    spec: {
      hosts: [host],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      workloadSelector: { labels: { app: 'checkout' } },
      ...spec,
    },
  };
}

/**
 * A good Idc; those whose names end in other letters have other addresses. Nobody listens there, and any
 * machine says so at once.
 */
export function idc(name: string): RawObject {
  const network = `127.70.${Math.abs((name.codePointAt(name.length - 1) ?? 0) - 97) % 256}`;
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Idc',
    metadata: { name },
    spec: {
      ingress: [{ address: `${network}.1`, edgePort: 8080, peerPort: 15443 }],
      egress: [{ address: `${network}.2`, sidecarPort: 15444, ingressPort: 15445 }],
    },
  };
}

/** A good DrGroup of the IDCs named. */
export function drGroup(name: string, hosts: readonly string[], ...idcs: readonly string[]): RawObject {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DrGroup',
    metadata: { name },
    spec: { hosts, idcs: idcs.map((name) => ({ name })), capacity: { concurrentPerInstance: 100 } },
  };
}

/** Objects as a YAML file: JSON is YAML. */
export function toYaml(...objects: readonly unknown[]): string {
  return objects.map((object) => `---\n${JSON.stringify(object, null, 2)}\n`).join('');
}
