import { constants } from 'node:crypto';
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
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { MeshError } from '../../base/error.ts';
import { describeSystemError } from '../../base/system-error.ts';
import { Admission, type AdmissionOptions } from '../admission/admission.ts';

/** Certificates in PEM: the server's, and the authorities for clients' certificates. */
export interface TlsOptions {
  readonly certificate: string | Uint8Array;
  readonly privateKey: string | Uint8Array;
  /** If set, a client without an accepted certificate is refused in the handshake. */
  readonly clientCa?: string | Uint8Array;
  /** The oldest version that is spoken; default TLSv1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

/** A listening HTTP/2 server. */
interface Listener {
  readonly port: number;
  readonly admission: Admission;
  /** The open HTTP/2 connections. */
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  /** Takes another certificate, key and authorities; see `XdsServer.updateTls`. */
  updateTls(tls: TlsOptions): void;
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
  if (tls !== undefined)
    server.on('tlsClientError', (error: Error, socket: TLSSocket) =>
      admission.handshakeFailed(addressBelow(socket), describeHandshake(error, socket)),
    );
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
  const updateTls = (next: TlsOptions) => {
    if (tls === undefined) throw new MeshError('invalid', `${address} is served without TLS`);
    const context = contextOf(next);
    // Node takes a broken one as it is, and then drops every new connection.
    trying(() => createSecureContext(context));
    (server as Http2SecureServer).setSecureContext(context);
  };
  return { port: bound, admission, sessions, updateTls, stop };
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
  return trying(() => {
    const requests = tls.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
    const server = createSecureHttp2({ ...common, ...contextOf(tls), ...requests });
    // Before HTTP/2 has the socket and after: an error ends the connection, and needs no handler.
    server.on('secureConnection', (socket) => socket.on('error', () => {}));
    return server;
  });
}

/**
 * All of a context, each time: what an update leaves out is as it is by default. No tickets where clients are
 * checked: who resumes a session is not checked again, an expired certificate included.
 */
function contextOf(tls: TlsOptions): SecureContextOptions {
  const { certificate, privateKey, clientCa, minVersion = 'TLSv1.2' } = tls;
  const pair = { cert: Buffer.from(certificate), key: Buffer.from(privateKey), minVersion };
  if (clientCa === undefined) return pair;
  return { ...pair, ca: Buffer.from(clientCa), secureOptions: constants.SSL_OP_NO_TICKET };
}

/** Throws MeshError `invalid`, without the key. */
function trying<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new MeshError('invalid', `no TLS with this certificate and key: ${describeSystemError(cause)}`, {
      cause,
    });
  }
}

/**
 * `address:port` of the TCP connection below a TLS one that has failed and has no address any more. Node
 * gives no public way to it.
 */
function addressBelow(socket: TLSSocket): string {
  const below = (socket as TLSSocket & { readonly _parent?: Socket })._parent;
  const { remoteAddress, remotePort } = below?.remotePort === undefined ? socket : below;
  return remoteAddress === undefined ? `unknown:${remotePort ?? 0}` : `${remoteAddress}:${remotePort}`;
}

/** Why a handshake failed: what is wrong with the client's certificate, or what TLS says. */
function describeHandshake(error: Error & { readonly code?: string }, socket: TLSSocket): string {
  const code = socket.authorizationError?.toString() ?? error.code ?? error.message;
  const words: Readonly<Record<string, string>> = {
    ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'the client showed no certificate',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate of the client is of no authority that is trusted',
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate of the client is of no authority that is trusted',
    CERT_SIGNATURE_FAILURE: 'the certificate of the client is not signed by the authority that it names',
    CERT_HAS_EXPIRED: 'the certificate of the client has expired',
    CERT_NOT_YET_VALID: 'the certificate of the client is not valid yet: compare the clocks',
    INVALID_PURPOSE: 'the certificate of the client is not for clients',
    ERR_SSL_UNSUPPORTED_PROTOCOL: 'the client speaks no version of TLS that is served',
    ERR_SSL_HTTP_REQUEST: 'the client speaks no TLS',
    ERR_SSL_WRONG_VERSION_NUMBER: 'the client speaks no TLS',
    ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the client speaks no TLS',
    ECONNRESET: 'the client ended it',
  };
  return `no TLS handshake: ${words[code] ?? code}`;
}
