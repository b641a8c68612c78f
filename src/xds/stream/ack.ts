import type { Ack, StreamInfo } from '../events.ts';
import type { TypeRule } from '../resource-types.ts';
import type { Sent } from './subscription.ts';

/** The hook's view of an ACK or NACK that came at `now` for a response. */
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
