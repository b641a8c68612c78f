import { timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { contract } from '../contract/contract.ts';
import type { Operation } from '../contract/operation.ts';
import { type OperationId, operations } from '../contract/operations.ts';
import { Refusal } from './refusal.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The operation that a route is; absent: the router's own. */
    operationId?: OperationId;
  }
}

/** By what requests are let in. */
export interface AdmissionRules {
  /** What is asked before anything else of operations with a tag: throws where they are off. */
  readonly gates: Readonly<Partial<Record<Operation['tag'], () => void>>>;
  /** The token that writes need; undefined: writes are off. */
  readonly token: string | undefined;
}

const ids = Object.keys(operations) as readonly OperationId[];

/** Lets a request in, before its body is read. Throws `Refusal` or MeshError. */
export function admitRequest(request: FastifyRequest, { gates, token }: AdmissionRules): void {
  if (request.is404) throw unknownPath(request);
  const id = request.routeOptions.config.operationId;
  if (id === undefined) return;
  const operation: Operation = contract[id];
  gates[operation.tag]?.();
  if (operation.needsToken && !isAllowed(request, token)) throw new Refusal('forbidden', whyNot(token));
  if (operation.body !== undefined) failOnOtherType(request.headers['content-type']);
}

/** The refusal of a path that there is not, or not with this method. */
export function unknownPath({ method, url }: FastifyRequest): Refusal {
  const [path = ''] = url.split('?');
  const here = ids.filter((id) => patterns[id].test(path)).map((id) => operations[id].method);
  if (here.length === 0 || here.includes(method as never))
    return new Refusal('not-found', `no such page: ${path}; / lists them`);
  const allow = here.flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : [one])).join(', ');
  return new Refusal('method-not-allowed', `${path} takes ${allow}`, { headers: { allow } });
}

const patterns = Object.fromEntries(
  ids.map((id) => [id, new RegExp(`^${operations[id].path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)]),
) as Readonly<Record<OperationId, RegExp>>;

function isAllowed(request: FastifyRequest, token: string | undefined): boolean {
  if (token === undefined) return false;
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function whyNot(token: string | undefined): string {
  return token === undefined
    ? 'writes are off: start isthmus serve with --admin-token-file'
    : 'the token is missing or another one: send Authorization: Bearer TOKEN (isthmus: --token-file), with the token of --admin-token-file of isthmus serve';
}

/**
 * What a body of JSON may be called: also what clients call a text of which they are told nothing, curl a
 * form and `fetch` plain text.
 */
const jsonTypes = /^\s*(?:application\/(?:json|[\w.-]+\+json|x-www-form-urlencoded)|text\/plain)\s*(?:;|$)/i;

function failOnOtherType(type: string | undefined): void {
  if (type === undefined || jsonTypes.test(type)) return;
  throw new Refusal(
    'unsupported-media-type',
    `the body is ${type}: send JSON, with content-type: application/json`,
  );
}
