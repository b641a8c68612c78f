import type { Pool } from 'undici';
import { operations } from '../../contract/operations.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import { NoAnswer, SilenceWatch } from './silence.ts';

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
  /**
   * The server is a control plane, which may hold its answer for so long on purpose: beyond that, one that
   * gives no sign of life is given up earlier (`lifeLimits`). Milliseconds; absent: not looked for.
   */
  readonly heldMs?: number;
  /** Pooled connections (`openConnections`); absent: a new one. */
  readonly connections?: Pool;
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
export async function openConnections(at: ListenAddress, count: number): Promise<Pool> {
  // Loaded on demand: commands without requests start faster.
  const { Pool: Connections } = await import('undici');
  return new Connections(`http://${showAddress(at)}`, {
    connections: count,
    connectTimeout: connectMsMax,
    maxResponseSize: answerBytesMax,
  });
}

/**
 * Sends a request and reads its answer; any status resolves. Rejects with a NoAnswer, which has the reason,
 * if there is none.
 */
export async function callHttp({ connections, silenceMsMax, ...call }: HttpCall): Promise<HttpAnswer> {
  const { at, method = 'GET', path, headers, body, signal, wholeMsMax = wholeTimes * silenceMsMax } = call;
  const dispatcher = connections ?? (await openConnections(at, 1));
  const watch = new SilenceWatch({
    ...{ silenceMsMax, wholeMsMax, isConnected: () => dispatcher.stats.connected > 0 },
    ...(call.heldMs === undefined ? {} : { life: { heldMs: call.heldMs, isAlive: signOfLife(at) } }),
  });
  try {
    const answer = await dispatcher.request({
      method,
      path,
      headersTimeout: 0,
      bodyTimeout: 0,
      ...(headers && { headers }),
      ...(body !== undefined && { body }),
      signal: signal === undefined ? watch.signal : AbortSignal.any([signal, watch.signal]),
    });
    watch.heard();
    const decoder = new TextDecoder();
    let text = '';
    for await (const part of answer.body) {
      watch.heard();
      text += decoder.decode(part, { stream: true });
    }
    return { status: answer.statusCode, text: text + decoder.decode() };
  } catch (error) {
    throw noAnswer(error);
  } finally {
    watch.close();
    if (connections === undefined) await dispatcher.destroy();
  }
}

/** What asks a control plane for a sign of life: any answer is one, and so is a connection that it ends. */
function signOfLife(at: ListenAddress) {
  return async (withinMs: number, signal: AbortSignal): Promise<boolean> => {
    const probe = { at, path: operations.getLive.path, silenceMsMax: withinMs, wholeMsMax: withinMs, signal };
    return callHttp(probe).then(
      () => true,
      (reason) => !(reason instanceof NoAnswer) || !reason.isSilence,
    );
  };
}

/** Why there is no answer, in words for users. */
function noAnswer(error: unknown): NoAnswer {
  if (error instanceof NoAnswer) return error;
  const { name, code = '', message } = error as NodeJS.ErrnoException;
  if (name === 'HTTPParserError') return new NoAnswer(noHttp, { cause: error });
  const isLate = name === 'ConnectTimeoutError';
  const words = isLate ? `it has not accepted the connection for ${connectMsMax / 1_000} s` : message;
  return new NoAnswer(words, { isAway: isLate || awayCodes.includes(code), cause: error });
}

/** Errors of a connection that nobody accepts. */
const awayCodes: readonly string[] = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'];
