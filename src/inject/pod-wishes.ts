import { isMap, type RawMap } from '../base/raw-map.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { PathPart } from '../model/values/field-path.ts';
import { canonicalHost, isHost } from '../model/values/hostname.ts';
import { parseSizeBytes } from '../model/values/size.ts';
import { injected, podKeys } from './settings.ts';

/** Why a Pod cannot be injected: what is wrong, where, and what to do. */
export interface InjectFault {
  readonly path: readonly PathPart[];
  readonly message: string;
}

/** What a Pod wishes of its sidecar, by annotations. */
export interface PodWishes {
  /** Where the workload listens; undefined: nobody calls it through the sidecar. */
  readonly appPort: number | undefined;
  readonly inboundPort: number;
  /** Where the workload sends its requests, on 127.0.0.1; undefined: it calls no Group. */
  readonly outboundPort: number | undefined;
  readonly dependsOn: readonly string[] | undefined;
  readonly unknownHosts: 'pass' | 'refuse' | undefined;
  readonly zone: string | undefined;
  readonly capture: boolean;
  readonly excludePorts: readonly number[];
  readonly excludePrefixes: readonly string[];
  readonly drainSeconds: number | undefined;
  readonly image: string | undefined;
  readonly cpu: string;
  readonly cpuLimit: string | undefined;
  readonly memory: string;
  readonly memoryLimit: string;
}

/** Annotations by what follows `isthmus.dev/`, with what they say. */
export const podAnnotations = {
  'app-port': 'where the workload listens; others call it through the sidecar',
  'inbound-port': 'where the sidecar takes these requests',
  'outbound-port': 'where the workload sends its requests on 127.0.0.1; 0: it calls no Group',
  'depends-on': 'hosts that it calls, by comma',
  'unknown-hosts': 'requests for hosts that no Group has: refuse, or pass',
  zone: 'its zone in the IDC',
  weight: 'its share of requests, as a registrar writes it',
  capture: 'whether outgoing connections are redirected to the sidecar',
  'capture-exclude-ports': 'ports that are not, by comma',
  'capture-exclude-cidrs': 'addresses that are not, by comma',
  'drain-seconds': 'how long it goes on after its deletion',
  'proxy-image': 'the image of Envoy',
  'proxy-cpu': 'processor that the sidecar asks for',
  'proxy-cpu-limit': 'its limit',
  'proxy-memory': 'memory that the sidecar asks for',
  'proxy-memory-limit': 'its limit; Envoy keeps its heap below 0.8 of it',
} as const;

type Name = keyof typeof podAnnotations;

const prefix = 'isthmus.dev/';
const drainSecondsMax = 600;
const quantity = /^[0-9]+(?:\.[0-9]+)?(?:m|k|M|G|Ki|Mi|Gi)?$/;
const cidr = /^[0-9a-fA-F.:]+(?:\/[0-9]{1,3})?$/;

/** Defaults of the sidecar's resources. */
export const resourceDefaults = { cpu: '100m', memory: '128Mi', memoryLimit: '512Mi' } as const;

/** Reads annotations, one by one; faults are collected, not thrown. */
class Annotations {
  readonly #texts: RawMap;
  readonly #faults: InjectFault[];

  constructor(texts: RawMap, faults: InjectFault[]) {
    this.#texts = texts;
    this.#faults = faults;
  }

  fault(name: string, message: string): undefined {
    this.#faults.push({ path: ['metadata', 'annotations', `${prefix}${name}`], message });
    return undefined;
  }

  text(name: Name): string | undefined {
    const value = this.#texts[`${prefix}${name}`];
    if (value === undefined) return undefined;
    if (typeof value === 'string' && value !== '') return value;
    return this.fault(name, 'must be text that is not empty: put it in quotes, or remove it.');
  }

  number(name: Name, min: number, max: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = /^[0-9]{1,7}$/.test(text) ? Number(text) : -1;
    if (number >= min && number <= max) return number;
    return this.fault(name, `must be a whole number from ${min} to ${max}, not '${text}'.`);
  }

  choice<T extends string>(name: Name, ...values: T[]): T | undefined {
    const text = this.text(name);
    const found = values.find((value) => value === text);
    if (text !== undefined && found === undefined)
      this.fault(name, `must be ${values.join(' or ')}, not '${text}'.`);
    return found;
  }

  list(name: Name, isGood: (text: string) => boolean, what: string): readonly string[] | undefined {
    const items = this.text(name)
      ?.split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    const bad = items?.find((item) => !isGood(item));
    return bad === undefined ? items : this.fault(name, `'${bad}' is not ${what}: correct it.`);
  }

  quantity(name: Name): string | undefined {
    const text = this.text(name);
    if (text === undefined || quantity.test(text)) return text;
    return this.fault(name, `'${text}' is not a quantity: give one like 250m, 128Mi or 1.`);
  }
}

/** What the annotations of a Pod say; faults are added for what they should not. */
export function readPodWishes(metadata: RawMap, faults: InjectFault[]): PodWishes {
  const raw = isMap(metadata.annotations) ? metadata.annotations : {};
  const own = new Annotations(raw, faults);
  reportUnknown(raw, own);
  const capture = own.choice('capture', 'true', 'false') === 'true';
  const outboundPort = own.number('outbound-port', 0, 65_535) ?? injected.outboundPort;
  if (capture && outboundPort === 0)
    own.fault('capture', 'needs an outbound port: remove `isthmus.dev/outbound-port: "0"`, or this.');
  // Read by registrars; a fault is told of as early as possible.
  own.number('weight', 1, 1_000_000);
  const isPort = (text: string) => /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
  const isName = (text: string) => text === '*' || isHost(canonicalHost(text));
  const wishes: PodWishes = {
    appPort: own.number('app-port', 1, 65_535),
    inboundPort: own.number('inbound-port', 1, 65_535) ?? injected.inboundPort,
    outboundPort: outboundPort === 0 ? undefined : outboundPort,
    dependsOn: own.list('depends-on', isName, 'a host'),
    // Captured are requests for any host: those that no Group has went out before, and go on doing so.
    unknownHosts: own.choice('unknown-hosts', 'pass', 'refuse') ?? (capture ? 'pass' : undefined),
    zone: own.text('zone'),
    capture,
    excludePorts: own.list('capture-exclude-ports', isPort, 'a port from 1 to 65535')?.map(Number) ?? [],
    excludePrefixes:
      own.list('capture-exclude-cidrs', (text) => cidr.test(text), 'an address or prefix') ?? [],
    drainSeconds: own.number('drain-seconds', 0, drainSecondsMax),
    image: own.text('proxy-image'),
    cpu: own.quantity('proxy-cpu') ?? resourceDefaults.cpu,
    cpuLimit: own.quantity('proxy-cpu-limit'),
    memory: own.quantity('proxy-memory') ?? resourceDefaults.memory,
    memoryLimit: own.quantity('proxy-memory-limit') ?? resourceDefaults.memoryLimit,
  };
  if (wishes.outboundPort === undefined && wishes.appPort === undefined)
    own.fault(
      'app-port',
      'is required where `isthmus.dev/outbound-port` is 0: the sidecar would do nothing.',
    );
  checkMemory(wishes, own);
  return wishes;
}

/** Envoy sheds load at 0.8 of the limit, which must leave room for one connection at least. */
function checkMemory({ memoryLimit }: PodWishes, own: Annotations): void {
  const bytes = parseSizeBytes(memoryLimit);
  if (bytes === undefined || bytes < 80 * 2 ** 20)
    own.fault('proxy-memory-limit', `'${memoryLimit}' is too little, or no whole size: give at least 80Mi.`);
}

function reportUnknown(raw: RawMap, own: Annotations): void {
  const known = Object.keys(podAnnotations);
  for (const key of Object.keys(raw)) {
    const name = key.slice(prefix.length);
    if (!key.startsWith(prefix) || known.includes(name) || key === podKeys.record) continue;
    const hint = key === podKeys.inject || key === podKeys.group ? ' It is a label, not an annotation.' : '';
    own.fault(name, `unknown annotation: correct or remove it.${hint || didYouMean(name, known)}`);
  }
}
