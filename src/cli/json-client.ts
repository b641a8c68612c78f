import { Pool } from 'undici';
import { MeshError } from '../base/error.ts';
import type { ListenAddress } from '../model/node.ts';
import { showAddress } from './address.ts';

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
  /** Any status resolves; throws MeshError `unavailable` when no answer comes within `timeoutMs`. */
  call(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, options: CallOptions): Promise<ClientAnswer>;
  close(): Promise<void>;
}

/** Where the control plane is, and with what right it is asked. */
export interface ClientOptions {
  readonly admin: ListenAddress;
  readonly token: string | undefined;
}

/** The longest answer that is read, in bytes: some 250,000 registrations. Whoever answers without an end takes no more memory. */
const answerBytesMax = 64 * 2 ** 20;

/** Creates a client; connects when it is first used. */
export function createJsonClient({ admin, token }: ClientOptions): JsonClient {
  // A call that waits for ACKs must not hold up a renewal: two connections.
  const pool = new Pool(`http://${showAddress(admin)}`, {
    connections: 2,
    connectTimeout: 2_000,
    maxResponseSize: answerBytesMax,
  });
  return {
    async call(method, path, { query = {}, body, timeoutMs, signal }) {
      const set = Object.entries(query).filter(([, value]) => value !== undefined);
      const texts = Object.fromEntries(set.map(([name, value]) => [name, String(value)]));
      const search = new URLSearchParams(texts).toString();
      let status: number;
      let text: string;
      try {
        const response = await pool.request({
          method,
          path: `${path}${search === '' ? '' : `?${search}`}`,
          ...(signal === undefined ? {} : { signal }),
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        status = response.statusCode;
        text = await response.body.text();
      } catch (cause) {
        const message = `the control plane at ${showAddress(admin)} does not answer: ${(cause as Error).message}`;
        throw new MeshError('unavailable', message, { cause });
      }
      try {
        return { status, body: JSON.parse(text) };
      } catch (cause) {
        const message = `${showAddress(admin)} answers ${status} and no JSON: it is no admin address of a control plane`;
        throw new MeshError('unavailable', message, { cause });
      }
    },
    close: () => pool.destroy(),
  };
}

/** The words of an answer that refuses. */
export function refusalOf({ status, body }: ClientAnswer): string {
  return `${typeof body.message === 'string' ? body.message : 'no reason given'} (HTTP ${status})`;
}
