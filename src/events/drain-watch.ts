import type { Clock } from '../base/clock.ts';
import type { Drain } from '../model/drain.ts';
import { cut } from './cut.ts';
import type { EventSink, NewEvent } from './event.ts';

type DrainEvent = Extract<NewEvent, { readonly kind: 'drain' }>;

interface DrainWatchOptions {
  readonly clock: Clock;
  readonly events: EventSink;
}

type Drains = ReadonlyMap<string, Drain>;

/** Who asked for the change of a drain, by the client of the API. */
type Asked = (drain: Drain) => string | undefined;

/** Tells when instances are drained and no longer, by an edit or by the clock. */
export class DrainWatch {
  readonly #options: DrainWatchOptions;
  #told: Drains = new Map();

  constructor(options: DrainWatchOptions) {
    this.#options = options;
  }

  /** As `apply`, during a start: those that it finds, and that nobody has asked for since, are no news. */
  begin(all: Drains, by: Asked): void {
    const known = [...all].filter(([key, drain]) => this.#told.has(key) || by(drain) === undefined);
    this.#told = new Map(known);
    this.apply(all, by);
  }

  /** The drains after an edit, or after the end of one: the same map if there was none. */
  apply(all: Drains, by: Asked): void {
    const before = this.#told;
    if (all === before) return;
    this.#told = all;
    for (const [key, drain] of all) {
      const old = before.get(key);
      if (old === undefined) this.#tell('begun', drain, by(drain));
      else if (old !== drain) this.#tell('changed', drain, by(drain));
    }
    const wall = this.#options.clock.wall();
    for (const [key, drain] of before) {
      if (all.has(key)) continue;
      const isOver = drain.spec.until !== undefined && drain.spec.until <= wall;
      this.#tell(isOver ? 'expired' : 'ended', drain, by(drain));
    }
  }

  #tell(phase: DrainEvent['phase'], { meta, spec }: Drain, by: string | undefined): void {
    const { until, reason, by: operator } = spec;
    this.#options.events.note({
      ...{ kind: 'drain', phase, instance: cut(`${meta.namespace}/${meta.name}`) },
      ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
      ...(reason === undefined ? {} : { reason: cut(reason) }),
      ...(operator === undefined ? {} : { operator: cut(operator) }),
      ...(by === undefined ? {} : { by }),
    });
  }
}
