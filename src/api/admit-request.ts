import { timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { contract } from '../contract/contract.ts';
import type { Operation } from '../contract/operation.ts';
import type { OperationId } from '../contract/operations.ts';
import { Refusal } from './refusal.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route's operation; absent: the router's own route. */
    operationId?: OperationId;
    /** The methods that a path takes: the route is for all others. */
    allow?: string;
  }
}

/** The rules that admit requests. */
export interface AdmissionRules {
  /** Checked first for operations with a tag: throws if they are off. */
  readonly gates: Readonly<Partial<Record<Operation['tag'], () => void>>>;
  /** The token of writes; undefined: writes are off. */
  readonly token: string | undefined;
}

/** Admits a request before its body is read. Throws `Refusal` or MeshError. */
export function admitRequest(request: FastifyRequest, { gates, token }: AdmissionRules): void {
  // Node's own refusal would have no body.
  if (request.raw.httpVersion === '1.1' && request.headers.host === undefined)
    throw new Refusal('invalid', 'the request has no Host header, which HTTP/1.1 requires: send one');
  if (request.is404) throw unknownPath(request);
  const { operationId: id, allow } = request.routeOptions.config;
  // An empty part of a path is no name.
  if (Object.values(request.params as object).includes('')) throw unknownPath(request);
  if (allow !== undefined)
    throw new Refusal('method-not-allowed', `${pathOf(request)} takes ${allow}`, { headers: { allow } });
  if (id === undefined) return;
  const operation: Operation = contract[id];
  gates[operation.tag]?.();
  if (operation.needsToken) failWithoutToken(request, token);
  if (operation.body !== undefined) failOnOtherType(request.headers['content-type']);
}

/** The refusal of a path that there is not. */
export function unknownPath(request: FastifyRequest): Refusal {
  return new Refusal('not-found', `no such page: ${pathOf(request)}; / lists them`);
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] as string;
}

/**
 * 403 while writes are off, else 401 with the challenge of RFC 6750, 3, which tells a wrong token from none.
 */
function failWithoutToken(request: FastifyRequest, token: string | undefined): void {
  if (token === undefined)
    throw new Refusal('forbidden', 'writes are off: start isthmus serve with --admin-token-file');
  // The name of the scheme is of any case (RFC 9110, 11.1).
  const [, text] = /^bearer +(.*)$/i.exec(request.headers.authorization ?? '') ?? [];
  const given = Buffer.from(text ?? '');
  const wanted = Buffer.from(token);
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  const [what, error] = text === undefined ? ['missing', ''] : ['wrong', ', error="invalid_token"'];
  throw new Refusal('unauthorized', `the token is ${what}: ${tokenWords}`, {
    headers: { 'www-authenticate': `Bearer realm="isthmus"${error}` },
  });
}

const tokenWords =
  'send Authorization: Bearer TOKEN (isthmus: --token-file), with the token of --admin-token-file of isthmus serve';

/**
 * Accepted types of a JSON body: also the defaults of clients without an explicit type, curl's form and plain
 * text of `fetch`.
 */
const jsonTypes = /^\s*(?:application\/(?:json|[\w.-]+\+json|x-www-form-urlencoded)|text\/plain)\s*(?:;|$)/i;

function failOnOtherType(type: string | undefined): void {
  if (type === undefined || jsonTypes.test(type)) return;
  throw new Refusal(
    'unsupported-media-type',
    `the body is ${type}: send JSON, with content-type: application/json`,
  );
}
