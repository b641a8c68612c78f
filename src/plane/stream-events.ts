import type { Hooks } from '../xds/events.ts';

/** A part of the control plane that observes streams. See `Hooks`. */
export interface StreamObserver extends Hooks {
  /** Called for a new stream. Throws MeshError to refuse it. */
  admit?(): void;
}

/** Distributes stream events to parts created after the xDS server. */
export interface StreamEvents {
  /** For the xDS server. Events before `observe` are dropped. */
  readonly hooks: Required<Hooks>;
  /** Throws what an observer's `admit` throws. */
  admit(): void;
  /** Adds observers: each event reaches those that handle it, in order of addition. */
  observe(...more: readonly StreamObserver[]): void;
}

/** Creates events without observers. */
export function createStreamEvents(): StreamEvents {
  const adders: ((observer: StreamObserver) => void)[] = [];
  // A list for each event: ACKs are frequent, and few handle them.
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
      onSubscribed: event('onSubscribed'),
    },
    admit: event('admit'),
    observe(...more) {
      for (const observer of more) for (const add of adders) add(observer);
    },
  };
}
