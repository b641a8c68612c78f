import { lookup } from 'node:dns/promises';
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net';
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import { MeshError } from '../base/error.ts';
import { wordsOfFailure } from '../base/system-error.ts';
import { Admission, type AdmissionOptions } from './admission.ts';

/** Where connections come in. */
export interface Listener {
  readonly port: number;
  readonly admission: Admission;
  /** Takes no more connections. */
  stop(): void;
}

/**
 * Listens in the place of a grpc-js server, and gives it the connections and streams that are let in. `address`: `host:port`;
 * a name is listened on at all its addresses. Throws MeshError 'unavailable' when one cannot be bound.
 */
export async function openListener(
  server: Server,
  credentials: ServerCredentials,
  address: string,
  options: Pick<AdmissionOptions, 'clock' | 'limits' | 'turnedAway'>,
): Promise<Listener> {
  const injector = server.createConnectionInjector(credentials);
  const admission = new Admission({
    ...options,
    isPlain: !credentials._isSecure(),
    inject(socket) {
      injector.injectConnection(socket);
      socket.resume();
    },
  });
  stand(http2ServerOf(server), admission);
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
  return { port: bound, admission, stop };
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

/** The HTTP/2 server within a grpc-js server with one injector. It has no public way to it; a test holds that it is there. */
function http2ServerOf(server: Server): Http2Server {
  const { http2Servers } = server as unknown as { http2Servers?: Map<Http2Server, unknown> };
  const [found] = http2Servers?.keys() ?? [];
  if (found === undefined) throw new MeshError('internal', 'this version of grpc-js cannot be listened for');
  return found;
}

/** Lets admission see each session, and each stream before grpc-js does. */
function stand(server: Http2Server, admission: Admission): void {
  server.prependListener('session', (session: ServerHttp2Session) => admission.began(session));
  type StreamListener = (stream: ServerHttp2Stream, ...rest: unknown[]) => void;
  const theirs = server.listeners('stream') as StreamListener[];
  server.removeAllListeners('stream');
  server.on('stream', (stream: ServerHttp2Stream, ...rest: unknown[]) => {
    if (admission.opened(stream)) for (const listener of theirs) listener.call(server, stream, ...rest);
  });
}
