import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { systemClock } from '../base/clock.ts';
import { machineClock } from './time.ts';

/** An instance of a Group: a real HTTP server that says who it is and writes down each request. */
export interface UpstreamOptions {
  readonly instance: string;
  readonly idc: string;
  /** Where it listens: a unix socket, so that nothing but the sidecar beside it can reach it. */
  readonly socketPath: string;
  /** Where each request is appended, synchronously, before it is answered. */
  readonly logFile: string;
}

/** What an instance writes down for each request that reaches it: one JSON line. */
export interface UpstreamEntry {
  /** Milliseconds of the machine's monotonic clock. */
  readonly at: number;
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** Names of `x-isthmus-*` headers that reached the application: must be none. */
  readonly leaked: readonly string[];
}

/** Opens the log of an instance; the returned function appends one entry and returns when the kernel has it. */
export function openUpstreamLog(file: string): {
  append(entry: Omit<UpstreamEntry, 'at'>): void;
  close(): void;
} {
  const fd = openSync(file, 'a');
  return {
    append(entry) {
      // Synchronous, so that a kill -9 right after the answer cannot lose the entry.
      writeSync(fd, `${JSON.stringify({ at: Math.round(machineClock.now() * 1000) / 1000, ...entry })}\n`);
    },
    close: () => closeSync(fd),
  };
}

/** Starts an instance; resolves when it listens. Rejects when the socket cannot be bound. */
export function startUpstream(options: UpstreamOptions): Promise<Server> {
  const log = openUpstreamLog(options.logFile);
  // A killed predecessor leaves its socket file behind.
  rmSync(options.socketPath, { force: true });
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://instance');
    const id = String(request.headers['x-drill-id'] ?? '');
    const leaked = Object.keys(request.headers).filter((name) => name.startsWith('x-isthmus-'));
    log.append({ id, method: request.method ?? '', path: url.pathname, leaked });
    response.setHeader('x-drill-instance', options.instance);
    response.setHeader('x-drill-idc', options.idc);
    answer(request, response, url, { id, instance: options.instance, idc: options.idc });
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

type Identity = { readonly id: string; readonly instance: string; readonly idc: string };

function answer(request: IncomingMessage, response: ServerResponse, url: URL, identity: Identity): void {
  switch (url.pathname) {
    case '/':
      json(response, 200, identity);
      return;
    case '/healthz':
      json(response, 200, { ok: true });
      return;
    case '/slow': {
      const delayMs = Number(url.searchParams.get('ms') ?? 0);
      systemClock.after(delayMs, () => json(response, 200, { ...identity, delayMs }));
      return;
    }
    case '/echo':
      response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'text/plain' });
      request.pipe(response);
      return;
    case '/sse':
      events(response, Number(url.searchParams.get('seconds') ?? 1));
      return;
    default:
      json(response, 404, { ...identity, error: `no ${url.pathname} here` });
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Two events a second, numbered, then one named `end`: a stream that was cut shows at its reader. */
function events(response: ServerResponse, seconds: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const count = Math.round(seconds * 2);
  let sent = 0;
  const next = () => {
    if (response.destroyed) return;
    response.write(`id: ${sent}\ndata: ${sent}\n\n`);
    sent += 1;
    if (sent <= count) systemClock.after(500, next);
    else response.end('event: end\ndata: end\n\n');
  };
  next();
}
