import { MeshError } from '../base/error.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { callHttp, type HttpAnswer, openConnections, wholeTimes } from './http-call.ts';

/** An answer of a JSON API. */
export interface ClientAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** How one request is made. Times in milliseconds. */
export interface CallOptions {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A client of a control plane's admin interface. */
export interface JsonClient {
  /**
   * Any status resolves; throws MeshError `unavailable` when no whole answer comes within `timeoutMs`. What GET asks for may be long: it
   * may take three times that, as long as it never pauses for `timeoutMs`.
   */
  call(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, options: CallOptions): Promise<ClientAnswer>;
  close(): Promise<void>;
}

/** Where the control plane is, and with what right it is asked. */
export interface ClientOptions {
  readonly admin: ListenAddress;
  readonly token: string | undefined;
}

/** Creates a client; connects when it is first used. */
export function createJsonClient({ admin, token }: ClientOptions): JsonClient {
  // A call that waits for ACKs must not hold up a renewal: two connections.
  let opened: ReturnType<typeof openConnections> | undefined;
  return {
    async call(method, path, { query = {}, body, timeoutMs, signal }) {
      const set = Object.entries(query).filter(([, value]) => value !== undefined);
      const texts = Object.fromEntries(set.map(([name, value]) => [name, String(value)]));
      const search = new URLSearchParams(texts).toString();
      const text = body === undefined ? undefined : JSON.stringify(body);
      let answer: HttpAnswer;
      opened ??= openConnections(admin, 2);
      try {
        answer = await callHttp({
          at: admin,
          method,
          path: `${path}${search === '' ? '' : `?${search}`}`,
          silenceMsMax: timeoutMs,
          wholeMsMax: method === 'GET' ? wholeTimes * timeoutMs : timeoutMs,
          connections: await opened,
          ...(signal === undefined ? {} : { signal }),
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(text === undefined ? {} : { body: text }),
        });
      } catch (cause) {
        const message = `the control plane at ${showAddress(admin)} does not answer: ${(cause as Error).message}`;
        throw new MeshError('unavailable', message, { cause });
      }
      try {
        return { status: answer.status, body: JSON.parse(answer.text) };
      } catch (cause) {
        const message = `${showAddress(admin)} answers ${answer.status} and no JSON: it is no admin address of a control plane`;
        throw new MeshError('unavailable', message, { cause });
      }
    },
    close: async () => (await opened)?.destroy(),
  };
}

/** The words of an answer that refuses. */
export function refusalOf({ status, body }: ClientAnswer): string {
  return `${typeof body.message === 'string' ? body.message : 'no reason given'} (HTTP ${status})`;
}
