import { MeshError } from '../../base/error.ts';
import { isMap, type RawMap } from '../../base/raw-map.ts';
import type { PatchOperation } from './json-patch.ts';

/** What the API server asks (admission.k8s.io/v1, AdmissionRequest), as far as it is read. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: string;
  readonly kind: string;
  readonly namespace: string;
  readonly object: RawMap | undefined;
  readonly oldObject: RawMap | undefined;
}

/** What is answered. */
export interface AdmissionAnswer {
  /** Why it is not let in; absent: it is. */
  readonly refusal?: string;
  readonly patch?: readonly PatchOperation[];
  /** Shown to who asks. */
  readonly warnings?: readonly string[];
}

/** Reads an AdmissionReview. Throws MeshError `invalid`. */
export function readReview(text: string): AdmissionRequest {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    raw = undefined;
  }
  const request = isMap(raw) && raw.apiVersion === 'admission.k8s.io/v1' ? raw.request : undefined;
  if (!isMap(request) || typeof request.uid !== 'string')
    throw new MeshError('invalid', 'this is not an AdmissionReview of admission.k8s.io/v1 with a request');
  const { uid, operation, kind, namespace, object, oldObject } = request;
  return {
    ...{ uid, operation: String(operation), namespace: typeof namespace === 'string' ? namespace : '' },
    kind: isMap(kind) ? String(kind.kind) : '',
    object: isMap(object) ? object : undefined,
    oldObject: isMap(oldObject) ? oldObject : undefined,
  };
}

/** The longest that a warning may be for each API server to pass it on. */
const warningCharsMax = 240;
/** As many as are shown whole: the API server cuts them off at 4 KiB. */
const warningsMax = 12;

/** The AdmissionReview that answers. */
export function answerReview(uid: string, { refusal, patch = [], warnings = [] }: AdmissionAnswer): object {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      ...{ uid, allowed: refusal === undefined },
      ...(refusal === undefined
        ? {}
        : { status: { status: 'Failure', code: 422, reason: 'Invalid', message: refusal } }),
      ...(patch.length === 0
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
      ...(warnings.length === 0
        ? {}
        : { warnings: warnings.slice(0, warningsMax).map((one) => one.slice(0, warningCharsMax)) }),
    },
  };
}
