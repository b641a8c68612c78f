import { lookup } from 'node:dns/promises';
import {
  createServer as createHttp2,
  createSecureServer as createSecureHttp2,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net';
import { MeshError } from '../../base/error.ts';
import { wordsOfFailure } from '../../base/system-error.ts';
import { Admission, type AdmissionOptions } from '../admission/admission.ts';

/** Certificates in PEM: the server's own, and the authorities that clients must be signed by. */
export interface TlsOptions {
  readonly certificate: string | Uint8Array;
  readonly privateKey: string | Uint8Array;
  /** With it, a client without an accepted certificate is refused in the handshake. */
  readonly clientCa?: string | Uint8Array;
}

/** Where connections come in. */
interface Listener {
  readonly port: number;
  readonly admission: Admission;
  /** The HTTP/2 connections that are there. */
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  /** Takes no more connections. */
  stop(): void;
}

/** What becomes of connections and streams that are let in. */
interface ListenerOptions extends Pick<AdmissionOptions, 'clock' | 'limits' | 'turnedAway'> {
  began(session: ServerHttp2Session): void;
  opened(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
}

/**
 * Listens for HTTP/2, with TLS if given. `address`: `host:port`; a name is listened on at all its addresses.
 * Throws MeshError 'unavailable' when one cannot be bound, 'invalid' where the certificates are none.
 */
export async function openListener(
  tls: TlsOptions | undefined,
  address: string,
  options: ListenerOptions,
): Promise<Listener> {
  const server = http2Server(tls, options.limits.connectionStreamsMax);
  const admission = new Admission({
    ...options,
    isPlain: tls === undefined,
    inject(socket) {
      server.emit('connection', socket);
      socket.resume();
    },
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    admission.began(session);
    options.began(session);
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    if (admission.opened(stream)) options.opened(stream, headers);
  });
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  const listening: NetServer[] = [];
  const stop = () => {
    for (const one of listening) one.close();
  };
  let bound = Number(port);
  try {
    for (const one of await lookup(host.replace(/^\[(.*)\]$/, '$1'), { all: true })) {
      const made = createServer({ pauseOnConnect: true, noDelay: true }, (socket) =>
        admission.connected(socket),
      );
      listening.push(made);
      bound = await bind(made, one.address, bound);
    }
  } catch (cause) {
    stop();
    throw new MeshError(
      'unavailable',
      `cannot listen on ${address}: ${wordsOfFailure(cause)}; give another address, or stop what is there`,
      { cause, ref: address },
    );
  }
  return { port: bound, admission, sessions, stop };
}

function bind(server: NetServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4_096 }, () => {
      server.off('error', reject);
      // Such as that there are no more files: the others are served on.
      server.on('error', () => {});
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** An HTTP/2 server that is given its sockets by its event 'connection', which Node documents for that. */
function http2Server(
  tls: TlsOptions | undefined,
  maxConcurrentStreams: number,
): Http2Server | Http2SecureServer {
  const common = {
    settings: { maxConcurrentStreams },
    // What streams and connections may hold is bounded by `intake.ts` and `read-gate.ts`, by ending who holds
    // most: Node's own limit refuses whoever comes next.
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
    maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
  };
  if (tls === undefined) return createHttp2(common);
  try {
    const pair = { cert: Buffer.from(tls.certificate), key: Buffer.from(tls.privateKey) };
    const clients = tls.clientCa !== undefined && { ca: Buffer.from(tls.clientCa), requestCert: true };
    const server = createSecureHttp2({ ...common, ...pair, ...clients });
    // Until HTTP/2 has it, and after: whatever goes wrong on a connection ends it.
    server.on('secureConnection', (socket) => socket.on('error', () => {}));
    return server;
  } catch (cause) {
    throw new MeshError('invalid', `no TLS with this certificate and key: ${wordsOfFailure(cause)}`, {
      cause,
    });
  }
}
