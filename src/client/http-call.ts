import type { Dispatcher } from 'undici';
import { systemClock } from '../base/clock.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';

/** A complete answer. */
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
  /** Longest time without a byte, before and within the answer. Milliseconds. */
  readonly silenceMsMax: number;
  /**
   * Longest time for the complete answer, against slow senders. Milliseconds; absent: `wholeTimes` ×
   * `silenceMsMax`.
   */
  readonly wholeMsMax?: number;
  /** Pooled connections (`openConnections`); absent: a new one. */
  readonly connections?: Dispatcher;
  /** Aborts the call. */
  readonly signal?: AbortSignal;
}

/** The sign of an HTTP/2-only port, such as xDS. */
const noHttp = 'the server there does not speak HTTP/1.1; the address of --xds is not that of --admin';

/** Connect timeout, in milliseconds. */
const connectMsMax = 2_000;

/** Largest answer read, in bytes: some 250,000 registrations. Limits memory against endless answers. */
const answerBytesMax = 64 * 2 ** 20;

/** Factor of the time limits of a complete answer and of silence. */
export const wholeTimes = 3;

/** A pool of up to `count` connections to a server, opened on use. `destroy` closes them. */
export async function openConnections(at: ListenAddress, count: number): Promise<Dispatcher> {
  // Loaded on demand: commands without requests start faster.
  const { Pool } = await import('undici');
  return new Pool(`http://${showAddress(at)}`, {
    connections: count,
    connectTimeout: connectMsMax,
    maxResponseSize: answerBytesMax,
  });
}

/**
 * Sends a request and reads its answer; any status resolves. Rejects with an Error with the reason if there
 * is none.
 */
export async function callHttp({ connections, silenceMsMax, ...call }: HttpCall): Promise<HttpAnswer> {
  const { at, method = 'GET', path, headers, body, signal, wholeMsMax = wholeTimes * silenceMsMax } = call;
  const dispatcher = connections ?? (await openConnections(at, 1));
  const late = new AbortController();
  const timer = systemClock.after(wholeMsMax, () => {
    late.abort(new Error(`its answer is incomplete after ${wholeMsMax / 1_000} s`));
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
