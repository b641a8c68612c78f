import type { IncomingMessage } from 'node:http';
import { MeshError, type MeshErrorCode } from '../base/error.ts';
import {
  type ApiReply,
  type RegistrationContext,
  type Route,
  registrationRoutes,
} from './registration-routes.ts';
import { replicaPath } from './replica-path.ts';

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

/** Whether a path belongs to the registration API. */
export function isRegistrationPath(path: string): boolean {
  return path === replicaPath || path === '/v1/registrations' || path.startsWith('/v1/registrations/');
}

/**
 * Answers a request of the registration API; never throws. `isAllowed` says whether it may write; `why` what to do when
 * it may not. `signal` aborts when the client is gone. Without a context registrations are off.
 */
export async function answerRegistration(
  request: IncomingMessage,
  context: RegistrationContext | undefined,
  access: { readonly isAllowed: boolean; readonly why: string },
  signal: AbortSignal,
): Promise<ApiReply> {
  try {
    if (context === undefined)
      throw new MeshError(
        'not-found',
        'registrations are off: start isthmus serve with --registrations FILE',
      );
    const url = new URL(request.url ?? '/', 'http://admin');
    const here = registrationRoutes
      .map((route) => ({ route, values: match(route, url.pathname) }))
      .filter(({ values }) => values !== undefined);
    if (here.length === 0) throw new MeshError('not-found', `no such page: ${url.pathname}; / lists them`);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const found = here.find(({ route }) => route.method === method);
    if (found === undefined) {
      const methods = here.map(({ route }) => route.method).join(', ');
      return { status: 405, body: { error: 'invalid', message: `${url.pathname} takes ${methods}` } };
    }
    if (found.route.write && !access.isAllowed)
      return { status: 403, body: { error: 'forbidden', message: access.why } };
    const { namespace = '', name = '' } = found.values ?? {};
    const body = found.route.method === 'PUT' ? await readJson(request) : undefined;
    return await found.route.answer(
      { key: { namespace, name }, query: url.searchParams, body, from: request.socket.remoteAddress, signal },
      context,
    );
  } catch (reason) {
    const { code, message, ref } = MeshError.from(reason);
    // A newer life has the name: which, so that a client can be newer still.
    const newer = code === 'conflict' && ref !== undefined ? { generation: Number(ref) } : {};
    return { status: statuses[code], body: { error: code, message, ...newer } };
  }
}

/** The parameters of a path, or undefined where it is another. */
function match(route: Route, path: string): Record<string, string> | undefined {
  const wanted = route.path.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const values: Record<string, string> = {};
  for (const [position, part] of wanted.entries()) {
    const text = given[position] as string;
    if (!part.startsWith('{')) {
      if (part !== text) return undefined;
      continue;
    }
    try {
      values[part.slice(1, -1)] = decodeURIComponent(text);
    } catch {
      throw new MeshError('invalid', `'${text}' in the path is not well encoded`);
    }
  }
  return values;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
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
