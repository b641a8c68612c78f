import { isMap, type RawMap } from '../../base/raw-map.ts';
import { type PathPart, renderPath } from '../../model/values/field-path.ts';
import { parseObject } from '../../registry/parse/object.ts';
import { injectPod } from '../inject-pod.ts';
import { type InjectSettings, podKeys } from '../settings.ts';
import { diffJson, isSameJson } from './json-patch.ts';
import type { AdmissionAnswer, AdmissionRequest } from './review.ts';

const line = ({ path, message }: { readonly path: readonly PathPart[]; readonly message: string }) =>
  path.length === 0 ? message : `${renderPath(path)}: ${message}`;

/** Adds a sidecar to a Pod that is created, as `isthmus inject` does. Faults of its annotations refuse it. */
export function admitPod(request: AdmissionRequest, settings: InjectSettings): AdmissionAnswer {
  const { kind, operation, object, namespace } = request;
  if (kind !== 'Pod' || operation !== 'CREATE' || object === undefined) return {};
  const result = injectPod(object, settings, namespace || 'default');
  switch (result.outcome) {
    case 'injected':
      return { patch: diffJson(object, result.pod) };
    case 'skipped':
      return {};
    case 'faulty':
      return { refusal: result.faults.map(line).join('; ') };
  }
}

/**
 * Checks an object of the mesh as `isthmus validate` does: with all faults at once, and warnings. Objects of
 * another revision are let in, as is what changes neither spec nor labels nor annotations: a finalizer can
 * be taken off an object that was never valid.
 */
export function admitObject(request: AdmissionRequest, revision: string): AdmissionAnswer {
  const { operation, object, oldObject } = request;
  if (object === undefined || (operation !== 'CREATE' && operation !== 'UPDATE')) return {};
  const own = isMap(object.metadata) && isMap(object.metadata.labels) ? object.metadata.labels : {};
  const wanted = own[podKeys.revision];
  if (wanted !== undefined && wanted !== revision) return {};
  if (oldObject !== undefined && isSameJson(meantBy(object), meantBy(oldObject))) return {};
  const { faults } = parseObject(object, '');
  const of = (wanted: string) => faults.filter(({ severity }) => severity === wanted).map(line);
  const errors = of('error');
  return {
    ...(errors.length === 0 ? {} : { refusal: errors.join('; ') }),
    warnings: of('warning'),
  };
}

/** What its user says of an object. */
function meantBy({ spec, metadata }: RawMap): object {
  const { labels, annotations } = isMap(metadata) ? metadata : {};
  return { spec, labels: labels ?? {}, annotations: annotations ?? {} };
}
