import { connect, type Socket } from 'node:net';
import type { Clock } from '../../../base/clock.ts';
import { type ListenAddress, showAddress } from '../../../model/values/listen-address.ts';
import type { Call } from '../../call/call.ts';
import type { TargetPicker } from '../load-target.ts';
import type { Caller, LoadJob, LoadResult } from './load-caller.ts';

/** What is told of a connection of its own for one call. */
interface SocketEvents {
  connected(socket: Socket, target: ListenAddress): void;
  /** No address accepted: nothing was written. */
  refused(error: Error, target: ListenAddress): void;
}

/** What connections of their own are made with. */
interface SocketCallerOptions {
  readonly picker: TargetPicker;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
}

/** The result of a call that nobody answered. */
export const noAnswer = { status: 0, idc: '', instance: '' };

/**
 * Connects to the first address that accepts. Returns what gives the attempt up, and destroys the connection
 * afterwards.
 */
function connectFirst(
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

/** Says once how a call on a connection ended. */
export type Finish = (result: Omit<LoadResult, 'target' | 'connectedAt'>) => void;

/** A caller whose calls have a connection each; `hold` makes a call on one. */
export function createSocketCaller(
  { picker, clock, connectTimeoutMs }: SocketCallerOptions,
  hold: (socket: Socket, job: LoadJob & { readonly call: Call }, finish: Finish) => void,
): Caller {
  const open = new Set<Socket>();
  return {
    make(job, done) {
      const { call } = job;
      if (!call) throw new RangeError('a connection of its own needs a call');
      let at = { target: '', connectedAt: 0 };
      let finished = false;
      const finish: Finish = (result) => {
        if (finished) return;
        finished = true;
        done({ ...result, ...at });
      };
      return connectFirst(picker, clock, connectTimeoutMs, {
        refused: (error, target) => {
          at = { ...at, target: showAddress(target) };
          finish({ ...noAnswer, error: error.message });
        },
        connected: (socket, target) => {
          at = { target: showAddress(target), connectedAt: clock.now() };
          open.add(socket);
          socket.on('close', () => open.delete(socket));
          hold(socket, { ...job, call }, finish);
        },
      });
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}
