import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { answerPieces, type Call, callHeader, parseCall, receivedHeader } from '../call/call.ts';
import { createDigest } from '../call/payload.ts';
import { machineClock } from '../time.ts';
import { createGray, type GrayFate, grayPath } from './gray.ts';
import { createSlots, takeCold, type WorkSlots } from './slots.ts';
import { openUpstreamLog, type UpstreamLog } from './upstream-log.ts';
import { serveWebsocket } from './upstream-websocket.ts';

/** An instance of a Group: a real HTTP server that identifies itself in its answers and logs each request. */
export interface UpstreamOptions {
  readonly instance: string;
  readonly idc: string;
  /** Where it listens: a unix socket, so that nothing but the sidecar beside it can reach it. */
  readonly socketPath: string;
  /** Where each request is appended, synchronously, before it is answered. */
  readonly logFile: string;
  /** How long it works on a request that does not ask for a time, in milliseconds; default 0. */
  readonly workMs?: number;
  /** Concurrent calls; default no limit. Health checks do not count. */
  readonly slots?: number;
  /** A file that says how cold it starts, if it does; read once. */
  readonly coldFile?: string;
  /** What it speaks; default HTTP. */
  readonly protocol?: 'HTTP' | 'GRPC' | 'TCP';
  /** Where it listens when it speaks TCP, without a sidecar. */
  readonly listen?: ListenAddress;
}

/** Starts an instance; resolves when it listens. Rejects when the socket cannot be bound. */
export function startUpstream(options: UpstreamOptions): Promise<Server> {
  const log = openUpstreamLog(options.logFile);
  const slots = createSlots(options.slots, takeCold(options.coldFile));
  // A killed predecessor leaves its socket file behind.
  rmSync(options.socketPath, { force: true });
  const gray = createGray(1);
  const server = createServer((request, response) => {
    if (request.url === grayPath) return takeGrayness(request, response, gray.set);
    const { path, end } = begin(log, request);
    const fate = path === '/' ? gray.next() : 'served';
    if (fate !== 'served') return fail(response, fate, options, end);
    const call = parseCall(headerOf(request, callHeader));
    if (call && path === '/') serveCall(request, response, call, { ...options, workers: slots }, end);
    else serveSmall(request, response, path, options, end);
    return undefined;
  });
  server.on('upgrade', (request: IncomingMessage, socket) => {
    const { end } = begin(log, request);
    serveWebsocket(request, socket, identityHeaders(options), end);
  });
  // The sidecar pools connections; a server that closes idle ones would race with its next request.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.on('close', () => log.close());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.socketPath, () => resolve(server));
  });
}

type End = ReturnType<UpstreamLog['begin']>;

function begin(log: UpstreamLog, request: IncomingMessage): { path: string; end: End } {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const leaked = Object.keys(request.headers).filter((name) => name.startsWith('x-isthmus-'));
  const id = headerOf(request, 'x-drill-id');
  return { path, end: log.begin({ id, method: request.method ?? '', path, leaked }) };
}

function headerOf(request: IncomingMessage, name: string): string {
  return String(request.headers[name] ?? '');
}

/** Names and values in turn: node:http writes these as they are, and keeps no map of them. */
function identityHeaders({ instance, idc }: UpstreamOptions): string[] {
  return ['x-drill-instance', instance, 'x-drill-idc', idc];
}

function takeGrayness(
  request: IncomingMessage,
  response: ServerResponse,
  set: (grayness: object) => void,
): void {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (piece: string) => {
    text += piece;
  });
  request.on('end', () => {
    set(JSON.parse(text));
    response.writeHead(204).end();
  });
}

/** How a gray instance fails a request. */
function fail(
  response: ServerResponse,
  fate: Exclude<GrayFate, 'served'>,
  options: UpstreamOptions,
  end: End,
): void {
  response.on('close', () => end({ answered: response.writableFinished, received: 0, sent: 0 }));
  if (fate === 'refused') response.writeHead(503, identityHeaders(options)).end();
}

/** A request without special wishes: of a plain load, or a health check. */
function serveSmall(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  options: UpstreamOptions,
  end: End,
): void {
  const { instance, idc, workMs = 0 } = options;
  const identity = { id: headerOf(request, 'x-drill-id'), instance, idc };
  const json = (status: number, body: object) => {
    const text = JSON.stringify(body);
    const headers = ['content-type', 'application/json', 'content-length', String(Buffer.byteLength(text))];
    response.on('close', () => end({ answered: response.writableFinished, received: 0, sent: text.length }));
    response.writeHead(status, [...identityHeaders(options), ...headers]);
    response.end(text);
  };
  if (path === '/healthz') json(200, { ok: true });
  else if (path !== '/') json(404, { ...identity, error: `no ${path} here` });
  else if (workMs > 0) machineClock.after(workMs, () => json(200, identity));
  else json(200, identity);
}

/**
 * Receives a call's body, works on it, and answers as the call asks. Like most applications, it finishes work
 * that it has begun, even if the client has gone away.
 */
function serveCall(
  request: IncomingMessage,
  response: ServerResponse,
  call: Call,
  options: UpstreamOptions & { readonly workers: WorkSlots },
  end: End,
): void {
  const digest = createDigest();
  let sent = 0;
  let closed = false;
  let working = false;
  const finish = () =>
    end({ answered: response.writableFinished, received: digest.bytes, sent, digest: digestText() });
  let text: string | undefined;
  const digestText = () => {
    text ??= digest.text();
    return text;
  };
  response.on('close', () => {
    closed = true;
    if (!working) finish();
  });
  request.on('data', (piece: Buffer) => digest.add(piece));
  request.on('error', () => {});
  request.on('end', () => {
    working = true;
    options.workers.work(call.workMs, () => {
      working = false;
      if (closed) return finish();
      const id = headerOf(request, 'x-drill-id');
      const length =
        call.events || call.paced === 'answer' ? [] : ['content-length', String(call.answerBytes)];
      const type = call.events ? 'text/event-stream' : 'application/octet-stream';
      response.writeHead(200, [
        ...identityHeaders(options),
        ...[receivedHeader, digestText(), 'x-drill-id', id, 'content-type', type],
        ...length,
      ]);
      writePaced(response, call, answerPieces(call, id), (bytes) => {
        sent += bytes;
      });
    });
  });
}

/** Writes pieces as the call paces them and the connection takes them, then ends the answer. */
function writePaced(
  response: ServerResponse,
  call: Call,
  pieces: Iterator<Buffer>,
  written: (bytes: number) => void,
): void {
  const everyMs = call.paced === 'answer' ? call.everyMs : 0;
  let piece = pieces.next();
  const next = () => {
    while (!piece.done && !response.destroyed) {
      written(piece.value.length);
      const room = response.write(piece.value);
      piece = pieces.next();
      if (piece.done) break;
      if (everyMs > 0) return machineClock.after(everyMs, next);
      if (!room) return response.once('drain', next);
    }
    return response.end();
  };
  if (everyMs > 0) response.flushHeaders();
  next();
}
