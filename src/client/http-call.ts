import type { Dispatcher } from 'undici';
import { systemClock } from '../base/clock.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';

/** An answer, read whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** One request over HTTP/1.1. */
export interface HttpCall {
  readonly at: ListenAddress;
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Given up after so long without a byte: before the answer, and within it. Milliseconds. */
  readonly silenceMsMax: number;
  /**
   * The whole answer must be there after so long: who sends a byte now and then is not waited for.
   * Milliseconds; absent: `wholeTimes` × `silenceMsMax`.
   */
  readonly wholeMsMax?: number;
  /** Connections that are kept (`openConnections`); absent: one for this call alone. */
  readonly connections?: Dispatcher;
  /** Aborts the call. */
  readonly signal?: AbortSignal;
}

/** As an xDS port, which speaks HTTP/2 alone. */
const noHttp =
  'what listens there speaks no HTTP/1.1; the address of --xds is another one than that of --admin';

/** The longest that a connection may take to open, in milliseconds. */
const connectMsMax = 2_000;

/**
 * The longest answer that is read, in bytes: some 250,000 registrations. Whoever answers without an end takes
 * no more memory.
 */
const answerBytesMax = 64 * 2 ** 20;

/** A whole answer may take so many times as long as a silence within it. */
export const wholeTimes = 3;

/**
 * Up to `count` connections to one server, kept; they are opened when they are first used. `destroy` ends
 * them.
 */
export async function openConnections(at: ListenAddress, count: number): Promise<Dispatcher> {
  // Loaded here: a command that asks nobody starts without it.
  const { Pool } = await import('undici');
  return new Pool(`http://${showAddress(at)}`, {
    connections: count,
    connectTimeout: connectMsMax,
    maxResponseSize: answerBytesMax,
  });
}

/**
 * Sends a request and reads its answer; any status resolves. Rejects with an Error that says why there is
 * none.
 */
export async function callHttp({ connections, silenceMsMax, ...call }: HttpCall): Promise<HttpAnswer> {
  const { at, method = 'GET', path, headers, body, signal, wholeMsMax = wholeTimes * silenceMsMax } = call;
  const dispatcher = connections ?? (await openConnections(at, 1));
  const late = new AbortController();
  const timer = systemClock.after(wholeMsMax, () => {
    late.abort(new Error(`its answer is not complete after ${wholeMsMax / 1_000} s`));
  });
  try {
    const answer = await dispatcher.request({
      method,
      path,
      headersTimeout: silenceMsMax,
      bodyTimeout: silenceMsMax,
      ...(headers && { headers }),
      ...(body !== undefined && { body }),
      signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  } catch (error) {
    throw (error as Error).name === 'HTTPParserError' ? new Error(noHttp, { cause: error }) : error;
  } finally {
    timer.cancel();
    if (connections === undefined) await dispatcher.destroy();
  }
}
