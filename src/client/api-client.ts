import { MeshError, type MeshErrorCode } from '../base/error.ts';
import type { Answer, Body, QueryInput } from '../contract/contract.ts';
import { mayAnswer, type OperationId, operations, type PathParameters } from '../contract/operations.ts';
import type { ProblemDetails } from '../contract/problem.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { callHttp, type HttpAnswer, openConnections, wholeTimes } from './answers/http-call.ts';
import { noAnswerOf } from './answers/no-answer.ts';
import { noteAnswer } from './answers/wrong-answer.ts';

/** A control plane's refusal. */
interface Refused {
  readonly isRefused: true;
  readonly status: number;
  /** The reason, and what to do. */
  readonly detail: string;
  /** The newer generation that has the name of an instance. */
  readonly generation?: number;
}

/** The answer to an operation: by its contract, or a refusal. */
export type Reply<Id extends OperationId> = (Answer<Id> & { readonly isRefused: false }) | Refused;

/** A part of a call, required if its operation has it. */
type Part<Name extends string, Value> = [Value] extends [never]
  ? unknown
  : Record<never, never> extends Value
    ? { readonly [Key in Name]?: Value }
    : { readonly [Key in Name]: Value };

/** The input of an operation. Times in milliseconds. */
type ApiCall<Id extends OperationId> = {
  readonly timeoutMs: number;
  /** For how long of that the control plane may hold its answer on purpose; absent: not at all. */
  readonly heldMs?: number;
  readonly signal?: AbortSignal;
} & Part<'path', PathParameters<Id>> &
  Part<'query', QueryInput<Id>> &
  Part<'body', Body<Id>>;

/** A client of a control plane's admin API. */
export interface ApiClient {
  /**
   * Any status resolves; throws MeshError `unavailable` without a complete answer within `timeoutMs`. A GET
   * may return much: it may take three times that, without a pause longer than `timeoutMs`. One that gives no
   * sign of life is given up earlier (`lifeLimits`). The answer has the fields that tell it from a foreign
   * server's (`answerSigns`); beyond them it is assumed to match its contract.
   */
  call<Id extends OperationId>(id: Id, call: ApiCall<Id>): Promise<Reply<Id>>;
  close(): Promise<void>;
}

/** The address of the control plane, and the token. */
export interface ClientOptions {
  readonly admin: ListenAddress;
  readonly token: string | undefined;
  /** Whether a control plane that gives no sign of life is waited for as long as any other. Default false. */
  readonly isPatient?: boolean;
}

/** The untyped form of a call. */
interface AnyCall {
  readonly timeoutMs: number;
  readonly heldMs?: number;
  readonly signal?: AbortSignal;
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
}

/** Creates a client; connects on first use. */
export function createApiClient({ admin, token, isPatient = false }: ClientOptions): ApiClient {
  // Two connections: a call that waits for ACKs must not delay a renewal.
  let opened: ReturnType<typeof openConnections> | undefined;

  async function ask(id: OperationId, asked: AnyCall): Promise<HttpAnswer> {
    const { body, timeoutMs, heldMs = 0, signal, ...call } = asked;
    const { method } = operations[id];
    const text = body === undefined ? undefined : JSON.stringify(body);
    opened ??= openConnections(admin, 2);
    try {
      return await callHttp({
        at: admin,
        method,
        path: targetOf(id, call),
        silenceMsMax: timeoutMs,
        wholeMsMax: method === 'GET' ? wholeTimes * timeoutMs : timeoutMs,
        connections: await opened,
        ...(isPatient ? {} : { heldMs }),
        ...(signal === undefined ? {} : { signal }),
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(text === undefined ? {} : { body: text }),
      });
    } catch (cause) {
      throw noAnswerOf(admin, cause);
    }
  }

  return {
    async call<Id extends OperationId>(id: Id, call: ApiCall<Id>): Promise<Reply<Id>> {
      const { status, text } = await ask(id, call);
      let body: unknown;
      try {
        body = JSON.parse(text);
      } catch (cause) {
        const message = `${showAddress(admin)} answers ${status} without JSON: it is not the admin address of a control plane`;
        throw new MeshError('unavailable', message, { cause });
      }
      if (status >= 300) return refusedBy(status, body, token);
      if (!mayAnswer(id, body)) throw new MeshError('unavailable', foreignText(admin, operations[id].path));
      noteAnswer({ admin: showAddress(admin), id, status, body });
      return { isRefused: false, status, body } as unknown as Reply<Id>;
    },
    close: async () => (await opened)?.destroy(),
  };
}

/**
 * Asks a control plane once, without a token, on a connection of its own. Throws MeshError `unavailable`
 * without an answer; at a refusal with the code of `codes` for its status, else `unavailable`.
 */
export async function askOnce<Id extends OperationId>(
  admin: ListenAddress,
  id: Id,
  call: ApiCall<Id>,
  codes: Readonly<Record<number, MeshErrorCode>> = {},
): Promise<Answer<Id>['body']> {
  const client = createApiClient({ admin, token: undefined });
  try {
    const reply = await client.call(id, call);
    if (reply.isRefused) throw new MeshError(codes[reply.status] ?? 'unavailable', reply.detail);
    return reply.body;
  } finally {
    await client.close();
  }
}

/** The message of an answer that no control plane gives. */
export function foreignText(admin: ListenAddress, path: string): string {
  return `${showAddress(admin)} is not the admin address of a control plane, or of one of another version: its answer to ${path} is of another kind. Give its address with --admin`;
}

/** The message of a refusal. */
export function refusalOf({ status, detail }: Refused): string {
  return `${detail} (HTTP ${status})`;
}

/** Longest reason of a refusal that is shown, in characters: far above those of a control plane. */
const detailMax = 10_000;

/** The reason of a refusal, as far as it is shown. */
export function cutDetail(detail: string): string {
  const more = detail.length - detailMax;
  return more > 0 ? `${detail.slice(0, detailMax)}… (${more} characters more)` : detail;
}

/** A refusal: problem details, or the form of version 0.1.0. A server that is not ours may echo the token. */
function refusedBy(status: number, body: unknown, token: string | undefined): Refused {
  const { detail, message, generation } = (body ?? {}) as Partial<ProblemDetails>;
  const given = detail ?? message;
  const words = typeof given === 'string' ? given : 'no reason given';
  return {
    isRefused: true,
    status,
    detail: cutDetail(token === undefined ? words : words.replaceAll(token, '(the token)')),
    ...(typeof generation === 'number' ? { generation } : {}),
  };
}

/** An operation's path with parameters and query. */
function targetOf(id: OperationId, { path = {}, query = {} }: Pick<AnyCall, 'path' | 'query'>): string {
  const target = operations[id].path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(path[name] ?? ''),
  );
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  const search = new URLSearchParams(given).toString();
  return search === '' ? target : `${target}?${search}`;
}
