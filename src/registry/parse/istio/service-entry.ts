import { isMap } from '../../../base/raw-map.ts';
import { didYouMean } from '../../../base/text/suggest.ts';
import type { Labels, Meta } from '../../../model/meta.ts';
import type { ServiceEntry, ServicePort, WorkloadSpec } from '../../../model/service.ts';
import { addressKind } from '../../../model/values/address.ts';
import { canonicalHost, isHost } from '../../../model/values/hostname.ts';
import { show } from '../fault.ts';
import type { Fields, FieldTable } from '../fields.ts';
import { isCidr, isIpAddress, isPortName } from '../hosts.ts';
import { checkLabels } from '../metadata.ts';
import { parseExportTo } from './export-to.ts';
import { parseProtocol } from './protocol.ts';
import { parseSubjectAltNames } from './tls-settings.ts';
import { parseWorkloadSpec } from './workload-entry.ts';

/** ServiceEntry as of Istio 1.30. */
const serviceFields: FieldTable = {
  hosts: '',
  ports: '',
  location: '',
  resolution: '',
  endpoints: '',
  workloadSelector: '',
  addresses: '',
  exportTo: '',
  subjectAltNames: '',
};

const portFields: FieldTable = { number: '', name: '', protocol: '', targetPort: '' };
const selectorFields: FieldTable = { labels: '' };
const resolutions = ['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'] as const;
type Resolution = (typeof resolutions)[number];

/** Reads a networking.istio.io ServiceEntry. */
export function parseServiceEntry(spec: Fields, meta: Meta): ServiceEntry {
  spec.checkKnown(serviceFields);
  const hosts = parseHosts(spec);
  const ports = parsePorts(spec);
  const location = spec.oneOf('location', ['MESH_EXTERNAL', 'MESH_INTERNAL']) ?? 'MESH_EXTERNAL';
  const resolution = spec.oneOf('resolution', resolutions) ?? 'NONE';
  const workloadSelector = parseSelector(spec);
  const endpoints = spec.maps('endpoints').map((fields) => parseEndpoint(fields, resolution, namesOf(spec)));
  const addresses = parseAddresses(spec, resolution, ports);
  const subjectAltNames = parseSubjectAltNames(spec);
  if (!isByName(resolution)) checkWildcards(spec, hosts, ports);
  checkResolution(spec, hosts, resolution, endpoints, ports);
  return {
    kind: 'ServiceEntry',
    meta,
    spec: {
      hosts,
      ports,
      ...(addresses.length === 0 ? {} : { addresses }),
      resolution,
      location,
      endpoints,
      ...(workloadSelector === undefined ? {} : { workloadSelector }),
      ...parseExportTo(spec, meta),
      ...(subjectAltNames.length === 0 ? {} : { subjectAltNames }),
    },
  };
}

function parseHosts(spec: Fields): string[] {
  const hosts = new Map<string, number>();
  const list = spec.strings('hosts');
  if (list.length === 0 && spec.list('hosts').length === 0) {
    spec.missing('is required: give at least one host, such as `- checkout.example`.', 'hosts');
  }
  for (const { text, index } of list) {
    const host = canonicalHost(text);
    if (!isHost(host)) {
      const what = text === '*' ? "'*' alone would take every host" : `${show(text)} is not a host`;
      spec.error(`${what}: give a DNS name, or '*.' and a DNS name.`, 'hosts', index);
    } else if (hosts.has(host)) {
      spec.error(`${show(text)} stands here twice: remove one.`, 'hosts', index);
    }
    hosts.set(host, index);
  }
  return [...hosts.keys()];
}

function parsePorts(spec: Fields): ServicePort[] {
  const ports: ServicePort[] = [];
  const numbers = new Set<number>();
  const names = new Set<string>();
  for (const fields of spec.maps('ports')) {
    fields.checkKnown(portFields);
    const number = fields.integer('number', 1, 65_535);
    if (!fields.has('number')) fields.missing('is required: give the port that callers use.', 'number');
    const name = fields.required('name', "the port's name, such as http");
    const targetPort = fields.integer('targetPort', 1, 65_535);
    const protocol = parseProtocol(fields);
    if (number !== undefined) {
      if (numbers.has(number))
        fields.error(`${number} is the number of another port too: change one.`, 'number');
      numbers.add(number);
    }
    if (name !== undefined) {
      if (!isPortName(name)) {
        fields.error(`${show(name)} is not a port's name: use up to 63 letters, digits and '-'.`, 'name');
      }
      if (names.has(name)) fields.error(`${show(name)} is the name of another port too: change one.`, 'name');
      names.add(name);
    }
    if (number === undefined || name === undefined || protocol === undefined) continue;
    ports.push({ number, name, protocol, ...(targetPort === undefined ? {} : { targetPort }) });
  }
  if (!spec.has('ports') || (Array.isArray(spec.raw.ports) && spec.raw.ports.length === 0))
    spec.warn('no ports: the hosts get no routes. Give at least one.', 'ports');
  // Copied: a list that was added to has room for sixteen more.
  return [...ports];
}

function parseSelector(spec: Fields): Labels | undefined {
  const fields = spec.map('workloadSelector');
  if (fields === undefined) return undefined;
  fields.checkKnown(selectorFields);
  const labels = fields.labels('labels');
  checkLabels(fields, 'labels', labels);
  const { labels: written } = fields.raw;
  if (written === undefined || written === null || (isMap(written) && Object.keys(written).length === 0)) {
    fields.error(
      'selects nothing in particular: name at least one label, or every workload would serve these hosts.',
      'labels',
    );
  }
  if (spec.list('endpoints').length > 0) {
    spec.error('excludes `endpoints`: keep one of the two.', 'workloadSelector');
  }
  return labels;
}

/** Names of all ports, including those left out; undefined if a port has none, which is reported. */
function namesOf(spec: Fields): ReadonlySet<string> | undefined {
  const names = spec.list('ports').map((port) => (isMap(port) ? port.name : undefined));
  const texts = names.filter((name) => typeof name === 'string' && name !== '');
  return texts.length < names.length ? undefined : new Set(texts as string[]);
}

function parseEndpoint(
  fields: Fields,
  resolution: Resolution,
  names: ReadonlySet<string> | undefined,
): WorkloadSpec {
  const endpoint = parseWorkloadSpec(fields);
  for (const name in names && endpoint.ports) {
    if (names?.has(name)) continue;
    const known = [...(names ?? [])];
    const hint = didYouMean(name, known) || ` The ServiceEntry has ${known.join(', ') || 'none'}.`;
    fields.error(`no port of the ServiceEntry is named ${show(name)}: correct it.${hint}`, 'ports', name);
  }
  const kind = addressKind(endpoint.address);
  if (kind === 'dns' && resolution === 'STATIC') {
    fields.error(
      'must be an IP address or unix:///path, as the resolution is STATIC: give one, or choose DNS.',
      'address',
    );
  }
  if (kind === 'unix' && resolution.includes('DNS')) {
    fields.error(`a unix:// address cannot be looked up by ${resolution}: choose STATIC.`, 'address');
  }
  return endpoint;
}

/**
 * Single addresses, at which sidecars listen for the TCP ports. An entry that Istio would reject must be
 * rejected here.
 */
function parseAddresses(spec: Fields, resolution: Resolution, ports: readonly ServicePort[]): string[] {
  const addresses = new Set<string>();
  for (const { text, index } of spec.strings('addresses')) {
    const single = singleAddress(text);
    const cidr = single === undefined && isCidr(text);
    if (!cidr && single === undefined) {
      spec.error(
        `${show(text)} is not an IP address or prefix such as 10.0.0.0/8: correct it.`,
        'addresses',
        index,
      );
    } else if (cidr && resolution !== 'STATIC' && resolution !== 'NONE') {
      spec.error(
        `a prefix needs resolution STATIC or NONE, not ${resolution}: give a single address.`,
        'addresses',
        index,
      );
    } else if (cidr) {
      spec.warn(
        'no proxy can listen on a prefix: it is left out. Give single addresses.',
        'addresses',
        index,
      );
    } else if (single === undefined || /^(?:0\.0\.0\.0|[0:]+)$/.test(single)) {
      spec.warn('means every address, so it is left out.', 'addresses', index);
    } else addresses.add(single);
  }
  if (addresses.size > 0 && !ports.some(isTcp)) {
    spec.warn('are for TCP ports, of which there is none: HTTP finds a Group by its host.', 'addresses');
  }
  return [...addresses];
}

/** An IP address, also with a full prefix length; undefined for anything else. */
function singleAddress(text: string): string | undefined {
  const [address = ''] = text.split('/');
  if (isIpAddress(text)) return text;
  return isCidr(text) && text.endsWith(address.includes(':') ? '/128' : '/32') ? address : undefined;
}

/** Whether the host of each request decides its target, not the entry. */
function isByName(resolution: Resolution): boolean {
  return resolution === 'NONE' || resolution === 'DYNAMIC_DNS';
}

/** Limits of such an entry, as no sidecar sees a connection's original destination. */
function checkByName(
  spec: Fields,
  hosts: readonly string[],
  resolution: Resolution,
  ports: readonly ServicePort[],
): void {
  const what = spec.has('resolution') ? resolution : 'NONE, which is the default';
  if (spec.has('workloadSelector')) {
    spec.warn(
      `with ${what}, no instance is selected, and the hosts get no routes: choose STATIC.`,
      'resolution',
    );
    return;
  }
  const tcp = ports.filter(isTcp).map(({ number }) => number);
  if (tcp.length === 0) return;
  const canListen = hosts.every((host) => !host.startsWith('*'));
  const remedy = canListen ? ' With DNS sidecars listen for them.' : '';
  spec.warn(
    `with ${what}, no sidecar listens for TCP ports (${tcp.join(', ')}): a connection's original destination is not seen. They are reached by CONNECT only, as by clients with HTTPS_PROXY.${remedy}`,
    'resolution',
  );
}

function checkWildcards(spec: Fields, hosts: readonly string[], ports: readonly ServicePort[]): void {
  const port = ports.find((one) => isTcp(one) && one.protocol !== 'TLS' && one.protocol !== 'HTTPS');
  if (port === undefined || !hosts.some((host) => host.startsWith('*'))) return;
  spec.warn(
    `port ${port.number} is TCP, where no connection says which host it is for: it is not served for hosts with '*'.`,
    'hosts',
  );
}

function isTcp({ protocol }: ServicePort): boolean {
  return protocol !== 'HTTP' && protocol !== 'HTTP2' && protocol !== 'GRPC';
}

function checkResolution(
  spec: Fields,
  hosts: readonly string[],
  resolution: Resolution,
  endpoints: readonly WorkloadSpec[],
  ports: readonly ServicePort[],
): void {
  const given = spec.list('endpoints').length;
  if (resolution === 'NONE' && given > 0) {
    spec.error('need a resolution: set `resolution: STATIC` for IP addresses.', 'endpoints');
  }
  if (resolution === 'DNS_ROUND_ROBIN' && given > 1) {
    spec.error(
      'may have one item only with resolution DNS_ROUND_ROBIN: keep one, or choose STATIC.',
      'endpoints',
    );
  }
  if (endpoints.some(({ address }) => addressKind(address) === 'unix') && ports.length !== 1) {
    spec.error('must be exactly one port, as an endpoint is a unix socket.', 'ports');
  }
  const bare = given === 0 && !spec.has('workloadSelector');
  if (isByName(resolution)) checkByName(spec, hosts, resolution, ports);
  else if (bare && resolution !== 'STATIC') {
    const index = hosts.findIndex((host) => host.startsWith('*'));
    if (index >= 0) {
      const message = `a host with '*' cannot be looked up by ${resolution}: name \`endpoints\`, or the host in full.`;
      spec.error(message, 'hosts', index);
    }
  } else if (bare) {
    spec.warn('no `endpoints` and no `workloadSelector`: the hosts have no instances. Give one of them.');
  }
}
