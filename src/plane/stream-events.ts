import type { Ack, Concern, Hooks, Nack, RefusedStream, StreamInfo } from '../xds/events.ts';
import type { TurnedAway } from '../xds/xds.ts';

/** What a part of the control plane is told of proxies' streams. See `Hooks`. */
export interface StreamObserver extends Hooks {
  /** A proxy asks for its class. Throws MeshError where it cannot be let in. */
  admit?(): void;
}

/** Tells of streams, for parts that are made after the xDS server. */
export interface StreamEvents {
  /** For the xDS server. Before `observe` nobody is told. */
  readonly hooks: Required<Hooks>;
  /** Throws what an observer's `admit` throws. */
  admit(): void;
  /** Adds observers: each event goes to all of them, in the order in which they were added. */
  observe(...more: readonly StreamObserver[]): void;
}

/** Creates events that nobody observes yet. */
export function createStreamEvents(): StreamEvents {
  const observers: StreamObserver[] = [];
  return {
    hooks: {
      onStreamOpen(stream: StreamInfo) {
        for (const one of observers) one.onStreamOpen?.(stream);
      },
      onStreamClose(stream: StreamInfo) {
        for (const one of observers) one.onStreamClose?.(stream);
      },
      onStreamRefused(refused: RefusedStream) {
        for (const one of observers) one.onStreamRefused?.(refused);
      },
      onTurnedAway(turnedAway: TurnedAway) {
        for (const one of observers) one.onTurnedAway?.(turnedAway);
      },
      onAck(ack: Ack) {
        for (const one of observers) one.onAck?.(ack);
      },
      onNack(nack: Nack) {
        for (const one of observers) one.onNack?.(nack);
      },
      onConfirmed(stream: StreamInfo, has: (concern: Concern) => boolean) {
        for (const one of observers) one.onConfirmed?.(stream, has);
      },
      onUnknownClass(stream: StreamInfo) {
        for (const one of observers) one.onUnknownClass?.(stream);
      },
      onUnusedClass(nodeClass: string) {
        for (const one of observers) one.onUnusedClass?.(nodeClass);
      },
    },
    admit() {
      for (const one of observers) one.admit?.();
    },
    observe(...more) {
      observers.push(...more);
    },
  };
}
