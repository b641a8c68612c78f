import { MeshError, type MeshErrorCode } from '../base/error.ts';
import { type ProblemDetails, type ProblemKind, problemOf, problemType } from '../contract/problem.ts';

/** What a refusal says beyond its kind and words. */
type More = Pick<ProblemDetails, 'faults' | 'generation'>;

/** A refusal of a request for what HTTP has a status and the rest of Isthmus no error code. */
export class Refusal extends Error {
  readonly kind: ProblemKind;
  readonly more: More;
  /** Of the response, by name. */
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

/** The longest body of a request, in bytes. */
export const bodyBytesMax = 65_536;

/** Errors of the server library, as they are said here. */
const known: Readonly<Record<string, { readonly kind: ProblemKind; readonly words: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    kind: 'too-large',
    words: `the body has more than ${bodyBytesMax} bytes: send less in one request`,
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    kind: 'unsupported-media-type',
    words: 'its content-type is no media type: send the body as JSON, with content-type: application/json',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    kind: 'invalid',
    words: 'the body is of another length than its content-length says: correct one of them',
  },
  FST_ERR_BAD_URL: {
    kind: 'invalid',
    words: "the path is not well encoded: '%' is followed by two hex digits of UTF-8",
  },
  FST_ERR_MAX_PARAM_LENGTH: { kind: 'invalid', words: 'a name in the path is too long: give a shorter one' },
};

/** The refusal that an error is. */
export function refusalFrom(reason: unknown): Refusal {
  if (reason instanceof Refusal) return reason;
  const ofServer = known[String((reason as { code?: unknown }).code)];
  if (ofServer !== undefined) return new Refusal(ofServer.kind, ofServer.words);
  const { code, message, ref } = MeshError.from(reason);
  // A newer life has the name: which, so that a client can be newer still.
  const newer = code === 'conflict' && /^[0-9]+$/.test(ref ?? '') ? { generation: Number(ref) } : {};
  return new Refusal(code satisfies MeshErrorCode & ProblemKind, message, newer);
}

/** The problem details (RFC 9457) of a refusal. */
export function problemFrom({ kind, message, more }: Refusal): ProblemDetails {
  return problemOf(kind, message, more);
}

/** A refusal as bytes of HTTP/1.1, for a connection on which no request can be answered. */
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

/** JSON as the API writes it: people read it, too. */
export function printJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
