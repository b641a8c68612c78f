import { MeshError } from '../base/error.ts';
import { isMap } from '../base/raw-map.ts';
import { idcNamePattern } from './idc.ts';
import { addressKind, isLoopback } from './values/address.ts';
import { canonicalHost } from './values/hostname.ts';
import type { ListenAddress } from './values/listen-address.ts';

/** The role of an Envoy; or a gRPC client, which requests its configuration itself. */
export type NodeRole = 'sidecar' | 'ingress' | 'egress' | 'grpc';

/** What a proxy writes to its access log. */
export interface AccessLogScope {
  /** Its file (JSON lines); absent: none. */
  readonly accessLog?: string;
  /** Request headers that lines of HTTP requests contain as well, in lower case. */
  readonly accessLogHeaders?: readonly string[];
}

/** The part common to all proxies. */
interface CommonScope extends AccessLogScope {
  readonly idc: string;
  /** It was started where its certificate is; absent: it has none. */
  readonly identity?: true;
}

/** Proxies that select among instances. */
interface ChoosingScope extends CommonScope {
  /** Its zone in the IDC, as in localities of instances; absent: no preference. */
  readonly zone?: string;
}

/** Callers of Groups. */
interface CallingScope extends ChoosingScope {
  readonly namespace: string;
  /** Hosts of the Groups that it calls; absent: its namespace's. */
  readonly dependsOn?: readonly string[];
}

/** A gRPC client that uses xDS without a proxy (gRFC A27). */
export interface GrpcScope extends CallingScope {
  readonly role: 'grpc';
}

/** A sidecar. Its inbound listener is in its bootstrap: only the outbound side is decided here. */
export interface SidecarScope extends CallingScope {
  readonly role: 'sidecar';
  /** Where the workload sends its requests; absent: it calls no Group. */
  readonly outbound?: ListenAddress;
  /** Whether requests for undeclared hosts pass through; absent: they are refused. */
  readonly unknownHosts?: 'pass';
}

/** An ingress gateway: a listener for edge clients, and one for other IDCs' egress gateways. */
interface IngressScope extends ChoosingScope {
  readonly role: 'ingress';
  readonly edge: ListenAddress;
  readonly peer: ListenAddress;
  /** Its bootstrap has the RTDS runtime layers; absent: it is of an earlier version. */
  readonly runtime?: true;
}

/** An egress gateway: a listener for local sidecars, and one for local ingress gateways. */
interface EgressScope extends CommonScope {
  readonly role: 'egress';
  readonly sidecar: ListenAddress;
  readonly ingress: ListenAddress;
}

/** What a proxy declares of itself (Envoy node metadata, key `isthmus`) that decides its resources. */
export type NodeScope = SidecarScope | IngressScope | EgressScope | GrpcScope;

type WithoutGroups<S> = S extends NodeScope ? Omit<S, 'namespace' | 'dependsOn' | 'zone'> : never;

/** A scope without what decides which Groups it sees, and how. */
export type OwnScope = WithoutGroups<NodeScope>;

/** Whether the scope is a caller's: limited to its dependencies, unlike a gateway's. */
export function isCaller(scope: NodeScope): scope is SidecarScope | GrpcScope {
  return scope.role === 'sidecar' || scope.role === 'grpc';
}

/** Whether it is a sidecar whose workload calls no Group. */
export function callsNobody(scope: SidecarScope | GrpcScope): boolean {
  return scope.role === 'sidecar' && scope.outbound === undefined;
}

/** The key of a scope in Envoy's `node.metadata`. */
export const nodeMetadataKey = 'isthmus';

/** How messages name a field of a scope. */
type FieldName = (field: string) => string;

const inMetadata: FieldName = (field) => `node.metadata.${nodeMetadataKey}.${field}`;

/** A scope as it was received. */
interface ReceivedScope {
  readonly raw: Record<string, unknown>;
  readonly nameOf: FieldName;
}

/**
 * Parses a scope from Envoy's `node.metadata`. Throws MeshError `invalid` that names the field, by `nameOf`:
 * an incomplete scope is refused rather than guessed.
 */
export function parseNodeScope(metadata: unknown, nameOf: FieldName = inMetadata): NodeScope {
  const raw = isMap(metadata) ? metadata[nodeMetadataKey] : undefined;
  if (!isMap(raw)) {
    throw new MeshError(
      'invalid',
      `node.metadata.${nodeMetadataKey} is missing; start Envoy from \`isthmus bootstrap\``,
    );
  }
  const received: ReceivedScope = { raw, nameOf };
  const idc = parseText(received, 'idc');
  if (!idcNamePattern.test(idc))
    throw fieldError(received, 'idc', `'${idc}' is not an IDC name (a-z, 0-9 and -, at most 32)`);
  const common = {
    idc,
    ...optional('identity', raw.identity === true ? (true as const) : undefined),
    ...optional('accessLog', raw.accessLog === undefined ? undefined : parseText(received, 'accessLog')),
    ...optional(
      'accessLogHeaders',
      raw.accessLogHeaders === undefined ? undefined : parseHeaderNames(received, 'accessLogHeaders'),
    ),
  };
  const choosing = {
    ...common,
    ...optional('zone', raw.zone === undefined ? undefined : parseZone(received)),
  };
  switch (raw.role) {
    case 'sidecar':
      return {
        role: 'sidecar',
        ...choosing,
        namespace: parseText(received, 'namespace'),
        ...optional('dependsOn', raw.dependsOn === undefined ? undefined : parseDependsOn(received)),
        ...optional('outbound', raw.outbound === undefined ? undefined : parseListener(received, 'outbound')),
        ...parseUnknownHosts(received),
      };
    case 'grpc':
      return {
        role: 'grpc',
        ...choosing,
        namespace: parseText(received, 'namespace'),
        ...optional('dependsOn', raw.dependsOn === undefined ? undefined : parseDependsOn(received)),
      };
    case 'ingress':
      return {
        role: 'ingress',
        ...choosing,
        ...parseListeners(received, 'edge', 'peer'),
        ...optional('runtime', raw.runtime === true ? (true as const) : undefined),
      };
    case 'egress':
      return { role: 'egress', ...common, ...parseListeners(received, 'sidecar', 'ingress') };
    default:
      throw fieldError(
        received,
        'role',
        `must be sidecar, ingress, egress or grpc, not ${JSON.stringify(raw.role)}`,
      );
  }
}

/** Checks that a gateway's two listeners differ: Envoy would take equal addresses for one. */
function parseListeners<A extends string, B extends string>(received: ReceivedScope, a: A, b: B) {
  const [first, second] = [parseListener(received, a), parseListener(received, b)];
  if (first.address === second.address && first.port === second.port) {
    throw fieldError(received, b, `is the address of ${received.nameOf(a)} too; give it one of its own`);
  }
  return { [a]: first, [b]: second } as { [K in A | B]: ListenAddress };
}

function fieldError({ nameOf }: ReceivedScope, field: string, message: string): MeshError {
  return new MeshError('invalid', `${nameOf(field)}: ${message}`);
}

function parseText(received: ReceivedScope, field: string): string {
  const value = received.raw[field];
  if (typeof value !== 'string' || value === '')
    throw fieldError(received, field, 'must be a string, and not empty');
  return value;
}

/** A part of a locality, `IDC/zone/subzone`. */
function parseZone(received: ReceivedScope): string {
  const name = parseText(received, 'zone');
  if (/[/*\p{C}\p{Z}]/u.test(name)) {
    throw fieldError(
      received,
      'zone',
      `${JSON.stringify(name)} is not a zone: give the part between the slashes of IDC/zone/subzone`,
    );
  }
  return name;
}

/** A sidecar that passes unknown hosts through is an open proxy for whoever reaches it. */
function parseUnknownHosts(received: ReceivedScope): Pick<SidecarScope, 'unknownHosts'> {
  const { raw } = received;
  if (raw.unknownHosts === undefined || raw.unknownHosts === 'refuse') return {};
  if (raw.unknownHosts !== 'pass')
    throw fieldError(
      received,
      'unknownHosts',
      `must be pass or refuse, not ${JSON.stringify(raw.unknownHosts)}`,
    );
  const outbound = raw.outbound === undefined ? undefined : parseListener(received, 'outbound');
  if (outbound === undefined || !isLoopback(outbound.address)) {
    throw fieldError(
      received,
      'unknownHosts',
      'pass needs an outbound address on loopback, such as 127.0.0.1: on any other the sidecar is an open proxy for whoever reaches it',
    );
  }
  return { unknownHosts: 'pass' };
}

const headerNamesMax = 16;

/** Names that Envoy's format `%REQ(NAME)%` takes as they are. */
function parseHeaderNames(received: ReceivedScope, field: string): readonly string[] {
  const value = received.raw[field];
  if (!Array.isArray(value) || value.length > headerNamesMax)
    throw fieldError(received, field, `must be a list of at most ${headerNamesMax} names of headers`);
  const names = value.map((name) => (typeof name === 'string' ? name.trim().toLowerCase() : ''));
  const bad = names.findIndex((name) => !/^[a-z0-9_-]{1,64}$/.test(name));
  if (bad >= 0) {
    const shown = JSON.stringify(value[bad]) ?? 'undefined';
    throw fieldError(received, field, `${shown} is not the name of a header (a-z, 0-9, - and _, at most 64)`);
  }
  return [...new Set(names)].sort();
}

/** Each is indexed separately, for each node class. */
const dependsOnMax = 5_000;

function parseDependsOn(received: ReceivedScope): readonly string[] {
  const value = received.raw.dependsOn;
  if (!Array.isArray(value) || !value.every((host) => typeof host === 'string')) {
    throw fieldError(received, 'dependsOn', 'must be a list of hosts');
  }
  if (value.length > dependsOnMax)
    throw fieldError(
      received,
      'dependsOn',
      `has ${value.length} hosts, at most ${dependsOnMax} may be named; *.x names many`,
    );
  const names = value.map((host: string) => canonicalHost(host.trim()));
  return [...new Set(names)].filter((host) => host !== '').sort();
}

function parseListener(received: ReceivedScope, field: string): ListenAddress {
  const value = received.raw[field];
  if (!isMap(value) || typeof value.address !== 'string' || typeof value.port !== 'number') {
    throw fieldError(received, field, 'must be {address, port}');
  }
  const { address, port } = value;
  if (addressKind(address) !== 'ip')
    throw fieldError(received, field, `'${address}' is not an IP address that can be listened on`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw fieldError(received, field, `${port} is not a port: 1 to 65535`);
  return { address, port };
}

/** `{[key]: value}`, or {} if the value is undefined (exactOptionalPropertyTypes). */
function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

/** The key, beside the scope's fields, of where a proxy shows its clusters. No part of its class. */
export const clustersField = 'clusters';

/**
 * Where a proxy says that `GET /clusters` is answered, from its `node.metadata`; undefined: nowhere, or not
 * in a form that can be used.
 */
export function clustersAddressOf(metadata: unknown): ListenAddress | undefined {
  const raw = isMap(metadata) ? metadata[nodeMetadataKey] : undefined;
  const value = isMap(raw) ? raw[clustersField] : undefined;
  if (!isMap(value) || typeof value.address !== 'string' || typeof value.port !== 'number') return undefined;
  const { address, port } = value;
  const isPort = Number.isInteger(port) && port >= 1 && port <= 65_535;
  return isPort && addressKind(address) === 'ip' ? { address, port } : undefined;
}
