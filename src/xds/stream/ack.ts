import type { Ack, StreamInfo } from '../events.ts';
import type { TypeRule } from '../resource-types.ts';
import type { Response } from '../respond/respond.ts';
import type { Subscribed } from './subscribed.ts';
import type { Sent } from './subscription.ts';

/** Records that a response is sent; returns how many bytes of it count as the client's until it answers. */
export function noteResponse(
  { sub, group }: Subscribed<unknown>,
  response: Response,
  released: ReadonlySet<string>,
  now: number,
): number {
  // Only if no other stream shares it, and the client named the resources itself.
  const unsharedBytes = group.wildcard || group.members.size > 1 ? 0 : response.bytes.length;
  sub.inFlight = { response, revision: sub.revision, sentAt: now, released, unsharedBytes };
  sub.nonce = response.nonce;
  sub.sequence = response.sequence;
  return unsharedBytes;
}

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
