import { closest, didYouMean } from '../../base/text/suggest.ts';
import {
  annotationPrefix,
  isTrafficAnnotation,
  parseTrafficAnnotations,
  trafficAnnotations,
} from '../../model/annotations/annotations.ts';
import { idcNamePattern } from '../../model/idc.ts';
import type { Labels, Meta } from '../../model/meta.ts';
import type { Kind } from '../../model/object.ts';
import { isDnsName } from '../../model/values/hostname.ts';
import { show } from './fault.ts';
import type { Fields, FieldTable } from './fields.ts';

/** Kubernetes metadata. Fields set by its API server are accepted and ignored. */
const metadataFields: FieldTable = {
  name: '',
  namespace: '',
  labels: '',
  annotations: '',
  uid: '',
  resourceVersion: '',
  creationTimestamp: '',
  deletionTimestamp: '',
  deletionGracePeriodSeconds: '',
  generation: '',
  generateName: '',
  managedFields: '',
  finalizers: '',
  ownerReferences: '',
  selfLink: '',
};

/** Kinds that have no namespace. */
const clusterKinds: ReadonlySet<Kind> = new Set(['Idc', 'DrGroup', 'Evacuation']);

/** The namespace of an object that names none. */
const defaultNamespace = 'default';

const labelKey =
  /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

/** Errors of labels by the rules of Kubernetes and Istio. `at`: the mapping that holds `key`. */
export function checkLabels(at: Fields, key: string, labels: Labels): void {
  for (const name in labels) {
    const value = labels[name] ?? '';
    if (!labelKey.test(name)) {
      at.error(
        'is not a label key: use up to 63 letters, digits, `-`, `_`, `.`, with an optional `domain/` before.',
        key,
        name,
      );
    }
    if (!labelValue.test(value)) {
      at.error(
        `${show(value)} is not a label value: use up to 63 letters, digits, '-', '_', '.'.`,
        key,
        name,
      );
    }
  }
}

/** Parses `metadata`. Undefined if name or namespace are invalid: the object is unidentified then. */
export function parseMeta(root: Fields, kind: Kind, origin: string): Meta | undefined {
  const fields = root.map('metadata');
  if (fields === undefined) {
    if (!root.has('metadata')) root.missing('is required: give at least `name`.', 'metadata');
    return undefined;
  }
  const clusterScoped = clusterKinds.has(kind);
  checkMetadataFields(fields, clusterScoped);
  const name = parseName(fields, kind);
  const namespace = clusterScoped ? '' : parseNamespace(fields);
  if (clusterScoped && fields.has('namespace')) {
    fields.error(`${kind} has no namespace, it holds for the whole mesh: remove the line.`, 'namespace');
  }
  const labels = fields.labels('labels');
  checkLabels(fields, 'labels', labels);
  for (const key in labels) {
    if (key.startsWith(annotationPrefix))
      fields.warn('is a label, and Isthmus reads annotations: move it to `annotations`.', 'labels', key);
  }
  const annotations = fields.labels('annotations');
  checkAnnotations(fields, kind, annotations);
  if (name === undefined || namespace === undefined) return undefined;
  return { namespace, name, labels, annotations, ...parseCreated(fields), origin };
}

/** RFC 3339, as the API server writes it; anything else is ignored. */
function parseCreated({ raw }: Fields): Pick<Meta, 'createdMs'> {
  const { creationTimestamp } = raw;
  const createdMs = typeof creationTimestamp === 'string' ? Date.parse(creationTimestamp) : Number.NaN;
  return Number.isNaN(createdMs) ? {} : { createdMs };
}

function parseName(fields: Fields, kind: Kind): string | undefined {
  const name = fields.required('name', 'the name of the object');
  if (name === undefined) return undefined;
  if (kind === 'Idc') {
    if (idcNamePattern.test(name)) return name;
    fields.error(
      `${show(name)} is not a name for an IDC: use 1 to 32 of a-z, 0-9 and '-', not '-' first or last.`,
      'name',
    );
    return undefined;
  }
  if (isDnsName(name) && name === name.toLowerCase()) return name;
  fields.error(`${show(name)} is not a name: use small letters, digits, '-' and '.', up to 253.`, 'name');
  return undefined;
}

function parseNamespace(fields: Fields): string | undefined {
  if (!fields.has('namespace')) return defaultNamespace;
  const namespace = fields.string('namespace');
  if (namespace === undefined) return undefined;
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) return namespace;
  fields.error(
    `${show(namespace)} is not a namespace: use small letters, digits and '-', up to 63.`,
    'namespace',
  );
  return undefined;
}

/** Isthmus's own kinds are strict, Istio's are lenient as in Kubernetes. */
function checkMetadataFields(fields: Fields, strict: boolean): void {
  if (!strict) {
    fields.checkKnown(metadataFields);
    return;
  }
  const known = Object.keys(metadataFields);
  for (const key in fields.raw) {
    if (!Object.hasOwn(metadataFields, key)) {
      fields.unknown(`unknown field: correct or remove it.${didYouMean(key, known)}`, key);
    }
  }
}

/** Annotations probably meant for Isthmus, whose prefix must match exactly. */
function warnOfPrefix(fields: Fields, kind: Kind, key: string): void {
  const [domain = '', name = ''] = key.split('/');
  const isNamed = trafficAnnotations.includes(`${annotationPrefix}${name.toLowerCase()}`);
  const isNear = closest(domain, [annotationPrefix.slice(0, -1)]) !== undefined;
  if (clusterKinds.has(kind) || !(isNear || (isNamed && /isthmus/i.test(domain)))) return;
  fields.warn(`is not read: annotations of Isthmus begin with ${annotationPrefix}.`, 'annotations', key);
}

const withoutPrefix = (key: string): string => key.slice(annotationPrefix.length);

function checkAnnotations(fields: Fields, kind: Kind, annotations: Labels): void {
  let ours = false;
  for (const key in annotations) {
    if (!key.startsWith(annotationPrefix)) {
      warnOfPrefix(fields, kind, key);
      continue;
    }
    ours = true;
    if (kind !== 'ServiceEntry') {
      fields.error(
        `annotations of Isthmus belong on a ServiceEntry, not on a ${kind}: move or remove it.`,
        'annotations',
        key,
      );
    } else if (!isTrafficAnnotation(key)) {
      // Compared without the common prefix: with it any short key would seem close.
      const near = closest(withoutPrefix(key), trafficAnnotations.map(withoutPrefix));
      const hint = near === undefined ? '' : ` Did you mean '${annotationPrefix}${near}'?`;
      fields.unknown(`unknown annotation: correct or remove it.${hint}`, 'annotations', key);
    }
  }
  if (!ours || kind !== 'ServiceEntry') return;
  for (const { key, message } of parseTrafficAnnotations(annotations).faults) {
    fields.error(message, 'annotations', key);
  }
}
