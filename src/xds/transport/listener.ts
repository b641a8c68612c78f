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
import { describeSystemError } from '../../base/system-error.ts';
import { Admission, type AdmissionOptions } from '../admission/admission.ts';

/** Certificates in PEM: the server's, and the authorities for clients' certificates. */
export interface TlsOptions {
  readonly certificate: string | Uint8Array;
  readonly privateKey: string | Uint8Array;
  /** If set, a client without an accepted certificate is refused in the handshake. */
  readonly clientCa?: string | Uint8Array;
}

/** A listening HTTP/2 server. */
interface Listener {
  readonly port: number;
  readonly admission: Admission;
  /** The open HTTP/2 connections. */
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  /** Stops accepting. */
  stop(): void;
}

/** The handlers of admitted connections and streams. */
interface ListenerOptions extends Pick<AdmissionOptions, 'clock' | 'limits' | 'turnedAway'> {
  began(session: ServerHttp2Session): void;
  opened(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
}

/**
 * Listens for HTTP/2, with TLS if given, on `address` (`host:port`; a name stands for all its addresses).
 * Throws MeshError 'unavailable' if one cannot be bound, 'invalid' if the address or the certificates
 * are not valid.
 */
export async function openListener(
  tls: TlsOptions | undefined,
  address: string,
  options: ListenerOptions,
): Promise<Listener> {
  const [host, port] = splitAddress(address);
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
  let bound = port;
  const listening: NetServer[] = [];
  const stop = () => {
    for (const one of listening) one.close();
  };
  try {
    for (const one of await lookup(host, { all: true })) {
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
      `cannot listen on ${address}: ${describeSystemError(cause)}; give another address, or stop the process that uses it`,
      { cause, ref: address },
    );
  }
  return { port: bound, admission, sessions, stop };
}

/** Host and port of an address. Throws MeshError `invalid`. */
function splitAddress(address: string): readonly [host: string, port: number] {
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(address) ?? [];
  if (host !== '' && Number(port) <= 65_535) return [host.replace(/^\[(.*)\]$/, '$1'), Number(port)];
  const message = `'${address}' is not an address to listen on: write HOST:PORT, such as 127.0.0.1:18000`;
  throw new MeshError('invalid', message, { ref: address });
}

function bind(server: NetServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4_096 }, () => {
      server.off('error', reject);
      // For example no file descriptors left: existing connections are still served.
      server.on('error', () => {});
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** An HTTP/2 server that gets its sockets by emitting 'connection', as Node documents. */
function http2Server(
  tls: TlsOptions | undefined,
  maxConcurrentStreams: number,
): Http2Server | Http2SecureServer {
  const common = {
    settings: { maxConcurrentStreams },
    // `intake.ts` and `read-gate.ts` limit memory by ending the largest users; Node's own limit would refuse
    // the next one.
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
    maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
  };
  if (tls === undefined) return createHttp2(common);
  try {
    const pair = { cert: Buffer.from(tls.certificate), key: Buffer.from(tls.privateKey) };
    const clients = tls.clientCa !== undefined && { ca: Buffer.from(tls.clientCa), requestCert: true };
    const server = createSecureHttp2({ ...common, ...pair, ...clients });
    // Before HTTP/2 has the socket and after: an error ends the connection, and needs no handler.
    server.on('secureConnection', (socket) => socket.on('error', () => {}));
    return server;
  } catch (cause) {
    throw new MeshError('invalid', `no TLS with this certificate and key: ${describeSystemError(cause)}`, {
      cause,
    });
  }
}
