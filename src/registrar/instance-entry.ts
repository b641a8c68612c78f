import { isDeepStrictEqual } from 'node:util';
import { contentHash } from '../base/hash.ts';
import { isMap, type RawMap } from '../base/raw-map.ts';
import type { KubeObject } from '../kube/watch/watch-events.ts';
import { gateKeys, propagated } from '../model/values/pod-names.ts';

/** Where what is ours stands in the metadata of a WorkloadEntry. */
export const entryKeys = {
  /** Label: the cluster that the instance is in. */
  cluster: 'registrar.isthmus.dev/cluster',
  /** Annotations. What the entry is of: `pod/UID`. */
  instance: 'registrar.isthmus.dev/instance',
  pod: 'registrar.isthmus.dev/pod',
  uid: 'registrar.isthmus.dev/uid',
  generation: 'registrar.isthmus.dev/generation',
  zone: 'registrar.isthmus.dev/zone',
  weight: 'registrar.isthmus.dev/weight',
  /** Since when it is healthy, where that is known: an instance that is not has no entry. */
  healthySince: 'registrar.isthmus.dev/healthy-since',
  /** Under which term of the Lease it was written last. */
  term: 'registrar.isthmus.dev/term',
  /** Whether its Pod waits at the readiness gate until all proxies have it. */
  gated: gateKeys.gated,
} as const;

/** The longest name of an object. */
const nameMax = 253;

/** An instance that there should be in the Primary. */
export interface DesiredInstance {
  /** What it is, in its cluster and for ever: `pod/UID`. */
  readonly key: string;
  readonly namespace: string;
  /** Of its Pod, for people. */
  readonly name: string;
  readonly uid: string;
  /** Of its Pod: a later version of it is not overwritten by what an earlier one says. */
  readonly generation: number;
  /** Whether its Pod has the readiness gate that waits for it. */
  readonly isGated?: boolean;
  /** '': not known. */
  readonly healthySince: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: Readonly<Record<string, number>>;
  readonly weight?: number;
  /** Undefined: it has none. */
  readonly zone: string | undefined;
  /** Whether `zone` is known; otherwise that of its entry stays. */
  readonly isZoneKnown: boolean;
}

/** A WorkloadEntry, or a ServiceEntry, as the Primary has it, as far as it is of a registrar. */
export interface KnownEntry {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly version: string;
  readonly key: string;
  readonly generation: number;
  readonly term: string;
  /** Deleted, and kept until no proxy has it. */
  readonly isLeaving: boolean;
  /** Whether all proxies have it, as the Primary's control planes say. */
  readonly isPropagated: boolean;
  readonly labels: RawMap;
  readonly annotations: RawMap;
  readonly spec: RawMap;
}

/** Reads an entry; undefined: no registrar wrote it. */
export function readKnownEntry(object: KubeObject): KnownEntry | undefined {
  const { metadata, spec } = object as KubeObject & { readonly spec?: unknown };
  const { annotations = {}, labels = {} } = metadata ?? {};
  const key = annotations[entryKeys.instance];
  if (key === undefined || metadata?.uid === undefined) return undefined;
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    uid: metadata.uid,
    version: metadata.resourceVersion ?? '',
    key,
    generation: Number(annotations[entryKeys.generation] ?? 0) || 0,
    term: annotations[entryKeys.term] ?? '',
    isLeaving: metadata.deletionTimestamp !== undefined,
    isPropagated: annotations[gateKeys.propagated] === String(metadata.generation ?? 0),
    labels,
    annotations: ownAnnotations(annotations),
    spec: isMap(spec) ? spec : {},
  };
}

function ownAnnotations(annotations: RawMap): RawMap {
  const ours: readonly string[] = Object.values(entryKeys);
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => ours.includes(key)));
}

/** By whom an entry is written. */
export interface EntryWriterIdentity {
  readonly cluster: string;
  readonly idc: string;
  readonly term: string;
}

/** What an entry should say; `known`: its present version. */
export function entryOf(
  instance: DesiredInstance,
  { cluster, idc, term }: EntryWriterIdentity,
  known: KnownEntry | undefined,
): WrittenObject {
  const { namespace, address, labels, ports, weight } = instance;
  const kept = known?.annotations[entryKeys.zone];
  const zone = instance.isZoneKnown ? instance.zone : typeof kept === 'string' ? kept : undefined;
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: {
      namespace,
      labels: { [entryKeys.cluster]: cluster },
      annotations: {
        [entryKeys.instance]: instance.key,
        [entryKeys.pod]: `${namespace}/${instance.name}`,
        [entryKeys.uid]: instance.uid,
        [entryKeys.generation]: String(instance.generation),
        ...(zone !== undefined && { [entryKeys.zone]: zone }),
        ...(weight !== undefined && { [entryKeys.weight]: String(weight) }),
        ...(instance.isGated === true && { [entryKeys.gated]: 'true' }),
        ...(instance.healthySince !== '' && { [entryKeys.healthySince]: instance.healthySince }),
        [entryKeys.term]: term,
      },
      finalizers: [propagated],
    },
    spec: {
      address,
      labels,
      locality: zone === undefined ? idc : `${idc}/${zone}`,
      ...(weight !== undefined && { weight }),
      ...(Object.keys(ports).length > 0 && { ports }),
    },
  };
}

/**
 * The name of an entry: that of its Pod or Service, told apart by cluster and UID. `attempt`: an instance
 * that comes back while its former entry is still kept has another name.
 */
export function entryName(
  cluster: string,
  { name, key }: { readonly name: string; readonly key: string },
  attempt: number,
): string {
  const end = `-${contentHash(cluster, '\n', key).slice(0, 10)}${attempt === 0 ? '' : `-${attempt}`}`;
  const start = `${cluster}-${name}`.slice(0, nameMax - end.length).replace(/[^a-z0-9]+$/, '');
  return `${start}${end}`;
}

/** An object of the Primary as a registrar writes it. */
export interface WrittenObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
  readonly spec: RawMap;
}

/** What changes an entry to what it should be, as a merge patch; undefined: it is so. */
export function entryPatch(known: KnownEntry, due: WrittenObject): RawMap | undefined {
  const { [entryKeys.term]: _, ...annotations } = due.metadata.annotations;
  const { [entryKeys.term]: __, ...before } = known.annotations;
  const changes = {
    labels: difference(pick(known.labels, Object.keys(due.metadata.labels)), due.metadata.labels),
    annotations: difference(before, annotations),
    spec: difference(known.spec, due.spec),
  };
  if (Object.values(changes).every((change) => change === undefined)) return undefined;
  const term = due.metadata.annotations[entryKeys.term];
  return {
    metadata: {
      uid: known.uid,
      resourceVersion: known.version,
      ...(changes.labels && { labels: changes.labels }),
      annotations: { ...changes.annotations, [entryKeys.term]: term },
    },
    ...(changes.spec && { spec: changes.spec }),
  };
}

function pick(map: RawMap, keys: readonly string[]): RawMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => keys.includes(key)));
}

/** The merge patch that makes `to` of `from`; undefined: they are alike. */
function difference(from: RawMap, to: RawMap): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    const before = from[key];
    const change = isMap(value) && isMap(before) ? difference(before, value) : value;
    if (change !== undefined && !isDeepStrictEqual(change, before)) patch[key] = change;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}
