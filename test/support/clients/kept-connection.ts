import { Agent, get as httpGet, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** A connection that is kept; `ask` rejects when a request does not go over the first one. */
export function keptConnection(to: ListenAddress) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let first: Socket | undefined;
  const ask = (host: string) =>
    new Promise<number>((resolve, reject) => {
      const request = httpGet(
        { host: to.address, port: to.port, agent, headers: { host } },
        (response: IncomingMessage) => {
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        },
      );
      request.on('error', reject).on('socket', (socket) => {
        first ??= socket;
        if (socket !== first) reject(new Error('another connection'));
      });
    });
  return { ask, close: () => agent.destroy() };
}
