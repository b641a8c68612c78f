import type { z } from 'zod';
import { closest } from '../../../base/text/suggest.ts';
import { hedgeWithoutTime, roundTripFault, trafficLimits } from '../../../model/annotations/annotations.ts';
import { parseSharePercent } from '../../../model/capacity.ts';
import {
  type DrGroup,
  type EdgePolicy,
  type Failback,
  failbackDefaults,
  type GroupTraffic,
  type Idc,
} from '../../../model/idc.ts';
import type { Meta } from '../../../model/meta.ts';
import { parseDurationMs } from '../../../model/values/duration.ts';
import { canonicalHost, isHost } from '../../../model/values/hostname.ts';
import { parseSizeBytes } from '../../../model/values/size.ts';
import type { Fault } from '../fault.ts';
import { show } from '../fault.ts';
import type { Fields } from '../fields.ts';
import { checkLabels } from '../metadata.ts';
import { parseSpill } from './capacity.ts';
import { parseHealth } from './health.ts';
import { parseStrict, validPartOf } from './parse-strict.ts';
import { readRoots } from './roots.ts';
import { drGroupSpec, type edgeSpec, failbackSpec, idcSpec, trafficSpec } from './schema.ts';

/** Reads an isthmus.dev Idc; undefined when it has faults. */
export function parseIdc(spec: Fields, meta: Meta, faults: Fault[]): Idc | undefined {
  const parsed = parseStrict(idcSpec, spec.raw, spec.path(), faults);
  checkGateways(spec, 'ingress', ['edgePort', 'peerPort']);
  checkGateways(spec, 'egress', ['sidecarPort', 'ingressPort']);
  const peerTls = parsePeerTls(spec, parsed);
  if (parsed === undefined) return undefined;
  const {
    network,
    trustDomain,
    peerTls: _,
    egressTls,
    exposeOutcome,
    exposeReady,
    edge,
    controlPlanes,
    capacity,
    ...rest
  } = parsed;
  return {
    kind: 'Idc',
    meta,
    spec: {
      ...rest,
      ...(network === undefined ? {} : { network }),
      ...(trustDomain === undefined ? {} : { trustDomain }),
      ...(peerTls === undefined ? {} : { peerTls }),
      ...(egressTls === undefined ? {} : { egressTls }),
      ...(exposeOutcome === undefined ? {} : { exposeOutcome }),
      ...(exposeReady === undefined ? {} : { exposeReady }),
      ...(edge === undefined ? {} : { edge: parseEdge(edge) }),
      ...(controlPlanes === undefined ? {} : { controlPlanes }),
      ...(capacity === undefined ? {} : { capacity }),
    },
  };
}

function parsePeerTls(spec: Fields, parsed: z.infer<typeof idcSpec> | undefined): Idc['spec']['peerTls'] {
  const { egressTls = 'off' } = parsed ?? {};
  if (egressTls !== 'off' && parsed?.peerTls === undefined)
    spec.fault(
      'InvalidField',
      'error',
      'needs spec.peerTls.roots, by which proxies know each other. Give them, or remove this.',
      'egressTls',
    );
  if (parsed?.peerTls === undefined) return undefined;
  const { mode = 'off', roots } = parsed.peerTls;
  if (parsed.trustDomain === undefined)
    spec.fault(
      'InvalidField',
      'error',
      'needs spec.trustDomain: names of gateways begin with it. Give both, or remove this.',
      'peerTls',
    );
  const read = readRoots(roots);
  if ('pem' in read) return { mode, roots: read.pem };
  spec.fault('InvalidField', 'error', read.fault, 'peerTls', 'roots');
  return undefined;
}

function parseEdge({ trustedProxies, ...rest }: z.infer<typeof edgeSpec>): EdgePolicy {
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  const policy: EdgePolicy = Object.fromEntries(given);
  if (trustedProxies === undefined) return policy;
  const { hops, from } = trustedProxies;
  return { ...policy, trustedProxies: { hops, ...(from === undefined ? {} : { from }) } };
}

/** Listeners of an IDC's gateways must differ in address, or only one would be reachable. */
function checkGateways(spec: Fields, key: 'ingress' | 'egress', ports: readonly string[]): void {
  const taken = new Map<string, string>();
  const list = spec.raw[key];
  if (!Array.isArray(list)) return;
  for (const [index, gateway] of list.entries()) {
    if (typeof gateway?.address !== 'string') continue;
    if (/^(?:0\.0\.0\.0|::|0:0:0:0:0:0:0:0)$/.test(gateway.address)) {
      spec.error(
        'is an address to listen on, not to connect to: give its own IP address.',
        key,
        index,
        'address',
      );
    }
    for (const port of ports) {
      if (typeof gateway[port] !== 'number') continue;
      const address = `${gateway.address} port ${gateway[port]}`;
      const first = taken.get(address);
      if (first !== undefined) {
        spec.error(`${address} is used by ${first}: give each listener its own.`, key, index, port);
      } else taken.set(address, `spec.${key}[${index}].${port}`);
    }
  }
}

const drGroupFields = Object.keys(drGroupSpec.shape);
const hostsOrSelector: ReadonlySet<string> = new Set(['hosts', 'selector']);

/** Reads an isthmus.dev DrGroup; where it has faults, what can be read of it. */
export function parseDrGroup(spec: Fields, meta: Meta, faults: Fault[]): DrGroup {
  const parsed = parseStrict(drGroupSpec, spec.raw, spec.path(), faults);
  const hosts = checkHosts(spec);
  // An unknown field that resembles one of these is reported as that.
  const unknown = Object.keys(spec.raw).filter((key) => !drGroupFields.includes(key));
  const isMisspelt = unknown.some((key) => hostsOrSelector.has(closest(key, drGroupFields) ?? ''));
  checkSelector(spec, hosts.length > 0 || spec.has('hosts') || isMisspelt);
  checkIdcs(spec);
  // An error of one field must not hide those of others.
  const declared = parseTraffic(spec, parsed?.traffic ?? validPartOf(trafficSpec, spec.raw.traffic));
  const spill = parseSpill(spec);
  const traffic = { ...declared, ...(spill === undefined ? {} : { spill }) };
  const failback = parseFailback(spec, parsed?.failback ?? validPartOf(failbackSpec, spec.raw.failback));
  const selector = parsed?.selector?.matchLabels;
  const idcs = parsed?.idcs ?? [];
  return {
    kind: 'DrGroup',
    meta,
    spec: {
      hosts,
      ...(selector === undefined ? {} : { selector: { ...selector } }),
      idcs: idcs.map(({ name, weight }) => (weight === undefined ? { name } : { name, weight })),
      hopLimit: parsed?.hopLimit ?? 1,
      traffic,
      ...(failback === undefined ? {} : { failback }),
    },
  };
}

function parseFailback(spec: Fields, yaml: z.infer<typeof failbackSpec> | undefined): Failback | undefined {
  if (yaml === undefined) return undefined;
  const read = (key: 'ramp' | 'hold', byDefault: number, msMin: number) => {
    const text = yaml[key];
    if (text === undefined) return byDefault;
    const ms = parseDurationMs(text) ?? Number.POSITIVE_INFINITY;
    if (ms < msMin) spec.error(`${text} is too short: give at least ${msMin}ms.`, 'failback', key);
    if (ms > failbackDefaults.msMax)
      spec.error(`${show(text)} is too long: give at most 1h.`, 'failback', key);
    return ms;
  };
  const { rampMs, holdMs } = failbackDefaults;
  return {
    rampMs: read('ramp', rampMs, 1_000),
    holdMs: read('hold', holdMs, 0),
    ...(yaml.warmup === 'mirror' ? { warmup: yaml.warmup } : {}),
  };
}

function checkHosts(spec: Fields): string[] {
  const hosts = new Set<string>();
  const list = spec.raw.hosts;
  if (!Array.isArray(list)) return [];
  if (list.length === 0) spec.error('is empty: name a host, or remove it and give a `selector`.', 'hosts');
  for (const [index, text] of list.entries()) {
    if (typeof text !== 'string' || text === '') continue;
    const host = canonicalHost(text);
    if (!isHost(host)) spec.error(`${show(text)} is not a host: give one of a ServiceEntry.`, 'hosts', index);
    else if (hosts.has(host)) spec.error(`${show(text)} is listed twice: remove one.`, 'hosts', index);
    hosts.add(host);
  }
  return [...hosts];
}

function checkSelector(spec: Fields, hasHosts: boolean): void {
  const selector = spec.raw.selector as { matchLabels?: unknown } | undefined;
  if (selector === undefined) {
    if (!hasHosts) spec.error('names no Groups: give `hosts`, or a `selector` for labels of ServiceEntries.');
    return;
  }
  const labels = selector?.matchLabels;
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return;
  if (Object.keys(labels).length === 0) {
    spec.error('selects nothing in particular: name at least one label.', 'selector', 'matchLabels');
  }
  const fields = spec.map('selector');
  const texts = Object.entries(labels).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  );
  if (fields !== undefined) checkLabels(fields, 'matchLabels', Object.fromEntries(texts));
}

function checkIdcs(spec: Fields): void {
  const seen = new Map<string, number>();
  const list = spec.raw.idcs;
  if (!Array.isArray(list)) return;
  const without = list.findIndex((choice) => choice?.weight === undefined);
  if (without >= 0 && list.some((choice) => choice?.weight !== undefined)) {
    spec.error('has no weight, and others have: give all IDCs a weight, or none.', 'idcs', without);
  }
  for (const [index, choice] of list.entries()) {
    const name = choice?.name;
    if (typeof name !== 'string') continue;
    const first = seen.get(name);
    if (first === undefined) seen.set(name, index);
    else
      spec.error(
        `${show(name)} is in spec.idcs[${first}] already: name each IDC once.`,
        'idcs',
        index,
        'name',
      );
  }
}

type TrafficYaml = z.infer<typeof trafficSpec>;

function parseTraffic(spec: Fields, yaml: TrafficYaml | undefined): GroupTraffic {
  if (yaml === undefined) return {};
  const traffic: { -readonly [K in keyof GroupTraffic]: GroupTraffic[K] } = {};
  const read = (text: string | undefined, msMin: number, ...path: string[]): number | undefined => {
    if (text === undefined) return undefined;
    const ms = parseDurationMs(text);
    if (ms === undefined)
      spec.error(`${show(text)} is too long: give less than ten years.`, 'traffic', ...path);
    else if (ms < msMin) spec.error(`${text} is too short: give at least ${msMin}ms.`, 'traffic', ...path);
    return ms;
  };
  const timeoutMs = read(yaml.timeout, 0, 'timeout');
  const idleTimeoutMs = read(yaml.idleTimeout, 0, 'idleTimeout');
  const perTryTimeoutMs = read(yaml.perTryTimeout, 0, 'perTryTimeout');
  const roundTripMs = read(yaml.roundTrip, 0, 'roundTrip');
  if (roundTripMs !== undefined) {
    traffic.roundTripMs = roundTripMs;
    const message = roundTripFault(String(yaml.roundTrip), roundTripMs);
    if (message !== undefined) spec.error(message, 'traffic', 'roundTrip');
  }
  if (timeoutMs !== undefined) traffic.timeoutMs = timeoutMs;
  if (idleTimeoutMs !== undefined) traffic.idleTimeoutMs = idleTimeoutMs;
  if (perTryTimeoutMs !== undefined) traffic.perTryTimeoutMs = perTryTimeoutMs;
  if (yaml.retryBodyLimit !== undefined) {
    const bytes = parseSizeBytes(String(yaml.retryBodyLimit)) ?? 0;
    if (bytes <= trafficLimits.retryBodyBytesMax) traffic.retryBodyBytes = bytes;
    else {
      spec.error(`${show(yaml.retryBodyLimit)} is too much: give at most 64Mi.`, 'traffic', 'retryBodyLimit');
    }
  }
  if (yaml.hedge !== undefined) traffic.hedge = yaml.hedge;
  if (yaml.sidecars !== undefined) traffic.sidecars = yaml.sidecars;
  if (yaml.hedge && perTryTimeoutMs === 0) spec.error(hedgeWithoutTime, 'traffic', 'perTryTimeout');
  if (yaml.retryBudget !== undefined) {
    const { requestsPerSecond, share = '' } = yaml.retryBudget;
    const sharePercent = parseSharePercent(share);
    traffic.retryBudget = { requestsPerSecond, ...(sharePercent === undefined ? {} : { sharePercent }) };
  }
  if (yaml.retries !== undefined) traffic.retries = yaml.retries;
  if (yaml.idempotentMethods !== undefined) traffic.idempotentMethods = [...new Set(yaml.idempotentMethods)];
  if (yaml.health !== undefined) traffic.health = parseHealth(spec, yaml.health);
  if (timeoutMs && perTryTimeoutMs && perTryTimeoutMs > timeoutMs) {
    spec.error(
      'is longer than `timeout`: one try would use up all the time. Shorten it.',
      'traffic',
      'perTryTimeout',
    );
  }
  return traffic;
}
