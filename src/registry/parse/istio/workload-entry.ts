import type { Meta } from '../../../model/meta.ts';
import type { WorkloadEntry, WorkloadSpec } from '../../../model/service.ts';
import { isDnsName } from '../../../model/values/hostname.ts';
import { show } from '../fault.ts';
import type { Fields, FieldTable } from '../fields.ts';
import { isIpAddress, isPortName } from '../hosts.ts';
import { checkLabels } from '../metadata.ts';

/** WorkloadEntry as of Istio 1.30; also an item of `endpoints` of a ServiceEntry. */
const workloadFields: FieldTable = {
  address: '',
  ports: '',
  labels: '',
  network: '',
  locality: '',
  weight: '',
  serviceAccount: 'identities of workloads are not checked, the instance is used without.',
};

/** Envoy sums the weights of a locality in 32 bits and rejects an overflow; 4,000 of these still fit. */
const weightMax = 1_000_000;

/** The kernel's limit: 108 bytes with the terminating zero. */
const socketPathMax = 107;
/** As for a host's name; a locality becomes part of names. */
const localityMax = 253;

/** Reads a networking.istio.io WorkloadEntry. */
export function parseWorkloadEntry(spec: Fields, meta: Meta): WorkloadEntry {
  return { kind: 'WorkloadEntry', meta, spec: parseWorkloadSpec(spec) };
}

/** Parses the common part of a WorkloadEntry and an inline endpoint. */
export function parseWorkloadSpec(fields: Fields): WorkloadSpec {
  fields.checkKnown(workloadFields);
  const address = parseAddress(fields);
  const ports = parsePorts(fields, address);
  const labels = fields.labels('labels');
  checkLabels(fields, 'labels', labels);
  const network = fields.string('network');
  const locality = parseLocality(fields);
  const weight = parseWeight(fields);
  return {
    address,
    ports,
    labels,
    ...(network ? { network } : {}),
    ...(locality ? { locality } : {}),
    ...(weight === undefined ? {} : { weight }),
  };
}

function parseAddress(fields: Fields): string {
  const address = fields.string('address') ?? '';
  // The root's dot is kept: a resolver with a search list uses such a name unchanged.
  const name = address.replace(/\.$/, '');
  if (address === '') {
    if (fields.has('address') && typeof fields.raw.address !== 'string') return '';
    if (!fields.string('network'))
      fields.missing('is required: give the IP address of the instance.', 'address');
    else
      fields.warn(
        'has only a network, no address: gateways of networks are not resolved, the instance gets no requests.',
      );
    return '';
  }
  if (address.startsWith('unix://')) {
    const path = address.slice('unix://'.length);
    if (!/^[/@]/.test(path))
      fields.error('must be absolute: write unix:///path/to/socket, with three slashes.', 'address');
    else if (path.endsWith('/'))
      fields.error('names a folder: give the path of the socket itself.', 'address');
    if (Buffer.byteLength(path) > socketPathMax)
      fields.error(`is too long: the system takes socket paths of ${socketPathMax} bytes.`, 'address');
    if (!isPlain(path)) fields.error('has characters that are not printable: remove them.', 'address');
  } else if (!isIpAddress(address) && /^[0-9]+$/.test(name.split('.').at(-1) ?? '')) {
    // Envoy would parse such a name as an IP, and reject all endpoints of the service.
    const hint = 'give four numbers from 0 to 255, without leading zeros.';
    fields.error(`${show(address)} is not an IP address or a name: ${hint}`, 'address');
  } else if (!isIpAddress(address) && !isDnsName(name)) {
    const port = /^(.*):[0-9]+$/.exec(address);
    const hint = port && !address.includes('::') ? ' The port belongs in `ports`, not here.' : '';
    fields.error(
      `${show(address)} is not an IP address, DNS name or unix:///path: correct it.${hint}`,
      'address',
    );
  }
  return address;
}

function parsePorts(fields: Fields, address: string): Readonly<Record<string, number>> {
  const ports = fields.integers('ports', 1, 65_535);
  for (const name in ports) {
    if (!isPortName(name)) {
      fields.error("is not a port's name: use up to 63 letters, digits and '-'.", 'ports', name);
    }
  }
  if (address.startsWith('unix://') && fields.has('ports')) {
    fields.error('a unix:// address has no ports: remove them.', 'ports');
  }
  return ports;
}

function parseLocality(fields: Fields): string | undefined {
  const locality = fields.string('locality');
  if (!locality) return undefined;
  if (locality.split('/').some((part) => part === '' || part.includes('*'))) {
    fields.error(
      `${show(locality)} is not a locality: write IDC/zone/subzone, no part empty, no '*'.`,
      'locality',
    );
  }
  if (locality.length > localityMax)
    fields.error(`is too long: use up to ${localityMax} characters.`, 'locality');
  if (!isPlain(locality)) fields.error('has characters that are not printable: remove them.', 'locality');
  return locality;
}

/** Whether a string can be sent to Envoy: valid UTF-8 without control characters. */
function isPlain(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text);
}

function parseWeight(fields: Fields): number | undefined {
  const weight = fields.integer('weight', 0, 4_294_967_295);
  if (weight === 0) {
    fields.warn(
      '0 means "not set", as in Istio, so the instance counts like any other. To stop its requests, remove it.',
      'weight',
    );
    return undefined;
  }
  if (weight !== undefined && weight > weightMax) {
    fields.warn(`is cut to ${weightMax}: beyond it the sum of a locality may not fit Envoy.`, 'weight');
    return weightMax;
  }
  return weight;
}
