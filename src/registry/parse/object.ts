import type { NamedIdc } from '../../agreement/admission.ts';
import { isMap, type RawMap } from '../../base/raw-map.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import { idcNamePattern } from '../../model/idc.ts';
import type { Meta } from '../../model/meta.ts';
import type { Kind, MeshObject, Ref } from '../../model/object.ts';
import { configKind, ownApiVersion } from '../../model/values/api-version.ts';
import type { PathPart } from '../../model/values/field-path.ts';
import { type Fault, hasErrors, show } from './fault.ts';
import { Fields } from './fields.ts';
import { firstFaults } from './first-faults.ts';
import { foreignKind } from './foreign.ts';
import { parseDestinationRule } from './istio/destination-rule.ts';
import { parseServiceEntry } from './istio/service-entry.ts';
import { parseWorkloadEntry } from './istio/workload-entry.ts';
import { parseMeta } from './metadata.ts';
import { parseEvacuation } from './own/evacuation.ts';
import { parseDrGroup, parseIdc } from './own/idc-and-dr-group.ts';

/** The result of parsing a document. */
interface Parsed {
  /** Its identity; absent if kind, namespace or name is invalid. */
  readonly ref?: Ref;
  /** The object; absent if there is an error, or if the kind is not for Isthmus. */
  readonly object?: MeshObject;
  /** True for an object that Isthmus does not use: neither object nor error. */
  readonly ignored: boolean;
  /** For an object with errors: the IDCs that it names, and where. */
  readonly idcs?: readonly NamedIdc[];
  /** The readable part of an object with errors. */
  readonly draft?: Draft;
  /** The kind of a foreign object. */
  readonly foreign?: string;
  /** All errors and warnings, roughly in the order of the document's fields. */
  readonly faults: readonly Fault[];
}

/** The readable part of an object, and its invalid fields. */
export interface Draft {
  readonly object: MeshObject;
  readonly faulty: readonly (readonly PathPart[])[];
}

interface KindRow {
  readonly apiVersions: readonly string[];
  readonly parse: (spec: Fields, meta: Meta, faults: Fault[]) => MeshObject | undefined;
}

const istioVersions = ['v1', 'v1beta1', 'v1alpha3'].map((version) => `networking.istio.io/${version}`);

/** Kinds that can be written in YAML: a drain comes by the API alone. */
type WrittenKind = Exclude<Kind, 'Drain'>;

/** Every kind that is read: a new kind is a new row. */
const kinds: Readonly<Record<WrittenKind, KindRow>> = {
  ServiceEntry: { apiVersions: istioVersions, parse: parseServiceEntry },
  WorkloadEntry: { apiVersions: istioVersions, parse: parseWorkloadEntry },
  DestinationRule: { apiVersions: istioVersions, parse: parseDestinationRule },
  Idc: { apiVersions: [ownApiVersion], parse: parseIdc },
  DrGroup: { apiVersions: [ownApiVersion], parse: parseDrGroup },
  Evacuation: { apiVersions: [ownApiVersion], parse: parseEvacuation },
};

/** The names of all kinds. */
export const kindNames = Object.keys(kinds) as WrittenKind[];

const rootFields: readonly string[] = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

/**
 * Parses one object from YAML or JSON. All errors are found at once, without those that follow from others;
 * never throws. `origin`: its location, for `meta.origin`.
 */
export function parseObject(raw: unknown, origin: string): Parsed {
  const parsed = parseWhole(raw, origin);
  return { ...parsed, faults: firstFaults(parsed.faults) };
}

function parseWhole(raw: unknown, origin: string): Parsed {
  const faults: Fault[] = [];
  if (!isMap(raw)) {
    const message = `must be a mapping with apiVersion, kind, metadata and spec, not ${show(raw)}.`;
    return { ignored: false, faults: [{ code: 'NotAnObject', severity: 'error', path: [], message }] };
  }
  const root = new Fields(raw, faults);
  if (isForeignIstioKind(root)) return { ignored: true, faults };
  const foreign = foreignKind(raw, Object.keys(kinds));
  if (foreign !== undefined) return { ignored: true, foreign, faults };
  const kind = parseKind(root);
  if (kind === undefined) return { ignored: false, faults };
  const meta = parseMeta(root, kind, origin);
  checkRoot(root, kinds[kind].apiVersions.includes(ownApiVersion));
  const spec = parseSpec(root);
  // Errors of the spec are reported even if the object is unidentified.
  const read = spec && kinds[kind].parse(spec, meta ?? nobody, faults);
  if (meta === undefined) return { ignored: false, faults };
  const ref: Ref = { kind, namespace: meta.namespace, name: meta.name };
  return read === undefined || hasErrors(faults)
    ? { ref, ignored: false, faults, ...remainsOf(kind, spec, read, faults) }
    : { ref, object: read, ignored: false, faults };
}

function remainsOf(
  kind: Kind,
  spec: Fields | undefined,
  object: MeshObject | undefined,
  faults: readonly Fault[],
): Pick<Parsed, 'idcs' | 'draft'> {
  const faulty = faults.filter(({ severity }) => severity === 'error').map(({ path }) => path);
  return {
    ...(spec === undefined ? {} : { idcs: namedIdcs(kind, spec.raw) }),
    ...(object === undefined ? {} : { draft: { object, faulty } }),
  };
}

/** The names of IDCs in a spec that may have errors. Invalid names are reported already. */
function namedIdcs(kind: Kind, raw: RawMap): readonly NamedIdc[] {
  const list = kind === 'DrGroup' && Array.isArray(raw.idcs) ? raw.idcs : [];
  const named: { name: unknown; path: PathPart[] }[] =
    kind === 'Evacuation'
      ? [{ name: raw.idc, path: ['spec', 'idc'] }]
      : list.map((item, i) => ({ name: isMap(item) && item.name, path: ['spec', 'idcs', i, 'name'] }));
  return named.flatMap(({ name, path }) =>
    typeof name === 'string' && idcNamePattern.test(name) ? { name, path } : [],
  );
}

const nobody: Meta = { namespace: '', name: '', labels: {}, annotations: {}, origin: '' };

/** Istio's kinds that are valid, but unused by Isthmus. */
function isForeignIstioKind(root: Fields): boolean {
  const { apiVersion, kind } = root.raw;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || Object.hasOwn(kinds, kind)) return false;
  if (!/^[a-z]+\.istio\.io\//.test(apiVersion) || !foreignKinds.has(kind)) return false;
  root.fault(
    'UnsupportedKind',
    'warning',
    `Istio's ${kind} is not supported: the object is ignored.`,
    'kind',
  );
  return true;
}

const foreignKinds: ReadonlySet<string> = new Set([
  'VirtualService',
  'Gateway',
  'Sidecar',
  'WorkloadGroup',
  'EnvoyFilter',
  'ProxyConfig',
  'PeerAuthentication',
  'RequestAuthentication',
  'AuthorizationPolicy',
  'Telemetry',
  'WasmPlugin',
]);

function parseKind(root: Fields): WrittenKind | undefined {
  if (!root.has('apiVersion') && !root.has('kind')) {
    const message =
      'not an object: it has neither apiVersion nor kind. Add them, or move it out of the folder.';
    root.fault('NotAnObject', 'error', message);
    return undefined;
  }
  const text = root.required('kind', kindNames.join(', '));
  if (text === undefined) return undefined;
  if (text === configKind) {
    root.fault(
      'UnknownKind',
      'error',
      'is the configuration of a control plane, not an object: give it to `isthmus serve --file`, and move it out of the folder.',
      'kind',
    );
    return undefined;
  }
  const kind = kindNames.find((name) => name === text);
  if (kind === undefined) {
    const hint = didYouMean(text, kindNames) || ` Isthmus reads ${kindNames.join(', ')}.`;
    root.fault('UnknownKind', 'error', `${show(text)} is not a kind that Isthmus knows.${hint}`, 'kind');
    return undefined;
  }
  const { apiVersions } = kinds[kind];
  const version = root.required('apiVersion', apiVersions[0] ?? '');
  if (version !== undefined && !apiVersions.includes(version)) {
    root.fault(
      'UnknownKind',
      'error',
      `${show(version)} is not the apiVersion of ${kind}: write ${apiVersions.join(' or ')}.`,
      'apiVersion',
    );
  }
  return kind;
}

function checkRoot(root: Fields, strict: boolean): void {
  for (const key in root.raw) {
    if (rootFields.includes(key)) continue;
    const hint = didYouMean(key, rootFields);
    if (strict) root.unknown(`unknown field: correct, indent or remove it.${hint}`, key);
    else root.fault('UnknownField', 'warning', `unknown field, ignored.${hint}`, key);
  }
}

function parseSpec(root: Fields): Fields | undefined {
  if (!root.has('spec')) root.missing('is required: it identifies the kind of object.', 'spec');
  return root.map('spec');
}
