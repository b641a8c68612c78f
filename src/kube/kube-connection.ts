import http2 from 'node:http2';
import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { describeSystemError, systemErrorCode } from '../base/system-error.ts';
import type { KubeAccess } from './config/kube-access.ts';

/** Times of a connection, in milliseconds. */
export interface ConnectionTiming {
  /** Longest time until it stands, TLS included. */
  readonly connectMs: number;
  /** Interval of pings. A watch is silent by nature: only they tell that a server is gone or stopped. */
  readonly pingMs: number;
  /** Pings in a row without an answer after which the server counts as gone. */
  readonly pingsMax: number;
}

/** A dead or stopped server is noticed within 8 s. Stated in docs/kubernetes.md. */
export const connectionTiming: ConnectionTiming = { connectMs: 5_000, pingMs: 2_000, pingsMax: 3 };

/** Bytes that a server may send ahead: for one stream, and for all. They bound what waits to be parsed. */
const [streamWindow, sessionWindow] = [4 << 20, 16 << 20];

/** A connection to an API server, which is made when it is needed, and again after it was lost. */
interface KubeConnection {
  /** Begins a request. Rejects with MeshError `unavailable` if there is no connection. */
  request(headers: http2.OutgoingHttpHeaders, hasBody: boolean): Promise<http2.ClientHttp2Stream>;
  /** Ends all requests. */
  close(): void;
}

/** Creates it; connects with the first request. All requests share one connection over HTTP/2. */
export function createKubeConnection(
  access: KubeAccess,
  clock: Clock,
  timing: ConnectionTiming = connectionTiming,
): KubeConnection {
  let current: Promise<http2.ClientHttp2Session> | undefined;
  let closed = false;

  function session(): Promise<http2.ClientHttp2Session> {
    if (current !== undefined) return current;
    const opening = connect(access, clock, timing);
    current = opening;
    const forget = () => {
      if (current === opening) current = undefined;
    };
    opening.then((opened) => {
      if (closed) opened.destroy();
      // A server that goes away in order ends what runs, and takes nothing new.
      opened.on('goaway', forget);
      opened.on('close', forget);
      keepAlive(opened, clock, timing, access);
    }, forget);
    return opening;
  }

  return {
    async request(headers, hasBody) {
      if (closed) throw new MeshError('unavailable', `${access.server.origin}: the client is closed`);
      const { host, pathname } = access.server;
      const path = `${pathname.replace(/\/$/, '')}${headers[':path']}`;
      const opened = await session();
      return opened.request(
        { ...headers, ':path': path, ':authority': host, ':scheme': 'https' },
        { endStream: !hasBody },
      );
    },
    close() {
      closed = true;
      current?.then(
        (opened) => opened.destroy(),
        () => {},
      );
    },
  };
}

async function connect(
  access: KubeAccess,
  clock: Clock,
  timing: ConnectionTiming,
): Promise<http2.ClientHttp2Session> {
  const tls = { ...(await access.serverTls()), ...(await access.credentials.certificate()) };
  const { origin } = access.server;
  const session = http2.connect(origin, {
    ...tls,
    settings: { initialWindowSize: streamWindow, enablePush: false },
  });
  let timer: Timer | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      session.once('connect', () => resolve());
      session.once('error', (cause) => reject(unreached(access, cause)));
      session.once('close', () => reject(unreached(access, new Error('it closed the connection'))));
      const seconds = timing.connectMs / 1000;
      timer = clock.after(timing.connectMs, () =>
        reject(unreached(access, new Error(`it takes connections, and says nothing for ${seconds} s`))),
      );
    });
  } catch (reason) {
    session.on('error', () => {});
    session.destroy();
    throw reason;
  } finally {
    timer?.cancel();
  }
  session.on('error', () => {});
  if (session.alpnProtocol !== 'h2') {
    session.destroy();
    const message = `${origin} does not speak HTTP/2, which API servers do: give the API server itself, or a proxy that passes HTTP/2 on`;
    throw new MeshError('unsupported', message, { ref: access.origin });
  }
  session.setLocalWindowSize(sessionWindow);
  return session;
}

/**
 * Pings until the session ends, and destroys it when nothing answers. Pings are counted, not the time since
 * the last answer: after a pause of this process itself the answer is still to be read.
 */
function keepAlive(
  session: http2.ClientHttp2Session,
  clock: Clock,
  { pingMs, pingsMax }: ConnectionTiming,
  access: KubeAccess,
): void {
  let unanswered = 0;
  const ping = () => {
    if (session.destroyed) return;
    if (unanswered >= pingsMax) {
      const forMs = unanswered * pingMs;
      session.destroy(unreached(access, new Error(`it has not answered for ${forMs / 1000} s`)));
      return;
    }
    unanswered += 1;
    // False or thrown: the session is ending.
    session.ping((reason) => {
      if (reason === null) unanswered = 0;
    });
    clock.after(pingMs, ping);
  };
  ping();
}

/** Errors of certificates that only another configuration mends. */
const ofCertificates = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ALTNAME|ERR_SSL/;

/** A server that is not reached, as an error: which, why, and what to do. */
export function unreached(access: KubeAccess, cause: unknown): MeshError {
  if (cause instanceof MeshError) return cause;
  const { origin } = access.server;
  const code = systemErrorCode(cause);
  if (ofCertificates.test(code)) {
    const said = cause instanceof Error ? cause.message : code;
    const message = `${origin}: its certificate, or ours, is not accepted: ${said} (${access.origin}). Correct certificate-authority, tls-server-name or client-certificate`;
    return new MeshError('invalid', message, { ref: access.origin, cause });
  }
  const why = code === 'ECONNREFUSED' ? 'nobody listens there (ECONNREFUSED)' : describeSystemError(cause);
  const message = `the API server ${origin} cannot be reached: ${why} (${access.origin})`;
  return new MeshError('unavailable', message, { ref: access.origin, cause });
}
