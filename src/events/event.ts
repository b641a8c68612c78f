import type { PlaneEvent } from '../contract/events.ts';

/** Distributes over the kinds. */
type Draft<One> = One extends unknown ? Omit<One, 'id' | 'at' | 'notNoted'> : never;

/** An event as the part in which it happened tells it: without time and number. */
export type NewEvent = Draft<PlaneEvent>;

/** Takes events. Cheap: called where they happen, once for all proxies. */
export interface EventSink {
  /** Texts that clients choose must be cut before (`cut`). */
  note(event: NewEvent): void;
}
