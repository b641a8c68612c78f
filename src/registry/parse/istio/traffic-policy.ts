import type { TrafficPolicy } from '../../../model/service.ts';
import type { Fields, FieldTable } from '../fields.ts';
import { parseConsistentHash } from './consistent-hash.ts';
import { parseZonePreference } from './locality.ts';
import { parseClientTls } from './tls-settings.ts';
import { parseWarmup } from './warmup.ts';

/** TrafficPolicy as of Istio 1.30, without what only a whole host's policy has. */
const policyFields: FieldTable = {
  loadBalancer: '',
  connectionPool: '',
  outlierDetection: '',
  tls: '',
};
const hostPolicyFields: FieldTable = {
  ...policyFields,
  portLevelSettings: '',
  tunnel: 'requests are sent directly.',
  proxyProtocol: 'connections begin without a PROXY header.',
  retryBudget: 'maxRetries of the connection pool limits retries.',
};
const portPolicyFields: FieldTable = { ...policyFields, port: '' };

const loadBalancerFields: FieldTable = {
  simple: '',
  consistentHash: '',
  localityLbSetting: '',
  zoneAwareLbSetting: 'give localityLbSetting: the own zone first, or all zones alike.',
  warmupDurationSecs: '',
  warmup: '',
};
const poolFields: FieldTable = { tcp: '', http: '' };
const tcpFields: FieldTable = {
  maxConnections: '',
  connectTimeout: '',
  tcpKeepalive: '',
  maxConnectionDuration: 'connections live as long as they are used.',
  idleTimeout: 'give connectionPool.http.idleTimeout.',
};
const keepaliveFields: FieldTable = { probes: '', time: '', interval: '' };
const httpFields: FieldTable = {
  http1MaxPendingRequests: '',
  http2MaxRequests: '',
  maxRequestsPerConnection: '',
  maxRetries: '',
  idleTimeout: '',
  h2UpgradePolicy: 'the protocol of the port in the ServiceEntry decides: HTTP2 or GRPC speak HTTP/2.',
  useClientProtocol: 'the protocol of the port in the ServiceEntry decides.',
  maxConcurrentStreams: 'the default is used.',
  http2KeepAlive: 'the default is used.',
};
const outlierFields: FieldTable = {
  splitExternalLocalOriginErrors: '',
  consecutiveLocalOriginFailures: '',
  consecutiveGatewayErrors: '',
  consecutive5xxErrors: '',
  interval: '',
  baseEjectionTime: '',
  maxEjectionPercent: '',
  minHealthPercent: 'instances are ejected however few are left; maxEjectionPercent limits that.',
  consecutiveErrors: 'Istio has replaced it: give consecutive5xxErrors or consecutiveGatewayErrors.',
  outlierDetectionHttpErrorCodes: 'the codes from 500 on count.',
};

const int32Max = 2_147_483_647;
const uint32Max = 4_294_967_295;

/** Drops undefined fields: absent is not the same as undefined. */
type Loose<T> = { readonly [K in keyof T]: T[K] | undefined };
function present<T extends object>(fields: Loose<T>): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** Reads the trafficPolicy of a DestinationRule, or one of its portLevelSettings. */
export function parsePolicy(fields: Fields, level: 'host' | 'port'): TrafficPolicy {
  fields.checkKnown(level === 'host' ? hostPolicyFields : portPolicyFields);
  const pool = fields.map('connectionPool');
  pool?.checkKnown(poolFields);
  return present<TrafficPolicy>({
    ...parseTcp(pool?.map('tcp')),
    ...parseHttp(pool?.map('http')),
    tls: parseClientTls(fields.map('tls')),
    hash: parseConsistentHash(fields.map('loadBalancer')?.map('consistentHash')),
    warmup: parseWarmup(fields.map('loadBalancer')),
    zonePreference: parseZonePreference(fields.map('loadBalancer')),
    loadBalancer: parseLoadBalancer(fields.map('loadBalancer')),
    outlier: parseOutlier(fields.map('outlierDetection')),
  });
}

function parseLoadBalancer(fields: Fields | undefined): TrafficPolicy['loadBalancer'] {
  if (fields === undefined) return undefined;
  fields.checkKnown(loadBalancerFields);
  if (fields.has('simple') && fields.has('consistentHash')) {
    fields.error('excludes `consistentHash`: keep one of the two.', 'simple');
  }
  const names = [
    'UNSPECIFIED',
    'LEAST_CONN',
    'RANDOM',
    'PASSTHROUGH',
    'ROUND_ROBIN',
    'LEAST_REQUEST',
  ] as const;
  const simple = fields.oneOf('simple', names);
  if (simple === 'PASSTHROUGH') {
    fields.warn('PASSTHROUGH is not supported: the default, LEAST_REQUEST, is used.', 'simple');
    return undefined;
  }
  if (simple === 'LEAST_CONN') return 'LEAST_REQUEST';
  return simple === 'UNSPECIFIED' ? undefined : simple;
}

/** In Istio's int32 settings 0 means absent. */
function limit(fields: Fields, key: string): number | undefined {
  return fields.integer(key, 0, int32Max) || undefined;
}

function parseTcp(fields: Fields | undefined): Loose<TrafficPolicy> {
  if (fields === undefined) return {};
  fields.checkKnown(tcpFields);
  const keepalive = fields.map('tcpKeepalive');
  keepalive?.checkKnown(keepaliveFields);
  return {
    maxConnections: limit(fields, 'maxConnections'),
    connectTimeoutMs: fields.duration('connectTimeout', 1),
    tcpKeepalive:
      keepalive &&
      present<NonNullable<TrafficPolicy['tcpKeepalive']>>({
        probes: atMost(keepalive, 'probes', keepalive.integer('probes', 0, uint32Max), 127) || undefined,
        // The kernel's unit is seconds.
        timeMs: atMost(keepalive, 'time', keepalive.duration('time', 1000), 32_767_000),
        intervalMs: atMost(keepalive, 'interval', keepalive.duration('interval', 1000), 32_767_000),
      }),
  };
}

/**
 * Linux's limits (tcp(7): TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL); above, Envoy opens no connection at all.
 */
function atMost(fields: Fields, key: string, value: number | undefined, most: number): number | undefined {
  if (value === undefined || value <= most) return value;
  const words = key === 'probes' ? `${most}` : `${most / 1000}s`;
  fields.warn(`is more than Linux takes: ${words} is used.`, key);
  return most;
}

function parseHttp(fields: Fields | undefined): Loose<TrafficPolicy> {
  if (fields === undefined) return {};
  fields.checkKnown(httpFields);
  return {
    maxPendingRequests: limit(fields, 'http1MaxPendingRequests'),
    maxRequests: limit(fields, 'http2MaxRequests'),
    maxRequestsPerConnection: limit(fields, 'maxRequestsPerConnection'),
    maxRetries: limit(fields, 'maxRetries'),
    idleTimeoutMs: fields.duration('idleTimeout', 0),
  };
}

function parseOutlier(fields: Fields | undefined): TrafficPolicy['outlier'] {
  if (fields === undefined) return undefined;
  // 0 asks for the default: no warning.
  fields.checkKnown(
    fields.raw.minHealthPercent === 0 ? { ...outlierFields, minHealthPercent: '' } : outlierFields,
  );
  return present<NonNullable<TrafficPolicy['outlier']>>({
    // 0 disables a detector, so it is not the same as absent.
    consecutive5xxErrors: fields.integer('consecutive5xxErrors', 0, uint32Max),
    consecutiveGatewayErrors: fields.integer('consecutiveGatewayErrors', 0, uint32Max),
    consecutiveLocalOriginFailures: fields.integer('consecutiveLocalOriginFailures', 0, uint32Max),
    splitExternalLocalOriginErrors: fields.boolean('splitExternalLocalOriginErrors'),
    intervalMs: fields.duration('interval', 1),
    baseEjectionTimeMs: fields.duration('baseEjectionTime', 1),
    maxEjectionPercent: fields.integer('maxEjectionPercent', 0, 100),
  });
}
