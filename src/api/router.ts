import { METHODS } from 'node:http';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  fastify,
} from 'fastify';
import { peerOfAddress } from '../base/fair-slots.ts';
import { contract } from '../contract/contract.ts';
import type { Operation } from '../contract/operation.ts';
import { type OperationId, operations } from '../contract/operations.ts';
import { problemType } from '../contract/problem.ts';
import { type AdmissionRules, admitRequest, unknownPath } from './admit-request.ts';
import type { ApiRequest, Handlers } from './handlers.ts';
import type { PageTurns } from './pages/page-turns.ts';
import { type RawQuery, readQuery, splitQuery } from './query.ts';
import { readJson } from './read-json.ts';
import { bodyBytesMax, printJson, problemFrom, refusalFrom } from './refusal.ts';

/** Options of the router. */
interface RouterOptions extends AdmissionRules {
  readonly handlers: Handlers;
  readonly turns: PageTurns;
}

/** The part of the library's options that creates its HTTP server and handles invalid requests. */
type ServerParts = Pick<FastifyServerOptions, 'serverFactory' | 'clientErrorHandler'>;

/** Names in a path are limited by Node's limit of a request's head. */
const parameterCharactersMax = 16_384;

/**
 * The router of the admin API: a route for each operation of the contract. Refusals in order: 404 and 405,
 * operations that are off, 401, 403, content type, body, query; all before the handler, as problem details.
 */
export function createRouter(options: RouterOptions, server: ServerParts): FastifyInstance {
  const app = fastify({
    ...server,
    logger: false,
    forceCloseConnections: true,
    return503OnClosing: false,
    bodyLimit: bodyBytesMax,
    frameworkErrors: (error, request, reply) => refuse(error, request, reply),
    routerOptions: {
      maxParamLength: parameterCharactersMax,
      querystringParser: splitQuery,
    },
    // The contract has the schemas, and answers are not filtered: the library's compilers are not loaded.
    schemaController: {
      compilersFactory: {
        buildValidator: unused as never,
        buildSerializer: unused as never,
      },
    },
  });
  app.setErrorHandler(refuse);
  app.setNotFoundHandler((request) => {
    throw unknownPath(request);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, text, done) => {
    try {
      done(null, takesBody(request) ? readJson(String(text)) : undefined);
    } catch (reason) {
      done(reason as Error);
    }
  });
  app.addHook('onRequest', async (request) => admitRequest(request, options));
  for (const id of Object.keys(operations) as OperationId[]) addRoute(app, id, options);
  refuseOtherMethods(app);
  return app;
}

/** A route at each path for the methods that it does not take: `admitRequest` refuses them with 405. */
function refuseOtherMethods(app: FastifyInstance): void {
  for (const method of METHODS) if (!app.supportedMethods.includes(method)) app.addHttpMethod(method);
  const byPath = Map.groupBy(Object.values(operations), ({ path }) => path);
  for (const [path, all] of byPath) {
    const taken = all.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    app.route({
      method: METHODS.filter((method) => !taken.includes(method)),
      url: urlOf(path),
      config: { allow: taken.join(', ') },
      handler: (request) => Promise.reject(unknownPath(request)),
    });
  }
}

/** A path of the contract as the router writes it. */
function urlOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** Replaces the library's compilers. */
const unused = () => () => {
  throw new Error('routes have no schemas of the server library');
};

function addRoute<Id extends OperationId>(app: FastifyInstance, id: Id, options: RouterOptions): void {
  const operation: Operation = contract[id];
  const { method, path } = operations[id];
  app.route({
    method,
    url: urlOf(path),
    config: { operationId: id },
    async handler(request, reply) {
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      // The client may have disconnected while its body was read.
      if (reply.raw.destroyed) gone.abort();
      const from = request.raw.socket.remoteAddress;
      const make = () =>
        options.handlers[id]({
          path: request.params as ApiRequest<Id>['path'],
          query: readQuery(operation, request.query as RawQuery) as ApiRequest<Id>['query'],
          ...{ body: request.body, from, signal: gone.signal },
        });
      const answer = await (operation.isDear
        ? options.turns.make(peerOfAddress(from ?? ''), () => !gone.signal.aborted, make)
        : make());
      closeUnread(request, reply);
      reply.code(answer.status as number);
      if (typeof answer.body === 'string')
        return reply.type(answer.type ?? 'text/plain; charset=utf-8').send(answer.body);
      return reply.type('application/json').serializer(printJson).send(answer.body);
    },
  });
}

function takesBody(request: FastifyRequest): boolean {
  const id = request.routeOptions.config.operationId;
  return id !== undefined && (contract[id] as Operation).body !== undefined;
}

function refuse(reason: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = refusalFrom(reason);
  const problem = problemFrom(refusal);
  closeUnread(request, reply);
  return reply
    .code(problem.status)
    .headers(refusal.headers)
    .type(problemType)
    .serializer(printJson)
    .send(problem);
}

/** Does not wait for the rest of a request that was answered already. */
function closeUnread(request: FastifyRequest, reply: FastifyReply): void {
  if (!request.raw.complete) reply.header('connection', 'close');
}
