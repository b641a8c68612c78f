import type { Hooks } from '../xds/events.ts';

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
  /** Adds observers: each event goes to those that hear of it, in the order in which they were added. */
  observe(...more: readonly StreamObserver[]): void;
}

/** Creates events that nobody observes yet. */
export function createStreamEvents(): StreamEvents {
  const adders: ((observer: StreamObserver) => void)[] = [];
  // Each event has its own list: an ACK comes for each push and stream, and few hear of it.
  function event<Name extends keyof StreamObserver>(name: Name): Required<StreamObserver>[Name] {
    const listeners: ((first: unknown, second: unknown) => void)[] = [];
    adders.push((observer) => {
      const listener = observer[name];
      if (listener !== undefined)
        listeners.push((first, second) => listener.call(observer, first as never, second as never));
    });
    const tell = (first: unknown, second: unknown) => {
      for (const listener of listeners) listener(first, second);
    };
    return tell as Required<StreamObserver>[Name];
  }
  return {
    hooks: {
      onStreamOpen: event('onStreamOpen'),
      onStreamClose: event('onStreamClose'),
      onStreamRefused: event('onStreamRefused'),
      onTurnedAway: event('onTurnedAway'),
      onAck: event('onAck'),
      onNack: event('onNack'),
      onConfirmed: event('onConfirmed'),
      onUnknownClass: event('onUnknownClass'),
      onUnusedClass: event('onUnusedClass'),
    },
    admit: event('admit'),
    observe(...more) {
      for (const observer of more) for (const add of adders) add(observer);
    },
  };
}
