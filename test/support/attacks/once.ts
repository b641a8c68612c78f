import { type Attack, stillOpen, type Target } from './attack.ts';
import { methods, openHttp2, type RawCall, type RawHttp2 } from './call.ts';
import { pause } from './ends.ts';
import { connectRaw } from './raw.ts';

export const answered = 'answered';

// On a machine that others use an attack may wait long for its turn; what ends at once does not.
const waitMs = 60_000;
// What may stay open is left so long.
const openMs = 2_500;

async function waitFor(is: () => boolean, ms: number): Promise<void> {
  for (const end = performance.now() + ms; !is() && performance.now() < end; ) await pause(10);
}

/** What an attack sends on one call of a connection of its own. */
export interface CallAttack extends Pick<Attack, 'name' | 'endsWith' | 'isSlow'> {
  /** Default `delta`. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An answer is not what is waited for. */
  readonly untilEnd?: boolean;
  readonly waitMs?: number;
  send(call: RawCall, target: Target): unknown;
}

/** An attack on one call: ends as that does, or with `answered`, or `still open` after a minute. */
export function onCall(attack: CallAttack): Attack {
  const { method = methods.delta, headers, untilEnd = false, send, ...rest } = attack;
  return {
    ...rest,
    async run(target) {
      const connection = openHttp2(target.at);
      const call = connection.call(method, headers);
      try {
        await send(call, target);
        await waitFor(() => call.hasEnded() || (!untilEnd && call.hasAnswer()), attack.waitMs ?? waitMs);
        if (call.hasEnded()) return [await call.ended];
        return [call.hasAnswer() && !untilEnd ? answered : stillOpen];
      } finally {
        connection.close();
      }
    },
  };
}

/**
 * Calls on one connection, each with a first message of its own: how they ended, after so many milliseconds
 * at most.
 */
export async function manyCalls(
  connection: RawHttp2,
  count: number,
  first: (i: number) => Buffer,
  ms: number,
): Promise<string[]> {
  const calls = Array.from({ length: count }, (_, i) => {
    const call = connection.call(methods.delta);
    void call.send(first(i));
    return call;
  });
  await waitFor(() => calls.every((call) => call.hasEnded() || call.hasAnswer()), ms);
  return Promise.all(calls.map((call) => (call.hasEnded() ? call.ended : stillOpen)));
}

/** Bytes on a connection, in parts: ends with how the server answered, or `still open`. */
export function onConnection(
  attack: Pick<Attack, 'name' | 'endsWith' | 'open'> & {
    /** False: it does not say what an HTTP/2 client says first. */
    readonly hello?: boolean;
    readonly parts?: number;
    part(i: number): Buffer;
  },
): Attack {
  const { hello = true, parts = 1, part, ...rest } = attack;
  const endMs = rest.open === undefined ? waitMs : openMs;
  return {
    ...rest,
    async run({ at }) {
      const raw = await connectRaw(at, hello);
      let closed: string | undefined;
      void raw.ended.then((how) => {
        closed = how;
      });
      await pause(20);
      for (let i = 0; i < parts && closed === undefined; i += 1) await raw.write(part(i));
      await waitFor(() => closed !== undefined || raw.answer() !== undefined, endMs);
      const end = raw.answer() ?? closed ?? stillOpen;
      raw.socket.destroy();
      return [end];
    },
  };
}
