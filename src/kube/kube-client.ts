import type http2 from 'node:http2';
import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { KubeAccess } from './config/kube-access.ts';
import { type ConnectionTiming, createKubeConnection, unreached } from './kube-connection.ts';
import { type KubeRefusal, kubeError, readRefusal } from './kube-failure.ts';

/** What is done to which resource: what messages name, and what a role must allow. */
export interface KubeAction {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
  /** '' for the core group. */
  readonly group: string;
  /** The plural, with a subresource: `workloadentries/status`. Absent: what any user may read (discovery). */
  readonly resource?: string;
}

/** A request. */
interface KubeRequest {
  readonly action: KubeAction;
  /** With its query, from `/api` or `/apis` on. */
  readonly path: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  /** Of the body; absent: JSON. */
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}

/** A client of one API server. */
export interface KubeClient {
  /** Where it leads, for messages. */
  readonly origin: string;
  readonly server: string;
  /**
   * The JSON of an answer. Rejects with MeshError: `kubeError` of what was refused, `unavailable` if nothing
   * answers.
   */
  json(request: KubeRequest): Promise<unknown>;
  /** The body of a watch, as it comes. Rejects as `json` does. */
  stream(request: KubeRequest): Promise<AsyncIterable<Buffer>>;
  /** Ends all requests. */
  close(): void;
}

/** Longest time until an answer begins, in milliseconds: busy servers take long; pings tell of dead ones. */
const answerMs = 60_000;

/** Creates a client; connects with the first request. */
export function createKubeClient(
  access: KubeAccess,
  { clock, timing }: { readonly clock: Clock; readonly timing?: ConnectionTiming | undefined },
): KubeClient {
  const connection = createKubeConnection(access, clock, timing);

  async function send(request: KubeRequest): Promise<Answer> {
    const { path, method = 'GET', body, contentType = 'application/json', signal } = request;
    signal?.throwIfAborted();
    const authorization = await access.credentials.authorization();
    const headers = {
      ...{ ':method': method, ':path': path, accept: 'application/json', 'user-agent': 'isthmus' },
      ...(authorization !== undefined && { authorization }),
      ...(body !== undefined && { 'content-type': contentType }),
    };
    const stream = await connection.request(headers, body !== undefined);
    if (body !== undefined) stream.end(JSON.stringify(body));
    return answerOf(stream, access, clock, signal);
  }

  /** Once more after a 401: the token may have been replaced a moment ago. */
  async function open(request: KubeRequest): Promise<Answer> {
    let answer = await send(request);
    if (answer.status === 401) {
      answer.stream.close();
      access.credentials.refused();
      answer = await send(request);
    }
    if (answer.status < 300) return answer;
    const refusal = readRefusal(answer.status, await textOf(answer, access), answer.retryAfter);
    throw refusalError(refusal, request.action, access);
  }

  return {
    origin: access.origin,
    server: access.server.origin,
    async json(request) {
      const answer = await open(request);
      const text = await textOf(answer, access);
      try {
        return JSON.parse(text);
      } catch (cause) {
        const message = `${access.server.origin}: the answer to ${nameOf(request.action)} is not whole JSON`;
        throw new MeshError('unavailable', message, { ref: access.origin, cause });
      }
    },
    async stream(request) {
      const { stream } = await open(request);
      return bodyOf(stream, access);
    },
    close: () => connection.close(),
  };
}

/** The beginning of an answer. */
interface Answer {
  readonly stream: http2.ClientHttp2Stream;
  readonly status: number;
  readonly retryAfter?: string;
}

function answerOf(
  stream: http2.ClientHttp2Stream,
  access: KubeAccess,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const cancel = () => stream.close();
  signal?.addEventListener('abort', cancel, { once: true });
  stream.once('close', () => signal?.removeEventListener('abort', cancel));
  return new Promise((resolve, reject) => {
    let cause: unknown;
    // Stays: an error after the answer has begun is thrown to whoever reads the body.
    stream.on('error', (reason) => {
      cause = reason;
    });
    const timer = clock.after(answerMs, () => {
      cause = new Error(`it has not answered a request for ${answerMs / 1000} s`);
      stream.close();
    });
    stream.once('close', () => {
      timer.cancel();
      reject(unreached(access, cause ?? new Error('it closed the connection')));
    });
    stream.once('response', (headers) => {
      timer.cancel();
      const retryAfter = headers['retry-after'];
      resolve({ stream, status: headers[':status'] ?? 0, ...(retryAfter && { retryAfter }) });
    });
  });
}

async function* bodyOf(stream: http2.ClientHttp2Stream, access: KubeAccess): AsyncIterable<Buffer> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (cause) {
    throw unreached(access, cause);
  } finally {
    stream.close();
  }
}

async function textOf({ stream }: Answer, access: KubeAccess): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of bodyOf(stream, access)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** An action in words: `watch serviceentries.networking.istio.io`. */
function nameOf({ verb, group, resource }: KubeAction): string {
  if (resource === undefined) return `${verb} the API ${group}`;
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}`;
}

function refusalError(refusal: KubeRefusal, action: KubeAction, access: KubeAccess): MeshError {
  const what = `${access.server.origin}: ${nameOf(action)}`;
  return kubeError(refusal, what, remedyOf(refusal.status, action, access));
}

function remedyOf(status: number, action: KubeAction, access: KubeAccess): string {
  if (status === 401) return `correct or renew the credentials of ${access.origin}`;
  if (status !== 403 || action.resource === undefined) return '';
  return `add to its ClusterRole: ${roleLine(action)}`;
}

/** The rule that a role lacks. Who watches lists, too. */
function roleLine({ verb, group, resource }: KubeAction): string {
  const verbs = verb === 'list' || verb === 'watch' ? 'list, watch' : verb;
  return `{apiGroups: ["${group}"], resources: ["${resource}"], verbs: [${verbs}]}`;
}
