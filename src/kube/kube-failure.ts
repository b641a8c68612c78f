import { MeshError, type MeshErrorCode } from '../base/error.ts';
import { safeExcerpt } from '../base/text/safe-excerpt.ts';

/** What an API server said instead of what was asked for: a status of HTTP, or an event of type ERROR. */
export interface KubeRefusal {
  /** As HTTP has it; 0: it did not answer at all. */
  readonly status: number;
  /** Such as `Expired`; '' if it did not say. */
  readonly reason: string;
  readonly message: string;
  /** When it wants to be asked again, in milliseconds. */
  readonly retryAfterMs?: number;
}

const refusals = new WeakMap<MeshError, KubeRefusal>();

/**
 * A refusal as an error. `what`: what was asked for, such as `watch serviceentries.networking.istio.io`;
 * `todo`: what mends it.
 */
export function kubeError(refusal: KubeRefusal, what: string, todo = ''): MeshError {
  const { status, message } = refusal;
  const said = status === 0 ? message : `${status} ${message}`;
  const error = new MeshError(codeOf(status), `${what}: ${said}${todo === '' ? '' : `; ${todo}`}`);
  refusals.set(error, refusal);
  return error;
}

/** The refusal behind an error; undefined: it is of another origin. */
export function kubeRefusalOf(error: unknown): KubeRefusal | undefined {
  return error instanceof MeshError ? refusals.get(error) : undefined;
}

function codeOf(status: number): MeshErrorCode {
  if (status === 404) return 'not-found';
  if (status === 409) return 'conflict';
  return status === 400 || status === 401 || status === 403 || status === 422 ? 'invalid' : 'unavailable';
}

/** Longest text of a server that is repeated. */
const excerptMax = 400;

/**
 * The refusal in a body, which is a Status in JSON, or plain text from what stands before the API's handlers
 * (404 of a kind that is not there, 429 of fairness). `retryAfter`: the header, in seconds.
 */
export function readRefusal(status: number, body: string, retryAfter?: string): KubeRefusal {
  const parsed = parseStatus(body);
  const seconds = Number(retryAfter ?? parsed?.details?.retryAfterSeconds ?? Number.NaN);
  return {
    status: parsed?.code ?? status,
    reason: parsed?.reason ?? '',
    message: safeExcerpt(parsed?.message ?? body.trim(), excerptMax) || 'without a word',
    ...(Number.isFinite(seconds) && seconds >= 0 && { retryAfterMs: seconds * 1000 }),
  };
}

/** `meta/v1.Status`, as far as it is read. */
interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

function parseStatus(body: string): Status | undefined {
  if (!body.startsWith('{')) return undefined;
  try {
    const parsed = JSON.parse(body) as Status & { readonly kind?: string };
    return parsed.kind === 'Status' ? parsed : undefined;
  } catch {
    return undefined;
  }
}
