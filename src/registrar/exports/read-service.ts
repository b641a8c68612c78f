import type { KubeObject } from '../../kube/watch/watch-events.ts';

/** A port of a Service. */
export interface ExportedPort {
  /** As ServiceEntries and instances have it. */
  readonly name: string;
  readonly number: number;
  readonly protocol: string;
}

/** A Service, as far as it matters here. */
export interface KubeService {
  /** `NAMESPACE/NAME`. */
  readonly key: string;
  readonly uid: string;
  readonly isExternalName: boolean;
  /** Of its first addresses. */
  readonly family: 'IPv4' | 'IPv6';
  readonly ports: readonly ExportedPort[];
}

/** An address behind a Service. */
interface SliceEndpoint {
  /** The UID of its Pod, or its address. */
  readonly id: string;
  readonly pod: string;
  readonly address: string;
  readonly isServing: boolean;
  readonly zone: string | undefined;
}

/** An EndpointSlice. */
export interface KubeSlice {
  readonly name: string;
  /** The Service that it is of, `NAMESPACE/NAME`. */
  readonly service: string;
  readonly family: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly endpoints: ReadonlyMap<string, SliceEndpoint>;
}

/** `v1.Service`, as far as it is read. */
interface RawService extends KubeObject {
  readonly spec?: {
    readonly type?: string;
    readonly ipFamilies?: readonly string[];
    readonly ports?: readonly {
      readonly name?: string;
      readonly port?: number;
      readonly protocol?: string;
      readonly appProtocol?: string;
    }[];
  };
}

/** `discovery.k8s.io/v1.EndpointSlice`, as far as it is read. */
interface RawSlice extends KubeObject {
  readonly addressType?: string;
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[];
  readonly endpoints?: readonly {
    readonly addresses?: readonly string[];
    readonly conditions?: { readonly ready?: boolean | null; readonly terminating?: boolean | null };
    readonly targetRef?: { readonly kind?: string; readonly name?: string; readonly uid?: string };
    readonly zone?: string;
  }[];
}

/** The name of a port that has none: a Service with one port may leave it out. */
const unnamedPort = 'port';

/** Reads a Service. */
export function readService(object: KubeObject): KubeService {
  const { metadata, spec = {} } = object as RawService;
  const ports = (spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  return {
    key: `${metadata?.namespace}/${metadata?.name}`,
    uid: metadata?.uid ?? '',
    isExternalName: spec.type === 'ExternalName',
    family: spec.ipFamilies?.[0] === 'IPv6' ? 'IPv6' : 'IPv4',
    ports: ports.map(({ name, port = 0, appProtocol }) => ({
      ...{ name: name || unnamedPort, number: port, protocol: protocolOf(appProtocol, name ?? '', port) },
    })),
  };
}

/** Reads an EndpointSlice; undefined: it is of no Service. */
export function readSlice(object: KubeObject): KubeSlice | undefined {
  const { metadata, addressType = 'IPv4', ports, endpoints } = object as RawSlice;
  const service = metadata?.labels?.['kubernetes.io/service-name'];
  if (service === undefined) return undefined;
  const numbers = (ports ?? []).flatMap(({ name, port, protocol = 'TCP' }) =>
    port === undefined || protocol !== 'TCP' ? [] : [[name || unnamedPort, port] as const],
  );
  const read = (endpoints ?? []).flatMap(
    ({ addresses: [address] = [], conditions = {}, targetRef, zone }) => {
      if (address === undefined) return [];
      const isPod = targetRef?.kind === 'Pod';
      const id = (isPod ? targetRef.uid : undefined) ?? address;
      // Absent is true, as the API has it.
      const isServing = conditions.ready !== false && conditions.terminating !== true;
      const pod = (isPod ? targetRef.name : undefined) ?? metadata?.name ?? '';
      return [[id, { id, pod, address, isServing, zone }] as const];
    },
  );
  return {
    name: `${metadata?.namespace}/${metadata?.name}`,
    service: `${metadata?.namespace}/${service}`,
    ...{ family: addressType, ports: Object.fromEntries(numbers), endpoints: new Map(read) },
  };
}

/** The protocol of a port: what it says, or its name begins with, as in Istio; 80 is HTTP. */
function protocolOf(appProtocol: string | undefined, name: string, port: number): string {
  const said = (appProtocol ?? name.split('-')[0] ?? '').toLowerCase();
  const known: Readonly<Record<string, string>> = {
    ...{ http: 'HTTP', http2: 'HTTP2', 'kubernetes.io/h2c': 'HTTP2', grpc: 'GRPC' },
    ...{ https: 'HTTPS', tls: 'TLS', tcp: 'TCP' },
  };
  return known[said] ?? (appProtocol === undefined && port === 80 ? 'HTTP' : 'TCP');
}
