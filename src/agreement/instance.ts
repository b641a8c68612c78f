import { closest, didYouMean } from '../base/text/suggest.ts';
import type { FindingCode } from '../model/finding-codes.ts';
import type { Labels } from '../model/meta.ts';
import type { Kind } from '../model/object.ts';
import type { ServiceEntry, WorkloadSpec } from '../model/service.ts';
import { addressKind } from '../model/values/address.ts';
import { splitLocality } from '../model/values/locality.ts';

/** A probable mistake about an instance: allowed, but likely not intended. */
export interface Disagreement {
  readonly code: Extract<FindingCode, 'NotSelected' | 'UnknownPort' | 'NoLocality' | 'UnknownLocality'>;
  /** The field of the instance, such as ['ports', 'http']. */
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * The kind of object whose absence each code reports; the object may be missing because of an error of its
 * own.
 */
export const missingKinds: Readonly<Partial<Record<Disagreement['code'], Kind>>> = {
  NotSelected: 'ServiceEntry',
  UnknownPort: 'ServiceEntry',
  UnknownLocality: 'Idc',
};

/** The context of an instance. */
interface InstanceContext {
  /** The namespace, for messages. */
  readonly namespace: string;
  /** The ServiceEntries that it is an instance of. */
  readonly entries: readonly ServiceEntry[];
  /** Names of all Idcs. */
  readonly idcs: ReadonlySet<string>;
  /** Selectors of the namespace, for a hint if none matches. */
  readonly selectors?: Iterable<Labels>;
  /** Selectors of all namespaces, for the same. */
  readonly anywhere?: Iterable<PlacedSelector>;
}

/** The selector of a ServiceEntry, and its namespace. */
export interface PlacedSelector {
  readonly namespace: string;
  readonly selector: Labels;
}

/** The disagreements of an instance with its context. `labels`: its own and its metadata's. */
export function disagreements(
  { address, ports, locality = '', labels }: Pick<WorkloadSpec, 'address' | 'ports' | 'locality' | 'labels'>,
  { namespace, entries, idcs, selectors = [], anywhere = [] }: InstanceContext,
): Disagreement[] {
  if (entries.length === 0) {
    const near = hintFor(labels, selectors) || namespaceFor(labels, namespace, anywhere);
    const message = `no ServiceEntry in namespace ${namespace} selects it, so it gets no requests: correct the labels.${near}`;
    return [{ code: 'NotSelected', path: ['labels'], message }];
  }
  // A name may resolve to other addresses in each IDC.
  const isLocated = entries.some(belongsToIdc) && !(locality === '' && addressKind(address) === 'dns');
  return [...unknownPorts(ports, entries), ...(isLocated ? localityOf(locality, idcs) : [])];
}

/** Whether a ServiceEntry's instances belong to an IDC: external hosts are reached from anywhere. */
export function belongsToIdc({ spec }: ServiceEntry): boolean {
  return spec.location === 'MESH_INTERNAL' || !spec.resolution.startsWith('DNS');
}

function unknownPorts(ports: WorkloadSpec['ports'], entries: readonly ServiceEntry[]): Disagreement[] {
  const known = new Set(entries.flatMap(({ spec }) => spec.ports.map(({ name }) => name)));
  // A ServiceEntry without ports is told as that.
  if (known.size === 0) return [];
  const [entry] = entries;
  return Object.keys(ports).flatMap((name): Disagreement[] => {
    if (known.has(name) || entry === undefined) return [];
    const unused = entry.spec.ports.find((port) => !Object.hasOwn(ports, port.name));
    const instead =
      unused === undefined
        ? ''
        : ` Requests for ${unused.name} go to its port ${unused.targetPort ?? unused.number}.`;
    const message = `no port of ServiceEntry ${entry.meta.namespace}/${entry.meta.name} is named ${name}: it has ${[...known].join(', ')}.${instead}${didYouMean(name, known)}`;
    return [{ code: 'UnknownPort', path: ['ports', name], message }];
  });
}

function localityOf(locality: string, idcs: ReadonlySet<string>): Disagreement[] {
  const { idc } = splitLocality(locality);
  if (idc === '' && idcs.size > 1) {
    const message = `is missing, and there are ${idcs.size} Idcs: each takes the instance for its own, reaches it without gateways, and has no other IDC to fail over to. Write IDC/zone, such as ${[...idcs].sort()[0]}/zone-1.`;
    return [{ code: 'NoLocality', path: ['locality'], message }];
  }
  if (idc === '' || idcs.size === 0 || idcs.has(idc)) return [];
  const message = `no Idc is named '${idc}', so the instance is not reached there: correct it, or add the Idc.${didYouMean(idc, idcs)}`;
  return [{ code: 'UnknownLocality', path: ['locality'], message }];
}

/** The selector label closest to one of the instance: ` Did you mean app=checkout?` */
function hintFor(labels: Labels, selectors: Iterable<Labels>): string {
  const values = new Map<string, Set<string>>();
  for (const selector of selectors)
    for (const [key, value] of Object.entries(selector))
      values.set(key, (values.get(key) ?? new Set()).add(value));
  for (const [key, value] of Object.entries(labels)) {
    const near = didYouMean(
      value,
      [...(values.get(key) ?? [])].filter((one) => one !== value).slice(0, nearMax),
    );
    if (near !== '') return near.replace(/'(.*)'/, `'${key}: $1'`);
  }
  return '';
}

/** A namespace with a ServiceEntry that would select the instance; of several the nearest by name. */
function namespaceFor(labels: Labels, namespace: string, anywhere: Iterable<PlacedSelector>): string {
  const found = new Set<string>();
  let looked = 0;
  for (const { namespace: other, selector } of anywhere) {
    looked += 1;
    if (looked > nearMax) break;
    const pairs = Object.entries(selector);
    if (other !== namespace && pairs.length > 0 && pairs.every(([key, value]) => labels[key] === value))
      found.add(other);
  }
  const near = closest(namespace, found) ?? [...found].sort()[0];
  return near === undefined ? '' : ` One in namespace ${near} would: did you mean that namespace?`;
}

// Limit on comparisons: a large namespace would take long.
const nearMax = 500;
