import type { IncomingMessage } from 'node:http';
import { MeshError, type MeshErrorCode } from '../base/error.ts';

/** An answer: a status and JSON. */
export interface ApiReply {
  readonly status: number;
  readonly body: unknown;
}

/** The most that a body may have, in bytes. */
const bodyBytesMax = 65_536;

const statuses: Readonly<Record<MeshErrorCode, number>> = {
  invalid: 400,
  'not-found': 404,
  conflict: 409,
  unavailable: 503,
  exhausted: 429,
  late: 408,
  unsupported: 501,
  internal: 500,
};

/** The answer that an error is. */
export function errorReply(reason: unknown): ApiReply {
  const { code, message, ref } = MeshError.from(reason);
  // A newer life has the name: which, so that a client can be newer still.
  const newer = code === 'conflict' && /^[0-9]+$/.test(ref ?? '') ? { generation: Number(ref) } : {};
  return { status: statuses[code], body: { error: code, message, ...newer } };
}

/** The body of a request as JSON; undefined where there is none. Throws MeshError `invalid`. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > bodyBytesMax) throw new MeshError('invalid', `the body has more than ${bodyBytesMax} bytes`);
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch (cause) {
    throw new MeshError('invalid', `the body is no JSON: ${(cause as Error).message}`, { cause });
  }
}
