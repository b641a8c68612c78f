import type { IncomingMessage } from 'node:http';
import { MeshError } from '../../base/error.ts';
import { isMap } from '../../base/raw-map.ts';

/** A request to a certificate authority. */
type CaRequest =
  | { readonly op: 'bundle' }
  | { readonly op: 'join'; readonly token: string; readonly request: string }
  | { readonly op: 'renew'; readonly request: string }
  | { readonly op: 'seen'; readonly bundle: string };

/** A request for a P-256 key has 400 bytes. */
const bodyBytesMax = 16 * 1024;

/** Reads a request. Throws MeshError `not-found`, `invalid` or `exhausted`. */
export async function readCall(request: IncomingMessage): Promise<CaRequest> {
  const { method, url } = request;
  const asked = `${method} ${url}`;
  if (asked === 'GET /v1/bundle') return { op: 'bundle' };
  const ops: Readonly<Record<string, 'join' | 'renew' | 'seen'>> = {
    'POST /v1/join': 'join',
    'POST /v1/renew': 'renew',
    'POST /v1/seen': 'seen',
  };
  const op = Object.hasOwn(ops, asked) ? ops[asked] : undefined;
  if (op === undefined)
    throw new MeshError(
      'not-found',
      'an authority knows GET /v1/bundle, POST /v1/join, /v1/renew and /v1/seen',
    );
  const body = parseBody(await readBody(request));
  switch (op) {
    case 'join':
      return { op, token: textOf(body, 'token'), request: textOf(body, 'request') };
    case 'renew':
      return { op, request: textOf(body, 'request') };
    case 'seen':
      return { op, bundle: textOf(body, 'bundle') };
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > bodyBytesMax)
      throw new MeshError('exhausted', `the body has more than ${bodyBytesMax} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parseBody(text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text);
    if (isMap(body)) return body;
  } catch {
    // As one that is JSON and no object.
  }
  throw new MeshError('invalid', 'the body is not a JSON object');
}

function textOf(body: Record<string, unknown>, field: string): string {
  const value = body[field];
  if (typeof value === 'string' && value !== '') return value;
  throw new MeshError('invalid', `the body has no ${field}`);
}
