import type { IncomingMessage } from 'node:http';
import { MeshError } from '../base/error.ts';
import { replicaPath } from '../contract/replica-path.ts';
import { type ApiReply, errorReply, readJson } from './json-api.ts';
import { failOnUnknown } from './query.ts';
import { type RegistrationContext, type Route, registrationRoutes } from './registrations.ts';

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
    failOnUnknown(url.searchParams, found.route.parameters);
    const { namespace = '', name = '' } = found.values ?? {};
    const body = found.route.method === 'PUT' ? await readJson(request) : undefined;
    return await found.route.answer(
      { key: { namespace, name }, query: url.searchParams, body, from: request.socket.remoteAddress, signal },
      context,
    );
  } catch (reason) {
    return errorReply(reason);
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
