import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress } from '../mesh.ts';

/**
 * An instance: answers with its name and a newline, then with what it gets; ends when its client has ended.
 */
export interface TcpInstance extends ListenAddress {
  /** Connections that it has had. */
  connections(): number;
  start(): Promise<void>;
  /** As when its process dies. */
  kill(): Promise<void>;
}

/** An instance that is not started yet. */
export async function tcpInstance(name: string): Promise<TcpInstance> {
  const address = await freeAddress();
  const open = new Set<Socket>();
  let count = 0;
  let server: Server | undefined;
  return {
    ...address,
    connections: () => count,
    start: () =>
      new Promise((resolve) => {
        server = createServer({ allowHalfOpen: true }, (socket) => {
          count += 1;
          open.add(socket);
          socket.on('close', () => open.delete(socket)).on('error', () => {});
          socket.write(`${name}\n`);
          socket.pipe(socket);
        }).listen(address.port, address.address, resolve);
      }),
    async kill() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
      server = undefined;
    },
  };
}

/**
 * Connects, sends `bytes`, ends; what came back until the other side ended. A connection that breaks gives
 * what it gave.
 */
export function talk(to: ListenAddress, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    const socket = connect({ host: to.address, port: to.port, allowHalfOpen: true });
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      got += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(got));
    socket.on('end', () => socket.end());
    socket.end(bytes);
  });
}

/** Which instance answers. */
export async function who(to: ListenAddress): Promise<string | undefined> {
  return (await talk(to, '')).split('\n')[0];
}
