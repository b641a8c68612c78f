import { z } from 'zod';
import { component, described, fault } from './components.ts';

/** Media type of a refusal (RFC 9457). */
export const problemType = 'application/problem+json';

/** Kinds of refusals: the HTTP status (RFC 9110) and the title of each. */
const problemKinds = {
  invalid: { status: 400, title: 'The request is not valid' },
  unauthorized: { status: 401, title: 'The request needs the token' },
  forbidden: { status: 403, title: 'Writes are off' },
  'not-found': { status: 404, title: 'There is no such resource' },
  'method-not-allowed': { status: 405, title: 'The path does not take this method' },
  late: { status: 408, title: 'It did not happen in time' },
  conflict: { status: 409, title: 'The request contradicts the current state' },
  'too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is not JSON' },
  exhausted: { status: 429, title: 'A limit is reached' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'A fault of the control plane' },
  unsupported: { status: 501, title: 'This control plane does not do it' },
  unavailable: { status: 503, title: 'The control plane cannot do it now' },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly title: string }>>;

export type ProblemKind = keyof typeof problemKinds;

/** Error codes for clients of version 0.1.0. */
const codes = [
  ...(['invalid', 'forbidden', 'not-found', 'late', 'conflict'] as const),
  ...(['exhausted', 'internal', 'unsupported', 'unavailable'] as const),
] as const;

/** Any refusal: problem details (RFC 9457). */
export const problem = component(
  'Problem',
  z.strictObject({
    type: described('Identifies the kind of problem: a tag URI (RFC 4151).', z.string()),
    title: described('The kind as text: the same for all of one type.', z.string()),
    status: described('The HTTP status.', z.int()),
    detail: described('What was wrong here, and what to do.', z.string()),
    faults: described('Errors of the body, all at once.', z.array(fault)).optional(),
    generation: described('The newer generation that has the name.', z.int()).optional(),
    error: z
      .enum(codes)
      .meta({ description: 'The form before problem details; read `type`.', deprecated: true }),
    message: z
      .string()
      .meta({ description: 'The form before problem details; read `detail`.', deprecated: true }),
  }),
);

/** A refusal as clients get it. */
export type ProblemDetails = z.infer<typeof problem>;

/** The problem of a kind; `detail`: what was wrong and what to do. */
export function problemOf(
  kind: ProblemKind,
  detail: string,
  more: Pick<ProblemDetails, 'faults' | 'generation'> = {},
): ProblemDetails {
  const { status, title } = problemKinds[kind];
  // Version 0.1.0 had one code for both.
  const before = kind === 'unauthorized' ? 'forbidden' : kind;
  const error = codes.find((code) => code === before) ?? 'invalid';
  return { type: `tag:isthmus.dev,2026:${kind}`, title, status, detail, ...more, error, message: detail };
}
