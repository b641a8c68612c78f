import { type Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import type { ListenAddress } from '../model/node.ts';

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
  /** Connections that are kept; absent: one for this call alone. */
  readonly agent?: Agent;
  /** Aborts the call. */
  readonly signal?: AbortSignal;
}

/** As an xDS port, which speaks HTTP/2 alone. */
const noHttp =
  'what listens there speaks no HTTP/1.1; the address of --xds is another one than that of --admin';

/** The longest that a connection may take to open, in milliseconds. */
const connectMsMax = 2_000;

/** The longest answer that is read, in bytes: some 250,000 registrations. Whoever answers without an end takes no more memory. */
const answerBytesMax = 64 * 2 ** 20;

/**
 * Sends a request and reads its answer; any status resolves. Rejects with an Error that says why there is none. On a kept connection that
 * the server closes at that moment it is sent once more, so it must be one that may run twice.
 */
export function callHttp(call: HttpCall): Promise<HttpAnswer> {
  const { at, method = 'GET', path, headers = {}, body, silenceMsMax, agent, signal } = call;
  return new Promise((resolve, reject) => {
    const options = { host: at.address, port: at.port, method, path, headers, signal };
    const sent = request({ ...options, agent: agent ?? false });
    let hasAnswered = false;
    sent.on('response', (answer) => {
      hasAnswered = true;
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= answerBytesMax) chunks.push(chunk);
        else answer.destroy(new Error(`it answers with more than ${answerBytesMax / 2 ** 20} MiB`));
      });
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      const isStale = sent.reusedSocket && !hasAnswered && error.code === 'ECONNRESET';
      if (isStale) resolve(callHttp(call));
      else if (error.code?.startsWith('HPE_')) reject(new Error(noHttp, { cause: error }));
      else reject(error);
    });
    sent.on('socket', (socket) => {
      const end = limitSilence(socket, silenceMsMax, (why) => sent.destroy(new Error(why)));
      sent.once('close', end);
    });
    sent.end(body);
  });
}

/** Tells when nothing has come for too long; what it returns ends that. */
function limitSilence(socket: Socket, silenceMsMax: number, tell: (why: string) => void): () => void {
  const opened = () => socket.setTimeout(silenceMsMax);
  const silent = () =>
    tell(
      socket.connecting
        ? `no connection within ${connectMsMax / 1_000} s`
        : `silent for ${silenceMsMax / 1_000} s`,
    );
  if (socket.connecting) socket.setTimeout(Math.min(connectMsMax, silenceMsMax)).once('connect', opened);
  else opened();
  socket.on('timeout', silent);
  return () => {
    socket.off('timeout', silent).off('connect', opened).setTimeout(0);
  };
}
