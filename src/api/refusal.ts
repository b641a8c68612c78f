import { MeshError, type MeshErrorCode } from '../base/error.ts';
import { type ProblemDetails, type ProblemKind, problemOf, problemType } from '../contract/problem.ts';
import { renderPath } from '../model/values/field-path.ts';
import { codeOf, type Fault } from '../registry/parse/fault.ts';

/** Details of a refusal besides kind and message. */
type More = Pick<ProblemDetails, 'faults' | 'generation'>;

/** A refusal that has an HTTP status but no MeshError code. */
export class Refusal extends Error {
  readonly kind: ProblemKind;
  readonly more: More;
  /** Response headers by name. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    kind: ProblemKind,
    detail: string,
    { headers = {}, ...more }: More & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail);
    this.kind = kind;
    this.more = more;
    this.headers = headers;
  }
}

/** Faults of a body, whose paths begin in it, as clients get them. */
export function toldFaults(faults: readonly Fault[]): NonNullable<ProblemDetails['faults']> {
  return faults.map((fault) => ({
    ...{ code: codeOf(fault), severity: fault.severity },
    ...{ path: renderPath(fault.path), message: fault.message },
  }));
}

/** Largest request body, in bytes. */
export const bodyBytesMax = 65_536;

/** Errors of the server library, as refusals. */
const known: Readonly<Record<string, { readonly kind: ProblemKind; readonly words: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    kind: 'too-large',
    words: `the body has more than ${bodyBytesMax} bytes: send less in one request`,
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    kind: 'unsupported-media-type',
    words: 'its content-type is not a media type: send the body as JSON, with content-type: application/json',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    kind: 'invalid',
    words: 'the length of the body differs from its content-length: correct one of them',
  },
  FST_ERR_BAD_URL: {
    kind: 'invalid',
    words: "the path is not well encoded: '%' must be followed by two hex digits of UTF-8",
  },
  FST_ERR_MAX_PARAM_LENGTH: { kind: 'invalid', words: 'a name in the path is too long: give a shorter one' },
};

/** Converts an error to a refusal. */
export function refusalFrom(reason: unknown): Refusal {
  if (reason instanceof Refusal) return reason;
  const ofServer = known[String((reason as { code?: unknown }).code)];
  if (ofServer !== undefined) return new Refusal(ofServer.kind, ofServer.words);
  const { code, message, ref } = MeshError.from(reason);
  // The newer generation that has the name, so that a client can choose a higher one.
  const newer = code === 'conflict' && /^[0-9]+$/.test(ref ?? '') ? { generation: Number(ref) } : {};
  return new Refusal(code satisfies MeshErrorCode & ProblemKind, message, newer);
}

/** The problem details (RFC 9457) of a refusal. */
export function problemFrom({ kind, message, more }: Refusal): ProblemDetails {
  return problemOf(kind, message, more);
}

/** A refusal as raw HTTP/1.1, for a connection without a valid request. */
export function rawRefusal(kind: ProblemKind, phrase: string, detail: string): string {
  const problem = problemOf(kind, detail);
  const body = printJson(problem);
  return [
    `HTTP/1.1 ${problem.status} ${phrase}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
}

/** JSON in the API's form, readable by people. */
export function printJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
