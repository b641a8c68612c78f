import type { Ack, StreamInfo } from '../events.ts';
import type { TypeRule } from '../resource-types.ts';
import type { Sent } from './subscription.ts';

/** What a hook is told of an answer that came at `now` to what was sent of a type. */
export function ackOf(
  stream: StreamInfo,
  { url, short }: TypeRule,
  { response, sentAt }: Sent,
  now: number,
): Ack {
  const { version, nonce, names, bytes, causes, superseded } = response;
  return {
    ...{ stream, typeUrl: url, type: short, version, nonce, names, bytes: bytes.length },
    ...{ sentAtMs: sentAt, ackedAtMs: now, causes, superseded },
  };
}
