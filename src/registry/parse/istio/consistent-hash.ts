import type { ConsistentHash } from '../../../model/service.ts';
import type { Fields, FieldTable } from '../fields.ts';

/** ConsistentHashLB as of Istio 1.30. */
const hashFields: FieldTable = {
  httpHeaderName: '',
  httpCookie: '',
  useSourceIp: '',
  httpQueryParameterName: '',
  ringHash: '',
  maglev: '',
  minimumRingSize: '',
};
const cookieFields: FieldTable = {
  name: '',
  path: '',
  ttl: '',
  attributes: 'the cookie is set without them.',
};
const keys = ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'] as const;

/** Istio's default. */
const ringSize = 1_024;
/** Envoy's default and its limits (RingHashLbConfig, MaglevLbConfig). */
const maglevSize = 65_537;
const maglevSizeMax = 5_000_011;
const ringSizeMax = 8_388_608;

/** Reads `consistentHash` of a load balancer. */
export function parseConsistentHash(fields: Fields | undefined): ConsistentHash | undefined {
  if (fields === undefined) return undefined;
  fields.checkKnown(hashFields);
  const given = keys.filter((key) => fields.has(key) && fields.raw[key] !== false);
  if (given.length !== 1) {
    fields.error(`must name one property for session affinity: one of ${keys.join(', ')}.`);
    return undefined;
  }
  const by = parseKey(fields);
  return by && { by, table: parseTable(fields) };
}

function parseKey(fields: Fields): ConsistentHash['by'] | undefined {
  if (fields.boolean('useSourceIp')) return { kind: 'source-ip' };
  const header = fields.string('httpHeaderName');
  if (header) return { kind: 'header', name: header };
  const query = fields.string('httpQueryParameterName');
  if (query) return { kind: 'query', name: query };
  const cookie = fields.map('httpCookie');
  cookie?.checkKnown(cookieFields);
  const name = cookie?.required('name', "the cookie's name");
  if (cookie === undefined || name === undefined) return undefined;
  const path = cookie.string('path');
  const ttlMs = cookie.duration('ttl', 0);
  return { kind: 'cookie', name, ...(path ? { path } : {}), ...(ttlMs === undefined ? {} : { ttlMs }) };
}

function parseTable(fields: Fields): ConsistentHash['table'] {
  const old = fields.integer('minimumRingSize', 0, ringSizeMax);
  const ring = fields.map('ringHash')?.integer('minimumRingSize', 0, ringSizeMax);
  const maglev = fields.map('maglev');
  if (maglev !== undefined) {
    if (fields.has('ringHash')) fields.error('excludes `ringHash`: keep one of the two.', 'maglev');
    const size = maglev.integer('tableSize', 0, maglevSizeMax) || maglevSize;
    if (!isPrime(size))
      maglev.error(`${size} is not a prime, which Envoy's table needs: 65537 is one.`, 'tableSize');
    return { kind: 'maglev', size };
  }
  return { kind: 'ring', size: ring || old || ringSize };
}

function isPrime(number: number): boolean {
  for (let i = 2; i * i <= number; i += 1) if (number % i === 0) return false;
  return number > 1;
}
