import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { type eventContract, eventKinds, eventQuery } from '../../contract/events.ts';
import type { OperationId } from '../../contract/operations.ts';
import type { ControlPlane } from '../../plane/types.ts';
import type { ApiRequest, Handlers } from '../handlers.ts';

type Ids = keyof typeof eventContract & OperationId;

/** Handlers of the questions what happened. */
export function eventHandlers({ events }: Pick<ControlPlane, 'events'>, clock: Clock): Handlers<Ids> {
  return {
    listEvents({ query: { since, after, kinds, limit = eventQuery.limitMax } }) {
      const found = events.list({
        ...{ after, kinds: kinds === undefined ? undefined : kindsOf(kinds) },
        since: since === undefined ? undefined : clock.wall() - since,
        limit: Math.min(limit, eventQuery.limitMax),
      });
      return { status: 200, body: found };
    },
    async awaitEvents({ query: { after, wait }, signal }: ApiRequest<'awaitEvents'>) {
      return { status: 200, body: { last: await events.next(after, wait, signal) } };
    },
  };
}

/** Throws MeshError `invalid` for a kind that there is not. */
function kindsOf(text: string): ReadonlySet<string> {
  const kinds = new Set(text.split(','));
  for (const kind of kinds)
    if (!(eventKinds as readonly string[]).includes(kind)) {
      const message = `kinds=${text}: no event is of the kind '${kind}': there are ${eventKinds.join(', ')}`;
      throw new MeshError('invalid', message);
    }
  return kinds;
}
