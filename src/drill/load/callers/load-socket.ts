import { connect, type Socket } from 'node:net';
import type { Clock } from '../../../base/clock.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import type { TargetPicker } from '../load-target.ts';

/** What is told of a connection of its own for one call. */
interface SocketEvents {
  connected(socket: Socket, target: ListenAddress): void;
  /** No address accepted: nothing was written. */
  refused(error: Error, target: ListenAddress): void;
}

/**
 * Connects to the first address that accepts. Returns what gives the attempt up, and destroys the connection
 * afterwards.
 */
export function connectFirst(
  picker: TargetPicker,
  clock: Clock,
  connectTimeoutMs: number,
  on: SocketEvents,
): (reason: Error) => void {
  const targets = picker.order(clock.now());
  let current: Socket | undefined;
  let over: Error | undefined;
  const attempt = (index: number) => {
    const target = targets[index] as ListenAddress;
    // Half-open: who closes first is what a TCP call is about.
    const socket = connect({ host: target.address, port: target.port, noDelay: true, allowHalfOpen: true });
    current = socket;
    const timer = clock.after(connectTimeoutMs, () =>
      socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
    );
    const failed = (error: Error) => {
      timer.cancel();
      picker.refused(target, clock.now());
      if (index + 1 < targets.length && over === undefined) attempt(index + 1);
      else on.refused(over ?? error, target);
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      timer.cancel();
      socket.off('error', failed);
      on.connected(socket, target);
    });
  };
  attempt(0);
  return (reason) => {
    over = reason;
    current?.destroy(reason);
  };
}
