import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freePort } from '../port.ts';

/** Servers that no Group has, at one address and one port each, and what they have had. */
export interface Outside {
  readonly http: ListenAddress;
  readonly http2: ListenAddress;
  /** Sends back what it gets. */
  readonly tcp: ListenAddress;
  /** Requests that the HTTP/1.1 server has had, oldest first. */
  readonly requests: readonly IncomingMessage[];
  close(): Promise<void>;
}

/**
 * Starts them. The HTTP/1.1 server answers `ADDRESS METHOD HOST PATH`; `/break` ends the connection instead.
 */
export async function startOutside(address: string): Promise<Outside> {
  const requests: IncomingMessage[] = [];
  const http1 = createServer((request, response) => {
    requests.push(request);
    if (request.url === '/break') request.socket.destroy();
    else {
      response.setHeader('x-isthmus-outcome', 'copied');
      response.end(`${address} ${request.method} ${request.headers.host} ${request.url}`);
    }
  });
  http1.on('upgrade', (request, socket) => {
    requests.push(request);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  const http2 = createHttp2Server().on('stream', (stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end(`${address} ${headers[':authority']}`);
  });
  const tcp = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  const listen = async (server: Server | TcpServer) => {
    const at = { address, port: await freePort(address) };
    await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
    return at;
  };
  return {
    http: await listen(http1),
    http2: await listen(http2 as unknown as TcpServer),
    tcp: await listen(tcp),
    requests,
    async close() {
      http1.closeAllConnections();
      for (const server of [http1, http2, tcp]) server.close();
    },
  };
}
