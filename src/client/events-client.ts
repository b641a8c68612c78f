import { MeshError } from '../base/error.ts';
import type { Answer } from '../contract/contract.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { askOnce, createApiClient } from './api-client.ts';

/** What one control plane says that happened. */
export type EventsAnswer = Answer<'listEvents'>['body'];

/** One event of it. */
export type ToldEvent = EventsAnswer['events'][number];

/** Which events. */
export interface EventsAsked {
  /** Of so long until now, in milliseconds; absent: whatever is kept. */
  readonly sinceMs?: number;
  /** After the event of this id. */
  readonly after?: number;
  /** Absent: all. */
  readonly kinds?: readonly string[];
}

/** Longest silence of a control plane besides the wait that was asked for, in milliseconds. */
const answerMsMax = 10_000;

/** More than a control plane keeps, by a thousand each. */
const pagesMax = 20;

/**
 * Asks a control plane for its events, all of them. Throws MeshError `unavailable` without an answer, or
 * where it is too old to have any.
 */
export async function askEvents(admin: ListenAddress, asked: EventsAsked): Promise<EventsAnswer> {
  const client = createApiClient({ admin, token: undefined });
  const { sinceMs, kinds } = asked;
  try {
    let whole: EventsAnswer | undefined;
    let { after } = asked;
    for (let page = 0; page < pagesMax && (whole === undefined || whole.isCut); page += 1) {
      const reply = await client.call('listEvents', {
        query: {
          ...(sinceMs === undefined ? {} : { since: `${sinceMs}ms` }),
          ...(after === undefined ? {} : { after: String(after) }),
          ...(kinds === undefined ? {} : { kinds: kinds.join(',') }),
        },
        timeoutMs: answerMsMax,
      });
      if (reply.isRefused) throw new MeshError('unavailable', reply.detail);
      const events = [...(whole?.events ?? []), ...reply.body.events];
      whole = { ...reply.body, events };
      after = events.at(-1)?.id ?? after;
    }
    return whole as EventsAnswer;
  } finally {
    await client.close();
  }
}

/**
 * Waits until a control plane has an event after this one, or for `waitMs`; returns the id of its newest.
 * Throws MeshError `unavailable` without an answer.
 */
export async function awaitEvents(admin: ListenAddress, after: number, waitMs: number): Promise<number> {
  const query = { after: String(after), wait: `${waitMs}ms` };
  const call = { query, timeoutMs: waitMs + answerMsMax, heldMs: waitMs };
  const { last } = await askOnce(admin, 'awaitEvents', call);
  return last;
}
