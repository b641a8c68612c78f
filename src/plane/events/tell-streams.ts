import { cut, cutList } from '../../events/cut.ts';
import { Repeats } from '../../events/repeats.ts';
import type { Nack } from '../../xds/events.ts';
import type { Parts } from '../parts.ts';
import type { StreamObserver } from '../stream-events.ts';
import type { ControlPlaneOptions } from '../types.ts';

type TurnedAway = Parameters<NonNullable<StreamObserver['onTurnedAway']>>[0];

/** Tells refusals of proxies, and of clients: what many do alike is few events. */
export function tellStreams(
  { events }: Parts,
  { clock }: Pick<ControlPlaneOptions, 'clock'>,
): StreamObserver {
  const nacks = new Repeats<Nack>(clock, ({ stream, type, message, refused }, count) => {
    events.note({
      ...{ kind: 'nack', node: cut(stream.node.id ?? ''), type, refused: cutList(refused) },
      ...{ message: cut(message), ...(count > 1 ? { more: count } : {}) },
    });
  });
  const turned = new Repeats<TurnedAway>(clock, ({ limit, peer }, count) => {
    events.note({ kind: 'shed', phase: 'turned-away', limit, peer, count });
  });
  return {
    onNack(nack) {
      if (nack.isNews) nacks.add(`${nack.type} ${cut(nack.message)}`, nack);
    },
    onTurnedAway: (one) => turned.add(one.limit, one),
  };
}
