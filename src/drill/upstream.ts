import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { machineClock } from './time.ts';

/** An instance of a Group: a real HTTP server that says who it is and writes down each request. */
export interface UpstreamOptions {
  readonly instance: string;
  readonly idc: string;
  /** Where it listens: a unix socket, so that nothing but the sidecar beside it can reach it. */
  readonly socketPath: string;
  /** Where each request is appended, synchronously, before it is answered. */
  readonly logFile: string;
  /** How long it works on each request, in milliseconds; default 0. */
  readonly workMs?: number;
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
  const { workMs = 0 } = options;
  const log = openUpstreamLog(options.logFile);
  // A killed predecessor leaves its socket file behind.
  rmSync(options.socketPath, { force: true });
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const id = String(request.headers['x-drill-id'] ?? '');
    const leaked = Object.keys(request.headers).filter((name) => name.startsWith('x-isthmus-'));
    log.append({ id, method: request.method ?? '', path, leaked });
    const reply = () => answer(response, path, { id, instance: options.instance, idc: options.idc });
    if (workMs > 0 && path === '/') machineClock.after(workMs, reply);
    else reply();
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

function answer(response: ServerResponse, path: string, identity: Identity): void {
  switch (path) {
    case '/':
      json(response, 200, identity, identity);
      return;
    case '/healthz':
      json(response, 200, { ok: true }, identity);
      return;
    default:
      json(response, 404, { ...identity, error: `no ${path} here` }, identity);
  }
}

function json(response: ServerResponse, status: number, body: unknown, { instance, idc }: Identity): void {
  const text = JSON.stringify(body);
  // Names and values by turn: node:http then writes them as they are, and keeps no map of them.
  response.writeHead(status, [
    'x-drill-instance',
    instance,
    'x-drill-idc',
    idc,
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(text)),
  ]);
  response.end(text);
}
