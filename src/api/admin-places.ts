import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { FairSlots, peerOfAddress, type SlotHolder } from '../base/fair-slots.ts';
import { openFilesMax } from '../base/files/open-files.ts';
import { rawRefusal } from './refusal.ts';

/** Limits of clients of the admin address. Times in milliseconds. */
export interface AdminLimits {
  /** Concurrent connections. */
  readonly connectionsMax: number;
  /**
   * From a connection's start, or the end of a request, to the end of the next one's headers, and of its
   * body.
   */
  readonly headersMsMax: number;
  readonly requestMsMax: number;
}

/** docs/defaults.md lists them. The wait for slow proxies comes after a request and is not limited here. */
export const adminLimits: AdminLimits = {
  // Each `isthmus run` has a short one, and one while it waits for proxies.
  connectionsMax: Math.max(128, Math.min(10_000, Math.floor(openFilesMax() / 8))),
  headersMsMax: 10_000,
  requestMsMax: 30_000,
};

const full = rawRefusal(
  'unavailable',
  'Service Unavailable',
  'all connections of the admin address are in use, and no address has more of them: try again later',
);

/**
 * Limits a server's connections. When all are in use, the address with most loses one to any that has less,
 * idle ones first: a health probe is answered however many connections another address keeps open.
 */
export function keepPlaces(server: Server, connectionsMax: number): void {
  const places = new FairSlots<SlotHolder>(connectionsMax);
  const requests = new WeakMap<Socket, number>();
  const count = (socket: Socket, by: number) => requests.set(socket, (requests.get(socket) ?? 0) + by);
  server.on('connection', (socket) => {
    const holder: SlotHolder = {
      peer: peerOfAddress(socket.remoteAddress ?? ''),
      isSettled: () => (requests.get(socket) ?? 0) > 0,
      end: () => void socket.destroy(),
    };
    if (places.take(holder)) socket.once('close', () => places.release(holder));
    else socket.end(full, () => socket.destroy());
  });
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    count(socket, 1);
    response.once('close', () => void count(socket, -1));
  });
}
